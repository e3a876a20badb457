-- A million topics that live for a moment leave nothing behind: not in the list of
-- topics, and of their memory next to nothing.
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local PER_STEP = 5000
local SLACK_BYTES = 16 * 1024 * 1024  -- of the 400 MB and more that a million of them take at once

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("ttl/**", { history = 1, ttl = 0.5 })
gate.topic("member/**", { presence = { grace = 0 } })

local ways = {
  -- Kept for their messages, and gone when these are too old.
  ttl = function(_, topic, i) assert(gate.publish(topic, "a message", { key = i % 2 == 0 and "k" or nil })) end,
  -- Kept for a subscriber.
  joined = function(ws, topic)
    assert(ws:join(topic))
    gate.publish(topic, "a message")
    assert(ws:leave(topic))
  end,
  member = function(ws, topic)
    assert(ws:join(topic, { as = "ann", info = { n = 1 } }))
    assert(ws:leave(topic))
  end,
  -- Looked at only.
  asked = function(_, topic)
    gate.history(topic)
    gate.count(topic)
    gate.presence(topic)
  end,
  nobody = function(_, topic) gate.publish(topic, "nobody is there") end,
}
gate.ws("/ws", { message = function(ws, line)
  local way, from, to = line:match "^(%a+) (%d+) (%d+)$"
  for i = tonumber(from), tonumber(to) do
    ways[way](ws, ("%s/%d/with a name of some length"):format(way, i), i)
    if i % 500 == 0 then gate.sleep(0) end
  end
  ws:send "done"
end })
gate.get("/topics", function() return tostring(gate.stats().topics) end)
]]

describe("short-lived topics", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT, workers = 2 } end)
  teardown(function() server:stop() end)

  local function topic_count() return tonumber(http.get(server, "/topics").body) end

  -- The sweep looks at many topics bit by bit, so that it holds up nobody: at a million
  -- of them about every thirteen seconds.
  local function wait_for_none()
    local ends = loop.now() + loop.deadline * 12
    repeat
      local left = topic_count()
      if left == 0 then return end
      if loop.now() > ends then error(left .. " topics are left", 0) end
      loop.run_for(0.05)
    until false
  end

  local function live(way, count)
    local client = ws.connect(server, "/ws")
    for from = 1, count, PER_STEP do
      client:send(("%s %d %d"):format(way, from, math.min(count, from + PER_STEP - 1)))
      client:receive(loop.deadline * 2)
    end
    client:close()
  end

  for _, row in ipairs { { "joined", 300000 }, { "member", 150000 }, { "asked", 150000 }, { "nobody", 300000 },
    { "ttl", 1000000 } } do
    local way, count = row[1], loop.is_sanitized and 20000 or row[2]
    it(("of the kind %q: %d leave nothing behind"):format(way, count), function()
      live(way == "ttl" and "joined" or way, 20000)
      wait_for_none()
      local before, started = server:memory(), loop.now()
      live(way, count)
      local peak = server:memory()
      wait_for_none()
      local growth = server:memory() - before
      io.stderr:write(("\n%d topics (%s) in %.1f s: memory grew by %.1f MiB, in the end by %.1f\n"):format(
        count, way, loop.now() - started, (peak - before) / 2 ^ 20, growth / 2 ^ 20))
      if not loop.is_sanitized then
        assert.is_true(growth < SLACK_BYTES, ("memory grew by %d bytes"):format(growth))
      end
    end)
  end
end)
