-- Pings and pongs (RFC 6455 sections 5.5.2 and 5.5.3), and the heartbeat.
local frame = require "support.frame"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.ws("/echo", {
  message = function(ws, data)
    if data == "close" then ws:close(4000, "x") else ws:send(data) end
  end,
})
gate.ws("/ping", {
  message = function(ws, data)
    local ok, message, code = ws:ping(data)
    ws:send(ok and "sent" or message .. ": " .. code)
  end,
})
gate.ws("/beat", {
  heartbeat = 0.1,
  open = function() end,
  close = function(_, code) gate.log.info("beat closed: " .. code) end,
})
gate.ws("/quiet", { heartbeat = 0, message = function(ws, data) ws:send(data) end })
]]

describe("control frames", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  local function ping_frame(data) return frame.encode { opcode = frame.PING, data = data } end
  local function pong_frame(data) return frame.encode { opcode = frame.PONG, data = data } end

  local function wait_pongs(client, expected)
    loop.wait(function() return #client.pongs >= #expected or client.socket.is_ended end, "pongs")
    assert.same(expected, client.pongs)
  end

  it("of every size are answered in order, with their data (5.5.2, 5.5.3)", function()
    local client <close> = ws.connect(server, "/echo")
    local frames, expected = {}, {}
    for size = 0, 125 do
      expected[size + 1] = ("\0\xff\x80p"):rep(32):sub(1, size)
      frames[size + 1] = ping_frame(expected[size + 1])
    end
    client:send_raw(table.concat(frames))
    wait_pongs(client, expected)
  end)

  it("ten in a row get ten answers, in whatever pieces they come (5.5.2)", function()
    local client <close> = ws.connect(server, "/echo")
    local frames, expected = "", {}
    for i = 1, 10 do
      expected[i] = "ping " .. i
      frames = frames .. ping_frame(expected[i])
    end
    for _, piece in ipairs { 1, 7, 1000 } do
      client.pongs = {}
      client.socket:send_in_pieces(frames, piece)
      wait_pongs(client, expected)
    end
  end)

  it("are answered between the fragments of a message, at once (5.4, 5.5.2)", function()
    local client <close> = ws.connect(server, "/echo")
    client:send_frame { data = "one ", fin = false }
    assert.equal("in between", client:ping "in between")
    client:send_frame { opcode = frame.CONTINUATION, data = "mess", fin = false }
    assert.equal("", client:ping "")
    client:send_frame { opcode = frame.PONG, data = "unasked" }
    client:send_frame { opcode = frame.CONTINUATION, data = "age" }
    assert.equal("one message", client:receive())
  end)

  it("that are pongs nobody asked for get no answer (5.5.3)", function()
    local client <close> = ws.connect(server, "/echo")
    client:send_raw(pong_frame "" .. pong_frame "unasked" .. pong_frame(("p"):rep(125)))
    assert.equal("asked", client:ping "asked")
    assert.equal("still", client:ask "still")
    assert.equal(1, #client.pongs)
  end)

  it("do not disturb the order of messages (5.4)", function()
    local client <close> = ws.connect(server, "/echo")
    local frames, expected = {}, {}
    for i = 1, 100 do
      expected[i] = "p" .. i
      frames[i] = frame.encode { data = "m" .. i } .. ping_frame(expected[i])
    end
    client:send_raw(table.concat(frames))
    for i = 1, 100 do assert.equal("m" .. i, client:receive()) end
    wait_pongs(client, expected)
  end)

  it("are answered after our close frame, until the client's has come (5.5.2)", function()
    local client = ws.connect(server, "/echo", { auto_close = false })
    client:send "close"
    loop.wait(function() return client.close_code end, "close frame")
    assert.equal("are you there", client:ping "are you there")
    client:send_close(4000)
    client.socket:wait_end()
  end)

  it("are not answered after the client's close frame (5.5.2)", function()
    local client = ws.connect(server, "/echo")
    client.close_sent = true
    client:send_raw(frame.encode { opcode = frame.CLOSE, data = "\3\232" } .. ping_frame "too late")
    assert.equal(1000, (client:wait_close()))
    assert.same({}, client.pongs)
  end)

  it("may be pings of a script, of 125 bytes at most (5.5)", function()
    local client <close> = ws.connect(server, "/ping")
    for _, data in ipairs { "", "now", ("p"):rep(125) } do
      assert.equal("sent", client:ask(data))
      assert.equal(data, table.remove(client.pings))
    end
    assert.equal("a ping holds at most 125 bytes: invalid", client:ask(("p"):rep(126)))
  end)

  describe("of the heartbeat", function()
    it("end the session after two missed pongs", function()
      local client = ws.connect(server, "/beat", { auto_pong = false })
      client.socket:wait_end()
      assert.is_true(#client.pings >= 2, "pings before the end")
      server:wait_for_log "beat closed: 1006"
    end)

    it("leave it open while pongs come", function()
      local client <close> = ws.connect(server, "/beat")
      loop.wait(function() return #client.pings >= 6 end, "sixth ping")
      assert.is_false(client.socket.is_ended or false)
    end)

    it("leave it open while messages come", function()
      local client <close> = ws.connect(server, "/beat", { auto_pong = false })
      loop.wait(function()
        if #client.pings > client.received_count then
          client.received_count = #client.pings
          client:send "alive"
        end
        return #client.pings >= 6
      end, "sixth ping")
      assert.is_false(client.socket.is_ended or false)
    end)

    it("may be turned off", function()
      local quiet <close> = ws.connect(server, "/quiet")
      local beating <close> = ws.connect(server, "/beat")
      loop.wait(function() return #beating.pings >= 3 end, "third ping")
      assert.equal("still here", quiet:ask "still here")
      assert.equal(0, #quiet.pings)
    end)
  end)
end)
