-- permessage-deflate (RFC 7692): who gets it, messages both ways, topics that are
-- compressed once for all, contexts and the bound of their memory.
local frame = require "support.frame"
local http = require "support.http"
local loop = require "support.loop"
local spread = require "support.spread"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local id = gate.id()

local function echo(ws, data, kind) ws:send(data, kind) end
gate.ws("/off", { message = echo })
gate.ws("/false", { compress = false, message = echo })
gate.ws("/echo", { compress = true, message = echo })
gate.ws("/table", { compress = {}, message = echo })
gate.ws("/context", { compress = { context_takeover = true }, message = echo })
gate.ws("/small", { compress = true, max_message = 1000, message = echo })

local function join(ws)
  ws:join("news", { since = ws.query.since })
  ws:send(id)
end
gate.topic("news", { history = 100, bytes = 10000000 })
for name, compress in pairs { plain = false, deflated = true, context = { context_takeover = true } } do
  gate.ws("/news/" .. name, { compress = compress, open = join, message = echo })
end
gate.ws("/news/envelope", { compress = true, envelope = true, open = join, message = echo })
gate.sse("/news/stream", function(stream) stream:join "news" stream:send(id) end)
gate.post("/news", function(req) gate.publish("news", req:body(), { kind = req.query.kind }) return "ok" end)
gate.get("/encoded", function() return tostring(gate.stats().encoded) end)
]]

local OFFER = "permessage-deflate"
local TEXT = ("the tide comes in, the tide goes out; "):rep(20)

-- Text that hardly gets smaller than half.
local function noise(seed, length)
  local random, out = seed, {}
  for i = 1, length do
    random = (random * 1103515245 + 12345) & 0x7fffffff
    out[i] = ("%x"):format(random >> 16 & 15)
  end
  return table.concat(out)
end

local function offering(offer, options)
  options = options or {}
  options.headers = { ["Sec-WebSocket-Extensions"] = offer }
  return options
end

local function answer_to(server, path, offer)
  local client <close> = ws.connect(server, path, offering(offer))
  return client.response.headers["sec-websocket-extensions"]
end

describe("permessage-deflate", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT, workers = 2 } end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  local NO_CONTEXT = OFFER .. "; server_no_context_takeover; client_no_context_takeover"

  describe("is agreed on (7.1)", function()
    it("where the route wants it and the client offers it", function()
      assert.is_nil(answer_to(server, "/off", OFFER))
      assert.is_nil(answer_to(server, "/false", OFFER))
      assert.equal(NO_CONTEXT, answer_to(server, "/echo", OFFER))
      assert.equal(NO_CONTEXT, answer_to(server, "/table", OFFER))
      assert.equal(OFFER, answer_to(server, "/context", OFFER))
      assert.is_nil(answer_to(server, "/echo", nil))
      assert.is_nil(answer_to(server, "/echo", "permessage-bzip2"))
    end)

    it("with the parameters that the client asks for", function()
      assert.equal(NO_CONTEXT .. "; server_max_window_bits=10",
        answer_to(server, "/echo", OFFER .. "; server_max_window_bits=10; client_max_window_bits"))
      assert.equal(OFFER .. "; server_max_window_bits=10; client_max_window_bits=12",
        answer_to(server, "/context", OFFER .. "; server_max_window_bits=10; client_max_window_bits"))
    end)

    it("by the first good offer, over several header lines", function()
      local client <close> = ws.connect(server, "/echo", { headers = {
        ["Sec-WebSocket-Extensions"] = "foo, permessage-deflate; bar",
        ["sec-websocket-extensions"] = "permessage-deflate; server_max_window_bits=9",
      } })
      assert.equal(NO_CONTEXT .. "; server_max_window_bits=9", client.response.headers["sec-websocket-extensions"])
    end)

    it("or not at all: a handshake with a malformed header fails (RFC 6455 9.1)", function()
      for _, path in ipairs { "/echo", "/off" } do
        assert.equal(400, ws.refused(server, path, offering(OFFER .. ";")).status)
      end
    end)
  end)

  describe("of messages to a client", function()
    it("compresses those of 64 bytes and more that get smaller", function()
      for _, path in ipairs { "/echo", "/context" } do
        local client <close> = ws.connect(server, path, offering(OFFER))
        for _, case in ipairs { { TEXT, true }, { ("x"):rep(64), true }, { ("x"):rep(63), false }, { "", false } } do
          assert.equal(case[1], client:ask(case[1]))
          assert.equal(case[2], client.was_compressed)
        end
        local bytes = {}
        for i = 0, 255 do bytes[i + 1] = string.char(i * 167 & 255) end
        client:send_binary(table.concat(bytes))
        assert.equal(table.concat(bytes), (client:receive()))
        assert.is_false(client.was_compressed)
      end
    end)

    it("leaves alone clients that did not offer it", function()
      local client <close> = ws.connect(server, "/echo")
      assert.equal(TEXT, client:ask(TEXT))
      assert.is_false(client.was_compressed)
    end)

    it("refers no further back than their window", function()
      for bits = 8, 15 do
        for _, path in ipairs { "/echo", "/context" } do
          local client <close> = ws.connect(server, path, offering(OFFER .. "; server_max_window_bits=" .. bits))
          for _, length in ipairs { 250, 2000, 20000 } do
            local text = noise(bits, length // 2)
            assert.equal(text .. text, client:ask(text .. text))
          end
        end
      end
    end)
  end)

  describe("of messages from a client", function()
    it("takes them compressed and not, whole, cut and in fragments", function()
      local client <close> = ws.connect(server, "/echo", offering(OFFER))
      client:send_deflated "hello"
      assert.equal("hello", client:receive())
      assert.equal("plain", client:ask "plain")
      local payload = frame.deflate "hellö"
      for cut = 1, #payload - 1 do
        client:send_frame { rsv = 4, fin = false, data = payload:sub(1, cut) }
        assert.equal("between", client:ping "between")
        client:send_frame { opcode = frame.CONTINUATION, data = payload:sub(cut + 1) }
        assert.equal("hellö", client:receive())
        client.socket:send_in_pieces(frame.encode { rsv = 4, data = payload }, cut)
        assert.equal("hellö", client:receive())
      end
      client:send_frame { rsv = 4, data = "\0" }
      assert.equal("", client:receive())
    end)

    it("takes them from many clients at once, each in pieces", function()
      local clients, payload = {}, frame.deflate(TEXT)
      for i = 1, 10 do clients[i] = ws.connect(server, "/echo", offering(OFFER)) end
      for at = 1, #payload, 100 do
        for _, client in ipairs(clients) do
          client:send_frame {
            opcode = at == 1 and frame.TEXT or frame.CONTINUATION, rsv = at == 1 and 4 or 0,
            data = payload:sub(at, at + 99), fin = at + 99 >= #payload,
          }
        end
      end
      for _, client in ipairs(clients) do assert.equal(TEXT, client:receive()) end
    end)

    local failures = {
      ["RSV1 that was not agreed on"] = { "/off", { rsv = 4, data = "\0" }, 1002 },
      ["RSV1 on a control frame (6.1)"] = { "/echo", { rsv = 4, opcode = frame.PING }, 1002 },
      ["data that are no DEFLATE"] = { "/echo", { rsv = 4, data = "hello" }, 1007 },
      ["data that are cut off"] = { "/echo", { rsv = 4, data = frame.deflate("hello"):sub(1, -3) }, 1007 },
      ["text that is not UTF-8"] = { "/echo", { rsv = 4, data = frame.deflate "\xff" }, 1007 },
      ["text that is not UTF-8 in an open fragment"] =
        { "/echo", { rsv = 4, fin = false, data = frame.deflate "\xff" }, 1007 },
      ["more than max_message"] = { "/small", { rsv = 4, data = frame.deflate(("x"):rep(1001)) }, 1009 },
      ["more than max_message in an open fragment"] =
        { "/small", { rsv = 4, fin = false, data = frame.deflate(("x"):rep(1001)) }, 1009 },
    }
    for name, case in pairs(failures) do
      it("ends the session for " .. name, function()
        local client = ws.connect(server, case[1], offering(OFFER))
        client:send_frame(case[2])
        assert.equal(case[3], (client:wait_close()))
      end)
    end

    it("ends the session for RSV1 on a continuation (6.1)", function()
      local client = ws.connect(server, "/echo", offering(OFFER))
      client:send_frame { rsv = 4, fin = false, data = "" }
      client:send_frame { rsv = 4, opcode = frame.CONTINUATION, data = "\0" }
      assert.equal(1002, (client:wait_close()))
    end)

    it("stops bombs at max_message", function()
      local bomb = frame.deflate_runs(200000, true)
      local before = server:memory()
      for _ = 1, 5 do
        local client = ws.connect(server, "/echo", offering(OFFER))
        client:send_frame { rsv = 4, data = bomb }
        assert.equal(1009, (client:wait_close()))
      end
      assert.is_true(server:memory() - before < 40 * 1024 * 1024, "50 megabytes each would show")
    end)
  end)

  -- ---- topics ----------------------------------------------------------------

  local function publish(text, kind)
    local connection <close> = http.connect(server)
    local path = kind and "/news?kind=" .. kind or "/news"
    assert.equal(200, connection:request("POST", path, { body = text }).status)
  end

  local function encoded()
    local connection <close> = http.connect(server)
    return tonumber(connection:request("GET", "/encoded").body)
  end

  -- A follower of `news` on each worker.
  local function follow(path, offer)
    return spread.connect(2, function()
      local client = ws.connect(server, path, offering(offer))
      return client, client:receive()
    end)
  end

  describe("of topic messages", function()
    it("reaches who agreed to it; the others get the same as it is", function()
      local all = {
        { follow("/news/plain", OFFER), false }, { follow("/news/deflated"), false },
        { follow("/news/deflated", OFFER), true }, { follow("/news/context", OFFER), true },
        { follow("/news/deflated", OFFER .. "; server_max_window_bits=12"), true },
        { follow("/news/deflated", OFFER .. "; server_max_window_bits=11"), false },
      }
      for _, text in ipairs { TEXT, noise(1, 30000), ("ab"):rep(3000) } do
        publish(text)
        for i, row in ipairs(all) do
          for _, client in ipairs(row[1]) do
            assert.equal(text, (client:receive()))
            assert.equal(row[2], client.was_compressed, "row " .. i)
          end
        end
      end
      publish("short")
      publish(("\xff"):rep(100), "binary")
      for _, row in ipairs(all) do
        for _, client in ipairs(row[1]) do
          assert.same({ "short", "text" }, { client:receive() })
          assert.is_false(client.was_compressed)
          assert.same({ ("\xff"):rep(100), "binary" }, { client:receive() })
          assert.equal(row[2], client.was_compressed)
        end
      end
    end)

    it("is done once for all workers and subscribers", function()
      for _ = 1, 5 do follow("/news/deflated", OFFER) end
      local last = follow("/news/context", OFFER)
      local before = encoded()
      publish(TEXT)
      for _, client in ipairs(last) do assert.equal(TEXT, (client:receive())) end
      assert.equal(before + 1, encoded())
    end)

    it("holds for envelopes, and for what is replayed", function()
      publish(TEXT)
      local client <close> = ws.connect(server, "/news/envelope?since=last", offering(OFFER))
      local live = client:receive()
      if live:sub(1, 1) ~= "{" then live = client:receive() end
      assert.truthy(live:find(TEXT, 1, true))
      assert.is_true(client.was_compressed)
      local stream <close> = sse.connect(server, "/news/stream")
      stream:receive()
      publish(TEXT)
      assert.truthy(client:receive():find(TEXT, 1, true))
      assert.equal(TEXT, stream:receive().data)
    end)

    -- Noise with a little text: compressed it is stored blocks, which take as much of a socket.
    local function bulk(seed)
      local random, out = seed, {}
      for i = 1, 15000 do
        random = (random * 1103515245 + 12345) & 0x7fffffff
        out[i] = string.pack("<I4", random << 1)
      end
      return table.concat(out) .. TEXT
    end

    it("goes on where a full socket cut a message", function()
      local slow = ws.connect(server, "/news/deflated", offering(OFFER, { receive_buffer = 4096 }))
      local fast = ws.connect(server, "/news/plain")
      slow:receive()
      fast:receive()
      slow.socket:pause()
      local sent = {}
      for i = 1, 80 do  -- more than sockets hold
        sent[i] = bulk(i)
        publish(sent[i], "binary")
        assert.is_true(fast:receive() == sent[i])
      end
      slow.socket:resume()
      for i = 1, #sent do
        assert.is_true(slow:receive() == sent[i], "message " .. i)
        assert.is_true(slow.was_compressed)
      end
    end)
  end)

  -- ---- contexts --------------------------------------------------------------

  describe("with context takeover (7.1.1)", function()
    -- Bytes of payload that a client gets for a text.
    local function cost(client, text)
      local before = client.received_bytes
      assert.equal(text, client:ask(text))
      return client.received_bytes - before
    end

    it("makes cheap what was said before", function()
      local keeps <close> = ws.connect(server, "/context", offering(OFFER))
      local forgets <close> = ws.connect(server, "/context", offering(OFFER .. "; server_no_context_takeover"))
      local text = noise(5, 1000)
      assert.equal(cost(keeps, text), cost(forgets, text))
      assert.is_true(cost(keeps, text) < 40)
      assert.is_true(cost(forgets, text) > 400)
    end)

    it("survives topic messages between direct ones, and what goes uncompressed", function()
      local client <close> = ws.connect(server, "/news/context", offering(OFFER))
      client:receive()
      for i = 1, 10 do
        local text = noise(i % 3, 300)
        assert.equal(text, client:ask(text))
        publish(i % 2 == 0 and text or noise(i, 500))
        client:receive()
        assert.equal(text, client:ask(text))
        assert.equal("short", client:ask "short")
        assert.equal(text, client:ask(text))
        assert.is_true(client.was_compressed)
      end
    end)

    it("knows what a client said before", function()
      local client <close> = ws.connect(server, "/context", offering(OFFER))
      client:send_frame { rsv = 4, data = "\xf2\x48\xcd\xc9\xc9\x07\x00" }  -- 7.2.3.2
      client:send_frame { rsv = 4, data = "\xf2\x00\x11\x00\x00" }
      assert.equal("Hello", client:receive())
      assert.equal("Hello", client:receive())
    end)

    it("is not agreed on beyond compress_memory, until others have left", function()
      local small <close> = tidegate.start { scripts = SCRIPT, args = { "--compress-memory", "100000" } }
      local first = ws.connect(small, "/context", offering(OFFER))
      assert.equal(OFFER, first.response.headers["sec-websocket-extensions"])
      assert.equal(NO_CONTEXT, answer_to(small, "/context", OFFER))
      local second <close> = ws.connect(small, "/context", offering(OFFER))
      assert.equal(TEXT, second:ask(TEXT))
      assert.is_true(second.was_compressed)
      first:close()
      loop.wait(function() return answer_to(small, "/context", OFFER) == OFFER end, "memory to come free")
    end)

    it("is never agreed on where compress_memory is 0", function()
      local none <close> = tidegate.start { scripts = SCRIPT, args = { "--compress-memory", "0" } }
      assert.equal(NO_CONTEXT, answer_to(none, "/context", OFFER))
    end)
  end)

  it("stays as it was agreed on when a reload changes the route", function()
    local changing <close> = tidegate.start { scripts = SCRIPT }
    local client = ws.connect(changing, "/echo", offering(OFFER))
    assert.is_true(changing:edit { ["app.lua"] = (SCRIPT:gsub('"/echo", { compress = true',
      '"/echo", { compress = false')) })
    client:send_deflated(TEXT)
    assert.equal(TEXT, client:receive())
    assert.is_true(client.was_compressed)
    assert.is_nil(answer_to(changing, "/echo", OFFER))
  end)
end)
