-- The end of a WebSocket session: the close handshake from both sides, frames
-- that break a rule, text that is not UTF-8, and the heartbeat.
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
gate.ws("/beat", { heartbeat = 0.1, open = function(ws) ws.data.name = "beat" end, close = tell })
gate.ws("/quiet", { heartbeat = 0, message = function(ws, data) ws:send(data) end })
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

  describe("by the client", function()
    for _, case in ipairs { { 1000, "bye" }, { 1001, "" }, { 3000, "ü" }, { 4999, ("r"):rep(123) } } do
      it(("with %d is answered with the same code and told to the script"):format(case[1]), function()
        local client = connect()
        assert.equal(case[1], (client:close(case[1], case[2])))
        wait_told(client, case[1], case[2])
      end)
    end

    it("without a code is answered without one and is 1005", function()
      local client = connect()
      client:send_close()
      assert.equal(1005, (client:wait_close()))
      wait_told(client, 1005)
    end)

    it("comes after the answers to messages sent before it", function()
      local client = connect()
      client:send_raw(frame.encode { data = "last words" } .. frame.encode { opcode = frame.CLOSE, data = "\3\232" })
      client.close_sent = true
      assert.equal("last words", client:receive())
      assert.equal(1000, (client:wait_close()))
    end)

    it("by leaving is 1006", function()
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

    it("what comes after its close frame is ignored", function()
      local client = connect()
      client.close_sent = true
      client:send_raw(frame.encode { opcode = frame.CLOSE, data = "\3\232" } .. frame.encode { data = "more" })
      assert.equal(1000, (client:wait_close()))
    end)
  end)

  describe("by the script", function()
    it("sends its code and reason, and the script is told", function()
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

    it("lets control frames pass until the client answers", function()
      local client = connect { auto_close = false }
      client:send "close 4000 x"
      loop.wait(function() return client.close_code end, "close frame")
      client:send "ignored"
      client:send_close(4000)
      client.socket:wait_end()
      wait_told(client, 4000)
    end)
  end)

  -- What each broken rule of RFC 6455 gets.
  local BROKEN = {
    ["an unmasked frame"] = { { data = "x", mask = false }, 1002 },
    ["a reserved bit"] = { { data = "x", rsv = 4 }, 1002 },
    ["an unknown opcode"] = { { opcode = 3, data = "x" }, 1002 },
    ["an unknown control opcode"] = { { opcode = 11, data = "x" }, 1002 },
    ["a long ping"] = { { opcode = frame.PING, data = ("x"):rep(126) }, 1002 },
    ["a ping in fragments"] = { { opcode = frame.PING, data = "x", fin = false }, 1002 },
    ["a continuation of nothing"] = { { opcode = frame.CONTINUATION, data = "x" }, 1002 },
    ["a length not in its shortest form"] = { { data = "x", length_form = 16 }, 1002 },
    ["a length of 64 bits that fits 16"] = { { data = "x", length_form = 64 }, 1002 },
    ["a close frame of one byte"] = { { opcode = frame.CLOSE, data = "x" }, 1002 },
    ["a close code that is reserved"] = { { opcode = frame.CLOSE, data = "\3\237" }, 1002 },
    ["a close code below 1000"] = { { opcode = frame.CLOSE, data = "\3\231" }, 1002 },
    ["a close code above 4999"] = { { opcode = frame.CLOSE, data = "\x13\x88" }, 1002 },
    ["a close reason that is not UTF-8"] = { { opcode = frame.CLOSE, data = "\3\232\xff" }, 1007 },
    ["text that is not UTF-8"] = { { data = "ok\xff" }, 1007 },
    ["text with a surrogate"] = { { data = "\xed\xa0\x80" }, 1007 },
    ["text in overlong form"] = { { data = "\xc0\xaf" }, 1007 },
    ["text above U+10FFFF"] = { { data = "\xf4\x90\x80\x80" }, 1007 },
    ["text that ends within a character"] = { { data = "\xe2\x82" }, 1007 },
  }
  for name, case in pairs(BROKEN) do
    it(("by %s is %d"):format(name, case[2]), function()
      local client = connect()
      client:send_frame(case[1])
      local code, reason = client:wait_close()
      assert.equal(case[2], code)
      assert.is_true(#reason > 0, "a reason for the developer")
      wait_told(client, case[2])
    end)
  end

  it("by a new message within another is 1002", function()
    local client = connect()
    client:send_frame { data = "one", fin = false }
    client:send_frame { data = "two" }
    assert.equal(1002, (client:wait_close()))
  end)

  it("comes at the first byte that cannot be UTF-8, not at the message's end", function()
    local client = connect()
    client:send_frame { data = "good \xce", fin = false }
    client:send_raw(frame.encode({ opcode = frame.CONTINUATION, data = "\xff" .. ("x"):rep(1000) }):sub(1, 20))
    assert.equal(1007, (client:wait_close()))
  end)

  it("with 1002 does not concern the next session", function()
    local client <close> = connect()
    assert.equal("fine", client:ask "fine")
  end)

  describe("by heartbeat", function()
    it("comes after two missed pongs", function()
      local client = ws.connect(server, "/beat", { auto_pong = false })
      client.socket:wait_end()
      assert.is_true(#client.pings >= 2, "pings before the end")
      server:wait_for_log "closed beat: 1006"
    end)

    it("does not come while pongs do", function()
      local client <close> = ws.connect(server, "/beat")
      loop.wait(function() return #client.pings >= 6 end, "sixth ping")
      assert.is_false(client.socket.is_ended or false)
    end)

    it("does not come while messages do", function()
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
