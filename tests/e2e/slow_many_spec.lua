-- Thousands of slow clients of all kinds at once: the others get everything, as
-- fast as before, and each of the slow ends at its own limit, told and counted.
local followers = require "support.followers"
local http = require "support.http"
local limits = require "support.limits"
local loop = require "support.loop"
local tcp = require "support.tcp"
local tidegate = require "support.server"
local ws = require "support.ws"

local WANTED = loop.is_sanitized and 500 or 5000
local BATCH = 100
local COUNT = math.min(WANTED, limits.raise_open_files() - 200) // BATCH * BATCH
local HEALTHY = 6   -- of each kind of session
local LIMIT = loop.is_sanitized and 20 or 10  -- seconds: until all are there, and a while more
local QUIET = 300   -- messages

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("flood", { history = 64 })
local chunk = ("x"):rep(16384)
gate.ws("/busy", { open = function(ws) ws:join "busy" end })
gate.sse("/busy", { open = function(stream) stream:join "busy" end })
gate.post("/publish", function(req) return gate.publish("busy", req.query.n .. " ") end)
gate.post("/flood", function() for _ = 1, 64 do gate.publish("flood", chunk) end return 204 end)
gate.get("/stats", function() return gate.stats() end)
gate.get("/followers", function() return tostring(gate.count "flood") end)

local heard = { body = 0, pieces = 0, ws = 0, sse = 0 }
gate.get("/heard", function() return heard end)
local function on_close(kind, expected)
  return function(_, code) if code == expected then heard[kind] = heard[kind] + 1 end end
end
gate.post("/body", function(req)
  local body, _, code = req:body()
  if not body and code == "closed" then heard.body = heard.body + 1 end
end)
gate.get("/pieces", function(_, res)
  while res:write(chunk) do end
  heard.pieces = heard.pieces + 1
end)
gate.ws("/unread", { heartbeat = 0, open = function(ws) ws:join "flood" end, close = on_close("ws", 1006) })
gate.sse("/unread", { keepalive = 0, open = function(stream) stream:join "flood" end, close = on_close("sse", 0) })
]]

-- What one of each kind sends, and that it reads nothing afterwards.
local KINDS = {
  function() return "GET /pieces HTTP/1.1\r\nX-Never: ends", false end,
  function() return "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" .. ("x"):rep(999), false end,
  function() return http.format_request("GET", "/pieces"), true end,
  function() return (ws.handshake "/unread"), true end,
  function() return http.format_request("GET", "/unread", { headers = { Accept = "text/event-stream" } }), true end,
}

-- Opens them, BATCH at a time: count_open() tells how many the server has, and a
-- connection beyond its backlog would be refused. Over the unix path: its sockets hold
-- less than those of TCP.
local function open_slow(address, count_open)
  for opened = 1, COUNT do
    local request, never_reads = KINDS[opened % #KINDS + 1]()
    tcp.connect(address, { paused = never_reads }):send(request)
    if opened % BATCH == 0 then
      loop.poll(function() return count_open() == opened end, opened .. " open connections of slow clients", 0.001)
    end
  end
end

describe("slow clients", function()
  it(("%d of five kinds at once end at their limits, and nobody else notices"):format(COUNT), function()
    local seconds = tostring(LIMIT)
    local server <close> = tidegate.start {
      scripts = SCRIPT, listen = { "127.0.0.1:0", "unix:./socket" },
      args = { "--header-timeout", seconds, "--body-timeout", seconds, "--write-timeout", seconds,
               "--send-queue", "32768", "--idle-timeout", "600" },
    }
    local asking <close> = http.connect(server)
    local function ask(path) return asking:get(path):json() end
    local healthy, each = followers.group(server, "/busy", HEALTHY), COUNT // #KINDS
    for _ = 1, QUIET do healthy:publish() end
    local before, quiet_times = ask "/stats", healthy:take_times()

    open_slow(server.addresses[2], function() return ask "/stats".connections - before.connections end)
    loop.poll(function() return ask "/followers" == 2 * each end, "all who follow")
    assert.equal(204, asking:request("POST", "/flood", { body = "" }).status)
    local held, peak = ask "/stats".connections - before.connections, server:memory()
    healthy:take_times()

    -- Until the last of them is gone: the counters tell.
    local now
    local ends = loop.now() + LIMIT + 4 * loop.deadline
    repeat
      for _ = 1, 50 do healthy:publish() end
      now = ask "/stats"
      peak = math.max(peak, server:memory())
    until now.slow_requests + now.slow_readers >= COUNT or loop.now() > ends
    local busy_times = healthy:take_times()

    loop.poll(function() return ask "/stats".connections == before.connections end, "end of all slow clients")
    assert.same({ 2 * each, 3 * each }, { now.slow_requests, now.slow_readers })
    assert.same({ body = each, pieces = each, ws = each, sse = each }, ask "/heard")
    for _, follower in ipairs(healthy) do
      assert.same({ healthy.published, 0 }, { follower.received, follower.missed })
    end
    assert.is_true(held > COUNT / 2, held .. " at once")
    local quiet, busy = followers.percentile(quiet_times, 0.5), followers.percentile(busy_times, 0.5)
    local quiet_p99, busy_p99 = followers.percentile(quiet_times, 0.99), followers.percentile(busy_times, 0.99)
    local REPORT = "\n%d slow clients at once, %.0f MiB: "
      .. "median of the others %.2f ms before and %.2f ms beside them, p99 %.2f and %.2f ms\n"
    io.stderr:write(REPORT:format(held, peak / 2 ^ 20, quiet, busy, quiet_p99, busy_p99))
    if not loop.is_sanitized then
      assert.is_true(busy < 3 * quiet + 1, ("median of %.2f ms, %.2f before"):format(busy, quiet))
    end
  end)
end)
