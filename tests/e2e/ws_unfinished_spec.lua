-- What little input may cost: compressed messages that are far larger than what came,
-- and messages that never end. Others get their turn, and memory has a bound.
local frame = require "support.frame"
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local handled, seen = 0, nil
gate.ws("/burst", { compress = true, message = function(ws, data)
  handled = handled + 1
  if handled == 1 then gate.spawn(function() gate.sleep(0) seen = handled end) end
  if data == "last" then ws:send((seen or handled) .. " " .. handled) end
end })

local held = 0
gate.ws("/held", { compress = true, message = function(_, data)
  if data == "wait" then gate.sleep(3600) end
  held = held + 1
end })
gate.get("/held", function() return tostring(held) end)

gate.ws("/size", { compress = true, message = function(ws, data) ws:send(tostring(#data)) end })

-- Reads nothing from when it was told until /release.
local released = false
gate.post("/release", function() released = true return 204 end)
gate.ws("/later", { heartbeat = 0, message = function(ws, data)
  if data == "wait" then
    ws:send "waiting"
    repeat gate.sleep(0.01) until released
  end
  if #data > 100000 then ws:send(tostring(#data)) end
end })
gate.get("/stats", function() return gate.stats() end)
]]

local RUNS = 3500  -- 903,001 bytes in 5,689

local function connect(server, path)
  return ws.connect(server, path, { headers = { ["Sec-WebSocket-Extensions"] = "permessage-deflate" } })
end

local function begin(client) client:send_frame { rsv = 4, fin = false, data = frame.deflate_runs(RUNS, true) } end

local function go_on(client) client:send_frame { opcode = frame.CONTINUATION, fin = false, data = "" } end

-- An empty block of fixed codes cannot follow in the middle of a byte, so the rest repeats the end.
local function finish(client)
  local whole, cut = frame.deflate_runs(RUNS), frame.deflate_runs(RUNS, true)
  client:send_frame { opcode = frame.CONTINUATION, data = whole:sub(#cut + 1) }
end

local function start(args)
  return tidegate.start { scripts = SCRIPT, args = args }
end

describe("a burst of messages that are small only on the wire", function()
  it("lets others have their turn in between", function()
    local server <close> = start()
    local client = connect(server, "/burst")
    local packet = {}
    for i = 1, 40 do packet[i] = frame.encode { rsv = 4, data = frame.deflate_runs(1000) } end
    client:send_raw(table.concat(packet) .. frame.encode { data = "last" })
    local seen, handled = client:receive():match "(%d+) (%d+)"
    assert.equal("41", handled)
    assert.is_true(tonumber(seen) < 20, seen .. " were handled before another task could run")
  end)

  it("does not pile up before a handler that waits", function()
    local server <close> = start()
    local client, others = connect(server, "/held"), server:memory()
    local packet = {}
    for i = 1, 60 do packet[i] = frame.encode { rsv = 4, data = frame.deflate_runs(400 * 10) } end
    client:send "wait"
    client:send_raw(table.concat(packet))
    loop.poll(function() return http.get(server, "/stats"):json().messages_in > 1 end, "the first of them")
    assert.equal("0", http.get(server, "/held").body)
    if not loop.is_sanitized then
      local grown = (server:memory() - others) / 2 ^ 20
      assert.is_true(grown < 20, ("%.0f MiB for 60 messages of 1 MiB"):format(grown))
    end
  end)
end)

describe("a message that is under way", function()
  it("ends its session with 1013 beyond message_memory, and those before it go on", function()
    local server <close> = start { "--message-memory", "4000000" }
    local clients, refused = {}, 0
    for i = 1, 10 do
      clients[i] = connect(server, "/size")
      begin(clients[i])
      clients[i]:send_frame { opcode = frame.PING }  -- a pong: the fragment has been seen
      loop.wait(function() return clients[i].pongs[1] or clients[i].close_code end, "pong or refusal")
    end
    for _, client in ipairs(clients) do
      if not client.close_code then finish(client) end
      loop.wait(function() return client.messages[1] or client.close_code end, "answer or refusal")
      if client.close_code then
        assert.equal(1013, client.close_code)
        refused = refused + 1
      else
        assert.equal(tostring(1 + 258 * RUNS), client:receive())
      end
    end
    assert.is_true(refused > 0 and refused < 10, refused .. " of 10 refused")
    local after = connect(server, "/size")
    begin(after)
    finish(after)
    assert.equal(tostring(1 + 258 * RUNS), after:receive())
  end)

  it("has to be complete within body_timeout, whatever else comes", function()
    local server <close> = start { "--body-timeout", "1" }
    local client = connect(server, "/size")
    begin(client)
    loop.poll(function()
      if not client.close_code then
        go_on(client)
        client:send_frame { opcode = frame.PING, data = "alive" }
      end
      return client.close_code
    end, "end of a message without one")
    assert.equal(1008, client.close_code)
    assert.equal(1, http.get(server, "/stats"):json().slow_requests)
  end)

  it("may follow others without an end", function()
    local server <close> = start { "--body-timeout", "1" }
    local client, started = connect(server, "/size"), loop.now()
    repeat  -- a message and the beginning of the next, again and again
      begin(client)
      finish(client)
      assert.equal(tostring(1 + 258 * RUNS), client:receive())
    until loop.now() - started > 2
    assert.equal("5", client:ask "hello")
  end)

  it("does not age while the script reads nothing", function()
    local server <close> = start { "--body-timeout", "1" }
    local client, probe = ws.connect(server, "/later"), connect(server, "/size")
    assert.equal("waiting", client:ask "wait")
    for _ = 1, 20 do client:send(("y"):rep(65536)) end
    local text = ("z"):rep(200000)
    local encoded = frame.encode { data = text }
    client:send_raw(encoded:sub(1, 100000))
    begin(probe)
    loop.wait(function() return probe.close_code end, "the time of the one beside it")
    assert.equal(204, http.post(server, "/release", "").status)
    client:send_raw(encoded:sub(100001))
    assert.equal("200000", client:receive())
  end)
end)
