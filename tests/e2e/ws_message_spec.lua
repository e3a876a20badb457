-- WebSocket messages (RFC 6455 sections 5.4, 5.6, 6 and 10.4): kinds, sizes,
-- fragments, and frames cut at any byte.
local frame = require "support.frame"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.ws("/echo", function(ws)
  for data, kind in ws:messages() do ws:send(data, kind) end
end)
gate.ws("/kinds", {
  message = function(ws, data, kind) ws:send(kind .. ":" .. #data) end,
})
gate.ws("/large", { max_message = 16 * 1024 * 1024, message = function(ws, data, kind) ws:send(data, kind) end })
gate.ws("/small", { max_message = 20 / 2, message = function(ws, data) ws:send(data) end })
gate.ws("/table", { open = function(ws) ws:send { list = { 1, 2 } } end, message = function() end })
gate.ws("/refused", {
  message = function(ws, data)
    local ok, message, code = ws:send("\xff\xfe")
    ws:send { ok = ok == nil, message = message, code = code }
    ws:send("\xff\xfe", "binary")
  end,
})
gate.ws("/flood", {
  message = function(ws)
    local chunk = ("x"):rep(65536)
    local sent = 0
    while true do
      local ok, message, code = ws:send(chunk, "binary")
      if not ok then
        gate.log.info(("flood ended after %d: %s %s, %s bytes wait"):format(sent, code, message, ws:buffered() > 0))
        return
      end
      sent = sent + 1
      if sent > 100000 then error "the queue has no bound" end
    end
  end,
  drain = function(ws) ws:send "drained" end,
})
]]

describe("WebSocket messages", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  it("keep their kind and bytes, in every form of length (5.2, 5.6, 6.1)", function()
    local client <close> = ws.connect(server, "/echo")
    for _, size in ipairs { 0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 1048576 } do
      local text = ("ü"):rep(size // 2) .. ("x"):rep(size % 2)
      client:send(text)
      local data, kind = client:receive()
      assert.equal("text", kind)
      assert.is_true(data == text, "text of " .. size)
      local binary = ("\0\xff\x80"):rep(size // 3 + 1):sub(1, size)
      client:send_binary(binary)
      data, kind = client:receive()
      assert.equal("binary", kind)
      assert.is_true(data == binary, "binary of " .. size)
    end
  end)

  it("name their kind to a callback", function()
    local client <close> = ws.connect(server, "/kinds")
    assert.equal("text:2", client:ask "ab")
    client:send_binary "abc"
    assert.equal("binary:3", client:receive())
  end)

  it("of a table are JSON", function()
    local client <close> = ws.connect(server, "/table")
    assert.equal('{"list":[1,2]}', client:receive())
  end)

  it("sent in one packet arrive one by one and in order", function()
    local client <close> = ws.connect(server, "/echo")
    local frames = {}
    for i = 1, 500 do frames[i] = frame.encode { data = "n" .. i } end
    client:send_raw(table.concat(frames))
    for i = 1, 500 do assert.equal("n" .. i, client:receive()) end
  end)

  it("may be cut at any byte (6.2)", function()
    local client <close> = ws.connect(server, "/echo")
    local bytes = frame.encode { data = "hé" } .. frame.encode { data = ("y"):rep(200) }
    for cut = 1, #bytes - 1 do
      client.socket:send_in_pieces(bytes, cut)
      assert.equal("hé", client:receive())
      assert.equal(("y"):rep(200), client:receive())
    end
  end)

  for _, piece in ipairs { 64, 256, 1024, 1500 } do
    it(("may come in pieces of %d bytes (6.2)"):format(piece), function()
      local client <close> = ws.connect(server, "/echo")
      for _, size in ipairs { 1, 126, 4096, 65536, 131072 } do
        local text = ("Grüße "):rep(size // 8 + 1):sub(1, size // 8 * 8) .. "."
        client.socket:send_in_pieces(frame.encode { data = text }, piece)
        assert.is_true(client:receive() == text, "text of " .. #text)
      end
    end)

    it(("may come in fragments of %d bytes (5.4)"):format(piece), function()
      local client <close> = ws.connect(server, "/echo")
      local data = ("\0\xff\x80\x7f"):rep(32768)
      local frames = {}
      for at = 1, #data, piece do
        frames[#frames + 1] = frame.encode {
          opcode = at == 1 and frame.BINARY or frame.CONTINUATION,
          data = data:sub(at, at + piece - 1), fin = at + piece > #data,
        }
      end
      client:send_raw(table.concat(frames))
      local echo, kind = client:receive()
      assert.equal("binary", kind)
      assert.is_true(echo == data)
    end)
  end

  it("may be as large as the route lets them (10.4)", function()
    local client <close> = ws.connect(server, "/large")
    for _, size in ipairs { 1 << 20, 1 << 22, 1 << 24 } do
      local data = ("x"):rep(size)
      client:send_cheaply(data)
      assert.is_true(client:receive(loop.deadline * 4) == data, "of " .. size)
    end
    client:send_raw(frame.encode({ data = "", length = (1 << 24) + 1 }))
    assert.equal(1009, (client:wait_close()))
  end)

  it("may come in fragments, also empty ones and within a character (5.4, 5.6)", function()
    local client <close> = ws.connect(server, "/echo")
    local bytes = "grün€\xf0\x9f\x98\x80"
    client:send_frame { data = "", fin = false }
    for i = 1, #bytes do
      client:send_frame { opcode = frame.CONTINUATION, data = bytes:sub(i, i), fin = false }
    end
    client:send_frame { opcode = frame.CONTINUATION, data = "" }
    assert.equal(bytes, client:receive())
    client:send_frame { opcode = frame.BINARY, data = "\1", fin = false }
    client:send_frame { opcode = frame.CONTINUATION, data = "\2" }
    local data, kind = client:receive()
    assert.same({ "\1\2", "binary" }, { data, kind })
  end)

  it("up to the limit pass, beyond it the session ends with 1009 (10.4)", function()
    local client = ws.connect(server, "/small")
    assert.equal("0123456789", client:ask "0123456789")
    client:send "0123456789a"
    assert.equal(1009, (client:wait_close()))
  end)

  it("beyond the limit are refused at the header, and in fragments (10.4)", function()
    local announced = ws.connect(server, "/small")
    announced:send_raw(frame.encode({ data = "x", length = 1 << 40 }):sub(1, 14))
    assert.equal(1009, (announced:wait_close()))
    local fragmented = ws.connect(server, "/small")
    fragmented:send_frame { data = "012345", fin = false }
    fragmented:send_frame { opcode = frame.CONTINUATION, data = "678901", fin = false }
    assert.equal(1009, (fragmented:wait_close()))
  end)

  it("are a mebibyte at most by default", function()
    local client = ws.connect(server, "/kinds")
    client:send_binary(("x"):rep(1048576))
    assert.equal("binary:1048576", client:receive())
    client:send_binary(("x"):rep(1048577))
    assert.equal(1009, (client:wait_close()))
  end)

  it("that are not UTF-8 cannot be sent as text by a script (5.6)", function()
    local client <close> = ws.connect(server, "/refused")
    local told = require("cjson").decode((client:ask "go"))
    assert.same({ true, "utf8" }, { told.ok, told.code })
    local data, kind = client:receive()
    assert.same({ "\xff\xfe", "binary" }, { data, kind })
  end)

  it("to a client that does not read meet a bound, and the script hears when it is over", function()
    local client <close> = ws.connect(server, "/flood")
    local mark = server:mark()
    client.socket:pause()
    client:send "go"
    local count = tonumber((server:wait_for_log("flood ended after (%d+): full .*, true bytes wait", mark)))
    assert.is_true(count >= 15, "less than the send queue holds")
    client.socket:resume()
    for _ = 1, count do assert.equal(65536, #(client:receive())) end
    assert.equal("drained", client:receive())
  end)
end)
