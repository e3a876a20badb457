-- The life of an HTTP connection: kept or closed, pipelined, upgraded, and ended so
-- that the last response arrives (RFC 9112 9, RFC 9110 7.6 and 7.8).
local frame = require "support.frame"
local http = require "support.http"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local runs = 0
gate.use(function(req, _, next)
  if req.path ~= "/runs" then runs = runs + 1 end
  return next()
end)
gate.get("/runs", function() return tostring(runs) end)
gate.any("/text", function() return "hello" end)
gate.get("/slow/{name}", function(req)
  gate.sleep(0.05)
  return req.params.name
end)
gate.get("/pieces", function(_, res)
  res:write("one,")
  res:write("two")
end)
gate.get("/status/{n}", function(req) return tonumber(req.params.n) end)
gate.ws("/echo", { message = function(ws, text) ws:send(text) end })
]]

local function get(path, fields, version)
  return ("GET %s HTTP/%s\r\nHost: x\r\n%s\r\n"):format(path, version or "1.1", fields or "")
end

describe("a connection", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  -- { what the client says, version, whether the connection stays }
  local OPTIONS = {
    { "", "1.1", true },
    { "Connection: keep-alive\r\n", "1.1", true },
    { "Connection: close\r\n", "1.1", false },
    { "Connection: CLOSE\r\n", "1.1", false },
    { "Connection: x,,close , y\r\n", "1.1", false },
    { "Connection: keep-alive, close\r\n", "1.1", false },
    { "Connection: keep-alive\r\nA: b\r\nConnection: close\r\n", "1.1", false },
    { "Connection: closed, xclose, close;x\r\n", "1.1", true },
    { "Connection:\r\n", "1.1", true },
    { "Proxy-Connection: close\r\n", "1.1", true },
    { "Connection: close\r\n", "1.2", false },
    { "", "1.2", true },
    { "", "1.0", false },
    { "Connection: x\r\n", "1.0", false },
    { "Connection: Keep-Alive\r\n", "1.0", true },
    { "Connection: x, keep-alive\r\n", "1.0", true },
    { "Connection: close, keep-alive\r\n", "1.0", false },
    { "Proxy-Connection: keep-alive\r\n", "1.0", false },
  }
  for _, row in ipairs(OPTIONS) do
    local fields, version, stays = table.unpack(row)
    it(("%s (9112 9.3) for HTTP/%s and %q"):format(stays and "stays" or "ends", version, fields), function()
      local connection <close> = http.connect(server)
      connection:send(get("/text", fields, version))
      local response = connection:response()
      assert.equal("hello", response.body)
      local expected = not stays and "close" or version == "1.0" and "keep-alive" or nil
      assert.equal(expected, response.headers.connection)
      if not stays then return connection:expect_end() end
      assert.equal("hello", connection:get("/text").body)
    end)
  end

  it("of HTTP/1.0 ends with a response in pieces, which has no other end (9112 6.3)", function()
    local response, connection = http.raw(server, get("/pieces", "Connection: keep-alive\r\n", "1.0"))
    assert.is_nil(response.headers["transfer-encoding"])
    assert.same({ "close", "one,two" }, { response.headers.connection, response.body })
    connection:expect_end()
    connection:close()
  end)

  for _, status in ipairs { 400, 401, 404, 405, 408, 413, 431, 500, 501, 503 } do
    it(("stays after a %d of the script"):format(status), function()
      local connection <close> = http.connect(server)
      local response = connection:get("/status/" .. status)
      assert.same({ status, nil }, { response.status, response.headers.connection })
      assert.equal("hello", connection:get("/text").body)
    end)
  end

  -- What stands behind the last request is not read, whatever it is.
  for name, last in pairs {
    ["Connection: close (9112 9.6)"] = { get("/slow/last", "Connection: close\r\n"), 200 },
    ["HTTP/1.0 (9112 9.3)"] = { get("/slow/last", nil, "1.0"), 200 },
    ["a malformed request (9112 2.2)"] = { "nonsense\r\n\r\n", 400 },
  } do
    it("reads nothing behind " .. name, function()
      local before = tonumber(http.get(server, "/runs").body)
      local connection <close> = http.connect(server)
      connection:send(get "/text" .. last[1] .. get("/text"):rep(3))
      assert.equal("hello", connection:response().body)
      assert.equal(last[2], connection:response().status)
      connection:expect_end()
      local runs = last[2] == 200 and 2 or 1
      assert.equal(before + runs, tonumber(http.get(server, "/runs").body))
    end)
  end

  describe("with pipelined requests (9112 9.3.2)", function()
    it("answers them in order, slow ones first", function()
      local connection <close> = http.connect(server)
      connection:send(get "/slow/1" .. get "/slow/2" .. get "/text" .. get "/slow/3")
      for _, body in ipairs { "1", "2", "hello", "3" } do assert.equal(body, connection:response().body) end
    end)

    it("answers a hundred of one packet", function()
      local connection <close> = http.connect(server)
      connection:send(get("/text"):rep(100))
      for _ = 1, 100 do assert.equal("hello", connection:response().body) end
    end)

    it("answers a client that has shut its sending side", function()
      local connection <close> = http.connect(server)
      connection:send(get "/slow/1" .. get "/slow/last")
      connection.socket:shutdown()
      assert.equal("1", connection:response().body)
      assert.equal("last", connection:response().body)
      connection:expect_end()
    end)
  end)

  describe("that is to be upgraded (9110 7.8)", function()
    for name, fields in pairs {
      ["h2c"] = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
      ["an unknown protocol"] = "Connection: Upgrade\r\nUpgrade: gopher/1.0\r\n",
      ["a WebSocket where there is none"] = "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    } do
      it("to " .. name .. " stays HTTP", function()
        local connection <close> = http.connect(server)
        connection:send(get("/text", fields) .. get "/text")
        for _ = 1, 2 do assert.equal("hello", connection:response().body) end
      end)
    end

    it("takes the first frames from the packet of the handshake, behind other requests", function()
      local connection <close> = http.connect(server)
      connection:send(get "/slow/1" .. get "/text" .. ws.handshake "/echo"
        .. frame.encode { data = "one" } .. frame.encode { data = "two" })
      assert.equal("1", connection:response().body)
      assert.equal("hello", connection:response().body)
      assert.equal(101, connection:response().status)
      local expected = frame.encode { data = "one", mask = false } .. frame.encode { data = "two", mask = false }
      assert.equal(expected, connection.socket:read(#expected))
    end)

    it("takes no frame from the packet of a handshake that is refused", function()
      local connection <close> = http.connect(server)
      connection:send(ws.handshake("/echo", { headers = { ["Sec-WebSocket-Version"] = "12" } })
        .. frame.encode { data = "one" })
      assert.equal(426, connection:response().status)
      assert.equal(400, connection:response().status)
      connection:expect_end()
    end)
  end)

  -- A close with unread input is a reset, which takes the response from the client.
  describe("that ends under a client that still sends (9112 9.6)", function()
    local REST = ("x"):rep(2 * 1024 * 1024)

    for name, case in pairs {
      ["a malformed head"] = { "nonsense\r\n" .. REST, 400 },
      ["too long a head"] = { "GET / HTTP/1.1\r\nA: " .. REST, 431 },
      ["too long a target"] = { "GET /" .. REST, 414 },
      ["too long a body"] = { "POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: 2097152\r\n\r\n" .. REST, 413 },
      ["a malformed body"] = { "POST /slow/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" .. REST, 405 },
      ["an expectation"] = { "POST /text HTTP/1.1\r\nHost: x\r\nExpect: x\r\n\r\n" .. REST, 417 },
      ["its own Connection: close"] = { get("/text", "Connection: close\r\n") .. REST, 200 },
    } do
      it("sends all of the answer to " .. name, function()
        local response, connection = http.raw(server, case[1])
        assert.equal(case[2], response.status)
        connection:expect_end()
        connection:close()
      end)
    end
  end)
end)
