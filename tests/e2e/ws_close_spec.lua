-- The end of a WebSocket session (RFC 6455 sections 5.5.1, 7, 8.1 and 10.7): the
-- close handshake from both sides, and what is failed. Each rule of a frame alone is a
-- row of the unit tests.
local frame = require "support.frame"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local function tell(ws, code, reason)
  assert(ws:send "too late" == nil)
  gate.log.info(("closed %s: %s %q"):format(ws.data.name or "?", tostring(code), tostring(reason)))
end
gate.ws("/told/{name}", {
  upgrade = function(req) return { name = req.params.name } end,
  message = function(ws, data)
    local code, reason = data:match "^close (%d+) (.*)$"
    if code then
      ws:close(tonumber(code), reason)
      local ok, _, err = ws:send "too late"
      gate.log.info("after close: " .. tostring(ok) .. " " .. tostring(err))
    elseif data:find "^try" then
      local try, why = data:match "^try (%d+) (.*)$"
      if why == "bytes" then why = "\xff" end
      local _, message, err = ws:close(tonumber(try), why)
      ws:send(message .. ": " .. err)
    elseif data == "close" then ws:close()
    else ws:send(data) end
  end,
  close = tell,
})
gate.ws("/task", function(ws) ws:send(ws:recv()) end)
gate.ws("/task-told", function(ws)
  while true do
    local data, why = ws:recv()
    if not data then gate.log.info("recv ended: " .. tostring(why)) return end
  end
end)
]]

describe("the end of a WebSocket session", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  local serial = 0
  local function connect(options)
    serial = serial + 1
    local client = ws.connect(server, "/told/" .. serial, options)
    client.name = tostring(serial)
    return client
  end

  local function wait_told(client, code, reason)
    local told, why = server:wait_for_log(("closed %s: (%%d+) (%%b\"\")"):format(client.name))
    assert.equal(tostring(code), told)
    if reason then assert.equal(("%q"):format(reason), why) end
  end

  local function close_frame(payload) return frame.encode { opcode = frame.CLOSE, data = payload } end

  describe("by the client", function()
    for _, code in ipairs { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
      4999 } do
      it(("with %d is answered with the same code and told to the script (5.5.1, 7.4)"):format(code), function()
        local client = connect()
        assert.equal(code, (client:close(code, "ü")))
        wait_told(client, code, "ü")
      end)
    end

    it("with the longest reason (5.5.1)", function()
      local client = connect()
      assert.equal(1000, (client:close(1000, ("r"):rep(123))))
      wait_told(client, 1000, ("r"):rep(123))
    end)

    it("without a code is answered without one and is 1005 (7.1.5)", function()
      local client = connect()
      client:send_close()
      assert.equal(1005, (client:wait_close()))
      wait_told(client, 1005)
    end)

    it("comes after the answers to messages sent before it", function()
      local client = connect()
      client:send_raw(frame.encode { data = "last words" } .. close_frame "\3\232")
      client.close_sent = true
      assert.equal("last words", client:receive())
      assert.equal(1000, (client:wait_close()))
    end)

    it("by leaving is 1006 (7.1.5)", function()
      local client = connect()
      client:drop()
      wait_told(client, 1006)
      local broken = connect()
      broken.socket:reset()
      wait_told(broken, 1006)
    end)

    it("ends a waiting recv", function()
      local mark = server:mark()
      ws.connect(server, "/task-told"):close(1000)
      server:wait_for_log("recv ended: closed", mark)
    end)

    it("what comes after its close frame is ignored, however much, and broken or not (7.1.1)", function()
      for _, rest in ipairs { frame.encode { data = "more" }, close_frame "\3\233", ("\xff"):rep(1000000) } do
        local client = connect()
        client.close_sent = true
        client:send_raw(close_frame "\3\232" .. rest)
        assert.equal(1000, (client:wait_close()))
        assert.is_nil(client.socket.failure)
        wait_told(client, 1000)
      end
    end)

    it("in the packet of its handshake is answered (4.2.2, 5.5.1)", function()
      local client = ws.connect(server, "/told/early", { early = close_frame "\3\232" })
      client.close_sent = true
      assert.equal(1000, (client:wait_close()))
    end)

    it("comes through byte by byte, and with a mask of its own (5.5.1)", function()
      local client = connect()
      client.close_sent = true
      client.socket:send_in_pieces(frame.encode { opcode = frame.CLOSE, data = "\3\232why", mask = "\1\2\3\4" }, 1)
      assert.equal(1000, (client:wait_close()))
      wait_told(client, 1000, "why")
    end)
  end)

  describe("by a client that ends its side of the connection", function()
    it("gets the answers to what it sent before (7.1.1)", function()
      local client = connect()
      client:send "last words"
      client.socket:shutdown()
      assert.equal("last words", client:receive())
      client.socket:wait_end()
      wait_told(client, 1006)
    end)

    it("behind its close frame gets the answer to that (5.5.1)", function()
      local client = connect()
      client:send_close(1000)
      client.socket:shutdown()
      assert.equal(1000, (client:wait_close()))
      wait_told(client, 1000)
    end)

    it("within a frame gets no answer (7.1.5)", function()
      local client = connect()
      client:send_raw(frame.encode({ data = "cut off" }):sub(1, 8))
      client.socket:shutdown()
      client.socket:wait_end()
      assert.is_nil(client.close_code)
      wait_told(client, 1006)
    end)
  end)

  describe("by the script", function()
    it("sends its code and reason, and nothing of the script behind it (5.5.1, 6.1)", function()
      local client = connect()
      client:send "close 4000 enough ü"
      local code, reason = client:wait_close()
      assert.same({ 4000, "enough ü" }, { code, reason })
      wait_told(client, 4000)
      server:wait_for_log "after close: nil closed"
    end)

    it("without a code", function()
      local client = connect()
      client:send "close"
      local code = client:wait_close()
      assert.is_true(code == 1000 or code == 1005)
    end)

    it("at the end of a task", function()
      local client = ws.connect(server, "/task")
      assert.equal("one", client:ask "one")
      local code = client:wait_close()
      assert.is_true(code == 1000 or code == 1005)
    end)

    it("does not wait for ever for a client that does not answer", function()
      local client = connect { auto_close = false }
      client:send "close 4000 x"
      loop.wait(function() return client.socket.is_ended end, "end")
      assert.equal(4000, client.close_code)
      wait_told(client, 4000, "")
    end)

    it("is told as its own code when the client leaves without an answer", function()
      for _, leave in ipairs { "close", "reset" } do
        local client = connect { auto_close = false }
        client:send "close 4003 x"
        loop.wait(function() return client.close_code end, "close frame")
        client.socket[leave](client.socket)
        wait_told(client, 4003, "")
      end
    end)

    it("ignores messages until the client answers (1.4)", function()
      local client = connect { auto_close = false }
      client:send "close 4000 x"
      loop.wait(function() return client.close_code end, "close frame")
      client:send "ignored"
      client:send_close(4000)
      client.socket:wait_end()
      wait_told(client, 4000)
    end)

    it("at the same time as by the client ends at once, and the script gets its code (5.5.1, 7.1.5)", function()
      local client = connect()
      client.close_sent = true
      client:send_raw(frame.encode { data = "close 4000 ours" } .. close_frame "\3\233theirs")
      local code, reason = client:wait_close()
      assert.same({ 4000, "ours" }, { code, reason })
      wait_told(client, 1001, "theirs")
    end)

    it("is failed by what breaks a rule before the client answers (7.1.7)", function()
      local client = connect { auto_close = false }
      client:send "close 4000 x"
      loop.wait(function() return client.close_code end, "close frame")
      client:send_frame { data = "x", rsv = 1 }
      client.socket:wait_end()
      wait_told(client, 1002)
    end)

    it("may have only a code that may be sent, and a reason of 123 bytes of UTF-8 (5.5.1, 7.4)", function()
      local client <close> = connect()
      for _, code in ipairs { 0, 999, 1004, 1005, 1006, 1010, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
        1 << 32 | 1000 } do
        assert.equal("a close code must be one that a server may send: invalid", client:ask("try " .. code .. " x"))
      end
      for _, reason in ipairs { ("x"):rep(124), "bytes" } do
        assert.equal("a reason is UTF-8 of at most 123 bytes: invalid", client:ask("try 1000 " .. reason))
      end
    end)
  end)

  local function code_frame(code) return { opcode = frame.CLOSE, data = string.pack(">I2", code) .. "why" } end

  -- section, what breaks it, the frame, the code
  local BROKEN = {
    { "5.1", "an unmasked frame", { data = "x", mask = false }, 1002 },
    { "5.2", "reserved bit 1", { data = "x", rsv = 4 }, 1002 },
    { "5.2", "reserved bit 2", { data = "x", rsv = 2 }, 1002 },
    { "5.2", "reserved bit 3", { data = "x", rsv = 1 }, 1002 },
    { "5.2", "a length not in its shortest form", { data = "x", length_form = 16 }, 1002 },
    { "5.2", "a length of 64 bits that fits 16", { data = "x", length_form = 64 }, 1002 },
    { "5.2", "a length with its highest bit set", { data = "x", length = math.mininteger, length_form = 64 }, 1002 },
    { "5.4", "a continuation of nothing", { opcode = frame.CONTINUATION, data = "x" }, 1002 },
    { "5.5", "a ping of 126 bytes", { opcode = frame.PING, data = ("x"):rep(126) }, 1002 },
    { "5.5", "a ping in fragments", { opcode = frame.PING, data = "x", fin = false }, 1002 },
    { "5.5.1", "a close frame of one byte", { opcode = frame.CLOSE, data = "x" }, 1002 },
    { "5.5.1", "a close reason of 124 bytes", { opcode = frame.CLOSE, data = "\3\232" .. ("x"):rep(124) }, 1002 },
    { "8.1", "a close reason that is not UTF-8", { opcode = frame.CLOSE, data = "\3\232\xff" }, 1007 },
    { "8.1", "text that is not UTF-8", { data = "ok\xff" }, 1007 },
    { "8.1", "text with a surrogate", { data = "\xed\xa0\x80" }, 1007 },
    { "8.1", "text in overlong form", { data = "\xc0\xaf" }, 1007 },
    { "8.1", "text above U+10FFFF", { data = "\xf4\x90\x80\x80" }, 1007 },
    { "8.1", "text that ends within a character", { data = "\xe2\x82" }, 1007 },
  }
  for _, opcode in ipairs { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 } do
    BROKEN[#BROKEN + 1] = { "5.2", "opcode " .. opcode, { opcode = opcode, data = "x" }, 1002 }
  end
  for _, code in ipairs { 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 } do
    BROKEN[#BROKEN + 1] = { "7.4", "close code " .. code, code_frame(code), 1002 }
  end
  for _, case in ipairs(BROKEN) do
    local section, name, fields, expected = table.unpack(case)
    it(("by %s is %d, logged, and the end of what is read (%s, 7.1.7)"):format(name, expected, section), function()
      local client = connect()
      local mark = server:mark()
      client:send_raw(frame.encode(fields) .. frame.encode { data = "close 4000 not read" })
      local code, reason = client:wait_close()
      assert.equal(expected, code)
      assert.is_true(#reason > 0, "a reason for the developer")
      wait_told(client, expected, reason)
      assert.equal(reason, (server:wait_for_log(("WebSocket %%d+ failed, %d: (.+)$"):format(expected), mark)))
    end)
  end

  it("by a new message within another is 1002 (5.4)", function()
    local client = connect()
    client:send_frame { data = "one", fin = false }
    client:send_frame { data = "two" }
    assert.equal(1002, (client:wait_close()))
  end)

  it("comes at the first byte that cannot be UTF-8, not at the end of message or frame (8.1, 10.7)", function()
    local client = connect()
    client:send_frame { data = "good \xce", fin = false }
    client:send_raw(frame.encode({ opcode = frame.CONTINUATION, data = "\xff" .. ("x"):rep(1000) }):sub(1, 20))
    assert.equal(1007, (client:wait_close()))
    local single = connect()
    single:send_raw(frame.encode({ data = "good \xce\xff" .. ("x"):rep(1000) }):sub(1, 20))
    assert.equal(1007, (single:wait_close()))
  end)

  it("with 1002 does not concern the next session", function()
    local client <close> = connect()
    assert.equal("fine", client:ask "fine")
  end)
end)
