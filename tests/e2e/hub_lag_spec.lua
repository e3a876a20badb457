-- Subscribers that do not keep up: nothing is lost without being told, and a
-- reader that stalls costs the others nothing.
local cjson = require "cjson"
local http = require "support.http"
local loop = require "support.loop"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("skip/*", { history = 50 })
gate.topic("latest/*", { history = 50, lag = "latest" })
gate.topic("close/*", { history = 50, lag = "close" })
local fill = (" "):rep(16384)

gate.ws("/ws/{policy}/{name}", {
  open = function(ws)
    ws:join(ws.params.policy .. "/" .. ws.params.name)
    ws:send "joined"
  end,
  gap = function(ws, topic, missed) ws:send { topic = topic, missed = missed } end,
  close = function(ws, code) gate.log.info(ws.params.policy .. " ended with " .. code) end,
})
gate.ws("/own/{name}", { open = function(ws)
  ws:join("skip/" .. ws.params.name, { lag = "close" })
  ws:send "joined"
end })
gate.sse("/sse/{policy}/{name}", {
  open = function(stream)
    stream:join(stream.params.policy .. "/" .. stream.params.name)
    stream:send { event = "joined", data = "joined" }
  end,
  gap = function(stream, topic, missed)
    gate.log.info(topic .. " missed " .. missed)
    stream:send { event = "heard", data = { missed = missed } }
  end,
  close = function(stream) gate.log.info(stream.params.policy .. " stream ended") end,
})
gate.post("/publish/{policy}/{name}", function(req)
  local from, to = req.query.from, req.query.to
  for i = from, to do gate.publish(req.params.policy .. "/" .. req.params.name, i .. fill) end
  return "ok"
end)
]]

local TOTAL = 1600  -- of 16 KiB: more than sockets and log hold together

describe("a subscriber that stalls", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT, workers = 2 } end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  -- Publishes 1..TOTAL in small portions, each seen by `keeps_up` before the next.
  local function publish_all(topic, keeps_up)
    local connection <close> = http.connect(server)
    for from = 1, TOTAL, 20 do
      local path = ("/publish/%s?from=%d&to=%d"):format(topic, from, from + 19)
      assert.equal(200, connection:request("POST", path, { body = "" }).status)
      if keeps_up then
        for n = from, from + 19 do assert.equal(n, tonumber((keeps_up():match "^%d+"))) end
      end
    end
  end

  local options = { receive_buffer = 65536 }

  -- A client that counts what it gets and what it is told to have missed: each
  -- notice in its place, before the messages behind the gap.
  local function connect_counting(path)
    local seen = { count = 0, gaps = 0, due = 1 }
    local client = ws.connect(server, path, {
      receive_buffer = options.receive_buffer,
      on_message = function(data)
        local n = tonumber(data:match "^%d+")
        if n then
          if n ~= seen.due then error(("message %d where %d was due"):format(n, seen.due), 0) end
          seen.count, seen.due = seen.count + 1, n + 1
        elseif data ~= "joined" then
          seen.gaps, seen.due = seen.gaps + 1, seen.due + cjson.decode(data).missed
        else
          seen.joined = true
        end
      end,
    })
    loop.wait(function() return seen.joined end, "join")
    return client, seen
  end

  for _, policy in ipairs { "skip", "latest" } do
    it(("hears by the policy %q where and how much it missed"):format(policy), function()
      local client, seen = connect_counting("/ws/" .. policy .. "/ws")
      local fast = ws.connect(server, "/ws/" .. policy .. "/ws")
      assert.equal("joined", (fast:receive()))
      client.socket:pause()
      publish_all(policy .. "/ws", function() return (fast:receive()) end)
      assert.equal(0, #fast.messages)
      client.socket:resume()
      loop.wait(function() return seen.due == TOTAL + 1 end, function() return "message " .. seen.due end)
      assert.is_true(seen.gaps > 0, "something was missed")
    end)

    it(("is told in the stream over SSE by the policy %q"):format(policy), function()
      local expected, received, gaps, heard, joined = 1, 0, 0, 0, false
      local stream <close> = sse.connect(server, "/sse/" .. policy .. "/sse", {
        receive_buffer = options.receive_buffer,
        on_event = function(event)
          if event.event == "joined" then joined = true
          elseif event.event == "gap" then
            local gap = cjson.decode(event.data)
            if gap.topic ~= policy .. "/sse" then error("gap of another topic", 0) end
            gaps, expected = gaps + 1, expected + gap.missed
          elseif event.event == "heard" then
            heard = heard + cjson.decode(event.data).missed
            if heard + received + 1 ~= expected then error("the script heard of a gap elsewhere", 0) end
          else
            local n = tonumber(event.data:match "^%d+")
            if n ~= expected then error(("message %d where %d was due"):format(n, expected), 0) end
            received, expected = received + 1, n + 1
          end
        end,
      })
      loop.wait(function() return joined end, "join")
      stream.socket:pause()
      publish_all(policy .. "/sse")
      stream.socket:resume()
      loop.wait(function() return expected == TOTAL + 1 end, function() return "message " .. expected end)
      assert.is_true(gaps > 0, "something was missed")
    end)
  end

  it("is told the gap and closed with 1013 where the policy is close", function()
    local client, seen = connect_counting "/ws/close/ws"
    client.socket:pause()
    publish_all "close/ws"
    client.socket:resume()
    assert.equal(1013, (client:wait_close()))
    assert.equal(1, seen.gaps)
    assert.is_true(seen.due <= TOTAL)
    server:wait_for_log "close ended with 1013"
  end)

  it("is cut where the policy is close and it never reads again; the script hears 1013", function()
    local mark = server:mark()
    local client = connect_counting "/ws/close/stuck"
    client.socket:pause()
    publish_all "close/stuck"
    server:wait_for_log("close ended with 1013", mark)
  end)

  it("has its stream ended where the policy is close", function()
    local count = 0
    local stream <close> = sse.connect(server, "/sse/close/sse", {
      receive_buffer = options.receive_buffer,
      on_event = function() count = count + 1 end,
    })
    loop.wait(function() return count == 1 end, "join")
    stream.socket:pause()
    publish_all "close/sse"
    stream.socket:resume()
    stream:wait_end()
    assert.is_true(count < TOTAL)
    local _, mark = server:wait_for_log "close/sse missed %d+"
    server:wait_for_log("close stream ended", mark)
  end)

  it("may choose the policy itself", function()
    local client = ws.connect(server, "/own/own", { receive_buffer = options.receive_buffer,
      on_message = function() end })
    loop.wait(function() return client.received_count == 1 end, "join")
    client.socket:pause()
    publish_all "skip/own"
    client.socket:resume()
    client.socket:wait_end()
    assert.is_true(client.received_count < TOTAL)
  end)
end)
