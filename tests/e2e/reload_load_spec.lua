-- The promise of hot reload, measured: under load, through a hundred reloads of
-- which every fifth is broken, no connection drops and no message is lost or
-- handled twice. Latencies are printed, not judged: this client shares the
-- machine with the server.
local loop = require "support.loop"
local sse = require "support.sse"
local tidegate = require "support.server"
local uv = require "luv"
local ws = require "support.ws"

local CONNECTIONS = loop.is_sanitized and 200 or 1000
local RELOADS = 100
local PER_SECOND = loop.is_sanitized and 500 or 3000  -- messages
local QUIET_SECONDS = loop.is_sanitized and 1 or 2

-- ws.data.count survives reloads: a message that is handled twice, or not at
-- all, shows in the number that comes back.
local function version(number)
  return ([[
local gate = require "tidegate"
gate.ws("/echo", {
  open = function(ws) ws.data.count = 0 end,
  message = function(ws, data)
    ws.data.count = ws.data.count + 1
    ws:send(data .. " " .. ws.data.count .. " v%s")
    if data:find "0$" then gate.publish("log", ws.id .. " " .. data) end
  end,
})
gate.topic("log", { history = 1000 })
gate.sse("/log", function(stream) stream:join "log" stream:send { event = "joined", data = "" } end)
]]):format(number)
end

local BROKEN = {
  "this is not Lua",
  "error 'broken while loading'",
  version(0) .. "gate.get('/x', function() end) gate.get('/x', function() end)",
}

-- Sends numbered messages round the clients, PER_SECOND of them, and checks
-- each answer. Times go to the list `load.times`.
local function start_load(clients)
  local load = { sent = 0, answered = 0, times = {}, versions = {} }
  local at, started, done = 0, loop.now(), 0
  for _, client in ipairs(clients) do
    client.sent_at, client.sent, client.next_answer = {}, 0, 1
    client.on_message = function(data)
      local n, count, seen = data:match "^(%d+) (%d+) (v%d+)$"
      n = tonumber(n)
      if n ~= client.next_answer or tonumber(count) ~= n then
        error(("client %d: answer %q where %d was due"):format(client.index, data, client.next_answer), 0)
      end
      client.next_answer = n + 1
      load.answered = load.answered + 1
      load.versions[seen] = true
      table.insert(load.times, loop.now() - client.sent_at[n])
      client.sent_at[n] = nil
    end
  end
  load.timer = uv.new_timer()
  load.timer:start(1, 2, loop.guard(function()
    local due = math.floor((loop.now() - started) * PER_SECOND)
    -- What a stalled client process missed is not made up for in one blow.
    if due - done > 100 then done = due - 100 end
    while done < due do
      done, at = done + 1, at % #clients + 1
      local client = clients[at]
      client.sent = client.sent + 1
      client.sent_at[client.sent] = loop.now()
      client:send_cheaply(tostring(client.sent))
      load.sent = load.sent + 1
    end
  end))
  return load
end

local function stop_load(load)
  loop.close(load.timer)
  loop.wait(function() return load.answered == load.sent end, function()
    return ("answer to every message: %d of %d"):format(load.answered, load.sent)
  end)
end

local function take_times(load)
  local times = load.times
  load.times = {}
  return times
end

local function percentile(times, share)
  table.sort(times)
  return (times[math.max(1, math.ceil(#times * share))] or 0) * 1000
end

-- A stream on the topic that checks that each client's numbers come in order.
local function follow_log(server)
  local follow = { count = 0, last = {} }
  follow.stream = sse.connect(server, "/log", { on_event = function(event)
    if event.event == "joined" then
      follow.is_joined = true
      return
    end
    local id, n = event.data:match "^(%S+) (%d+)$"
    if tonumber(n) ~= (follow.last[id] or 0) + 10 then
      error(("log has %q after %s"):format(event.data, follow.last[id]), 0)
    end
    follow.last[id], follow.count = tonumber(n), follow.count + 1
  end })
  loop.wait(function() return follow.is_joined end, "join")
  return follow
end

describe("a hundred reloads under load", function()
  it("drop no connection and lose or double no message", function()
    local server <close> = tidegate.start { workers = 2, scripts = version(1) }
    local follow = follow_log(server)
    local dropped = 0
    local clients = ws.open_many(server, "/echo", CONNECTIONS, { on_end = function() dropped = dropped + 1 end })
    local load = start_load(clients)
    loop.run_for(0.5)  -- to warm up
    take_times(load)
    loop.run_for(QUIET_SECONDS)
    local quiet = take_times(load)

    local during, broken, begun = {}, 0, loop.now()
    for i = 1, RELOADS do
      local is_broken = i % 5 == 0
      take_times(load)
      local ok = server:edit { ["app.lua"] = is_broken and BROKEN[i // 5 % #BROKEN + 1] or version(i + 1) }
      local times = take_times(load)
      table.move(times, 1, #times, #during + 1, during)
      if is_broken then broken = broken + 1 end
      assert.equal(not is_broken, ok, "reload " .. i)
      assert.equal(0, dropped, "dropped connections after reload " .. i)
    end
    local seconds = loop.now() - begun
    stop_load(load)

    local expected = 0
    for _, client in ipairs(clients) do
      expected = expected + client.sent // 10
      assert.equal(client.sent + 1, client.next_answer)
    end
    loop.wait(function() return follow.count >= expected end, "whole log")
    assert.equal(expected, follow.count)
    assert.equal(0, dropped)
    assert.equal(20, broken)
    assert.is_true(load.versions.v1 and load.versions.v100, "the load met the first and the last version")
    io.stderr:write(("\nreload under load: %d connections, %d messages, %d reloads in %.1f s; "
      .. "quiet p50 %.2f p99 %.2f ms, while reloading p50 %.2f p99 %.2f ms\n"):format(
      CONNECTIONS, load.sent, RELOADS, seconds, percentile(quiet, 0.5), percentile(quiet, 0.99),
      percentile(during, 0.5), percentile(during, 0.99)))
  end)
end)
