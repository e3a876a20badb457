-- Ten thousand WebSocket sessions on two workers (a thousand under sanitizers):
-- echo for each, and fan-out that reaches every one exactly once and in order.
local http = require "support.http"
local limits = require "support.limits"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local WANTED = loop.is_sanitized and 1000 or 10000
local MESSAGES = 20

local SCRIPT = [[
local gate = require "tidegate"
gate.ws("/all", {
  open = function(ws) ws:join "all" end,
  message = function(ws, data) ws:send("echo " .. data) end,
})
gate.get("/count", function() return tostring(gate.count "all") end)
gate.post("/publish", function(req)
  for i = tonumber(req.query.from), tonumber(req.query.to) do gate.publish("all", "message " .. i) end
end)
]]

local function seconds_of(fn)
  local started = loop.now()
  fn()
  return loop.now() - started
end

describe("many connections", function()
  -- One more: each client needs a descriptor here and one in the server.
  local available = limits.raise_open_files() - 200
  local count = math.min(WANTED, available)

  it(("%d sessions: echo and fan-out, once each and in order"):format(count), function()
    if count < WANTED then
      io.stderr:write(("\nonly %d of %d connections: a process may open no more files here\n"):format(count, WANTED))
    end
    local server <close> = tidegate.start { workers = 2, scripts = SCRIPT }
    local echoed, complete, ended = 0, 0, 0
    local function on_message(data, _, client)
      local n = tonumber(data:match "^message (%d+)$")
      if n then
        if n ~= (client.last or 0) + 1 then error(("message %d after %s"):format(n, client.last), 0) end
        client.last = n
        if n == MESSAGES then complete = complete + 1 end
      elseif data == "echo " .. client.index and not client.has_echo then
        client.has_echo, echoed = true, echoed + 1
      else
        error("unexpected " .. data, 0)
      end
    end

    local clients
    local opening = seconds_of(function()
      clients = ws.open_many(server, "/all", count,
        { on_message = on_message, on_end = function() ended = ended + 1 end })
    end)
    loop.poll(function() return tonumber(http.get(server, "/count").body) == count end, "exact count of subscribers")

    local echoing = seconds_of(function()
      for _, client in ipairs(clients) do client:send_cheaply(tostring(client.index)) end
      loop.wait(function() return echoed == count end, function() return "echo to all, only " .. echoed end,
        loop.deadline * 4)
    end)
    local publishing = seconds_of(function()
      for from = 1, MESSAGES, 5 do http.post(server, ("/publish?from=%d&to=%d"):format(from, from + 4)) end
      loop.wait(function() return complete == count end, function() return "message to all, only " .. complete end,
        loop.deadline * 4)
    end)
    -- Any message that came twice would have been an error above; the fence shows
    -- that nothing more is on its way.
    for _, client in ipairs(clients) do
      client.has_echo = false
      client:send_cheaply(tostring(client.index))
    end
    loop.wait(function() return echoed == 2 * count end, "second echo to all", loop.deadline * 4)
    assert.equal(0, ended)
    io.stderr:write(("\n%d sessions: opened in %.1f s, echoed in %.1f s, %d messages to each in %.1f s\n"):format(
      count, opening, echoing, MESSAGES, publishing))

    for i = 1, count // 2 do clients[i]:drop() end
    loop.poll(function() return tonumber(http.get(server, "/count").body) == count - count // 2 end, "half the count")
  end)
end)
