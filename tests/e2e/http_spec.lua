-- HTTP/1.1 as a client sees it: what handlers return, keep-alive, pipelining,
-- HEAD, chunked responses, and malformed requests.
local http = require "support.http"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"

gate.get("/text", function() return "hello" end)
gate.get("/table", function() return { list = { 1, 2 }, name = "x" } end)
gate.get("/number", function() return 404 end)
gate.get("/no-content", function() return 204 end)
gate.get("/all", function()
  return 418, "short and stout", { ["X-Kind"] = "teapot", ["X-Two"] = { "a", "b" } }
end)
gate.get("/nothing", function() end)
gate.post("/body", function(req) return req:body() end)
gate.get("/seen", function(req)
  return { method = req.method, path = req.path, query = req.query, headers = req.headers,
           cookies = req.cookies, peer = req.peer }
end)
gate.get("/pieces", function(req, res)
  res:status(201)
  res:header("X-Made", "by hand")
  res:write("one,")
  gate.sleep(0.01)
  res:write("")
  res:write("two")
  res:finish()
end)
gate.get("/cookies", function(req, res)
  res:cookie("a", "1", { path = "/x", http_only = true })
  res:cookie("b", "2")
  return "ok"
end)
gate.get("/slow/{name}", function(req)
  gate.sleep(0.05)
  return req.params.name
end)
gate.get("/split-header", function() return 200, "x", { ["X-Bad"] = "a\r\nInjected: yes" } end)
gate.get("/split-name", function() return 200, "x", { ["X Bad"] = "a" } end)
gate.get("/own-length", function() return 200, "x", { ["Content-Length"] = "7" } end)
gate.get("/big", function() return ("0123456789abcdef"):rep(1024 * 1024 // 4) end)
]]

describe("HTTP", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  describe("return values", function()
    it("a string is 200 and text", function()
      local response = http.get(server, "/text")
      assert.same({ 200, "hello" }, { response.status, response.body })
      assert.matches("^text/plain", response.headers["content-type"])
      assert.equal("5", response.headers["content-length"])
    end)

    it("a table is 200 and JSON", function()
      local response = http.get(server, "/table")
      assert.matches("^application/json", response.headers["content-type"])
      assert.same({ list = { 1, 2 }, name = "x" }, response:json())
    end)

    it("a number is that status", function()
      assert.equal(404, http.get(server, "/number").status)
      assert.equal(204, http.get(server, "/no-content").status)
    end)

    it("status, body and headers", function()
      local response = http.get(server, "/all")
      assert.same({ 418, "short and stout", "teapot", "a, b" },
        { response.status, response.body, response.headers["x-kind"], response.headers["x-two"] })
    end)

    it("nothing is 204", function()
      assert.equal(204, http.get(server, "/nothing").status)
    end)

    it("every response tells its date", function()
      local date = http.get(server, "/text").headers.date
      assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", date)
      local year = tonumber(date:match "(%d%d%d%d)")
      assert.is_true(math.abs(year - tonumber(os.date "!%Y")) <= 1)
    end)
  end)

  describe("what a handler sees", function()
    it("query, headers and cookies, decoded", function()
      local seen = http.get(server, "/seen?a=1&b=x%20y+z&c=%C3%BC&d", {
        ["X-Mixed-Case"] = "Value", Cookie = 'one=1; two="2"; three=a=b',
      }):json()
      assert.same({ a = "1", b = "x y z", c = "ü", d = "" }, seen.query)
      assert.equal("Value", seen.headers["x-mixed-case"])
      assert.same({ one = "1", two = "2", three = "a=b" }, seen.cookies)
      assert.equal("127.0.0.1", seen.peer)
      assert.same({ "GET", "/seen" }, { seen.method, seen.path })
    end)
  end)

  describe("a response in pieces", function()
    it("is chunked for HTTP/1.1 and keeps the connection", function()
      local connection <close> = http.connect(server)
      for _ = 1, 2 do
        local response = connection:get "/pieces"
        assert.same({ 201, "by hand", "one,two", "chunked" },
          { response.status, response.headers["x-made"], response.body, response.headers["transfer-encoding"] })
      end
    end)

    it("is ended by closing for HTTP/1.0", function()
      local response, connection = http.raw(server, "GET /pieces HTTP/1.0\r\n\r\n")
      assert.is_nil(response.headers["transfer-encoding"])
      assert.equal("one,two", response.body)
      connection:close()
    end)
  end)

  it("sends each cookie in a header of its own", function()
    local response, cookies = http.get(server, "/cookies"), {}
    for _, field in ipairs(response.fields) do
      if field[1] == "set-cookie" then cookies[#cookies + 1] = field[2] end
    end
    assert.equal(2, #cookies)
    assert.matches("^a=1;", cookies[1])
    assert.matches("Path=/x", cookies[1], 1, true)
    assert.matches("HttpOnly", cookies[1], 1, true)
    assert.matches("^b=2", cookies[2])
  end)

  it("sends megabytes to a client that reads late", function()
    local connection <close> = http.connect(server, { paused = true })
    connection:send "GET /big HTTP/1.1\r\nHost: x\r\n\r\nGET /text HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal("hello", http.get(server, "/text").body)
    connection.socket:resume()
    assert.is_true(connection:response().body == ("0123456789abcdef"):rep(1024 * 1024 // 4))
    assert.equal("hello", connection:response().body)
  end)

  for name, path in pairs {
    ["a header value with a line break"] = "/split-header",
    ["a header name with a space"] = "/split-name",
    ["a header that is the server's own"] = "/own-length",
  } do
    it("refuses " .. name .. " from a script", function()
      local mark = server:mark()
      local response = http.get(server, path)
      assert.equal(500, response.status)
      assert.is_nil(response.headers.injected)
      server:wait_for_log(" error .*", mark)
    end)
  end

  describe("connections", function()
    it("are kept alive", function()
      local connection <close> = http.connect(server)
      for _ = 1, 5 do assert.equal("hello", connection:get("/text").body) end
    end)

    it("are closed when the client asks for it", function()
      local connection <close> = http.connect(server)
      local response = connection:get("/text", { Connection = "close" })
      assert.equal("close", response.headers.connection)
      connection:expect_end()
    end)

    it("of HTTP/1.0 are closed unless kept alive by name", function()
      local _, closed = http.raw(server, "GET /text HTTP/1.0\r\n\r\n")
      closed:expect_end()
      local response, kept = http.raw(server, "GET /text HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      assert.equal("keep-alive", response.headers.connection:lower())
      assert.equal("hello", kept:get("/text").body)
      kept:close()
    end)

    it("answer pipelined requests in order, slow ones first", function()
      local connection <close> = http.connect(server)
      local requests = {}
      for i = 1, 3 do requests[i] = ("GET /slow/%d HTTP/1.1\r\nHost: x\r\n\r\n"):format(i) end
      connection:send(table.concat(requests) .. "GET /text HTTP/1.1\r\nHost: x\r\n\r\n")
      for i = 1, 3 do assert.equal(tostring(i), connection:response().body) end
      assert.equal("hello", connection:response().body)
    end)

    it("answer a hundred pipelined requests in one packet", function()
      local connection <close> = http.connect(server)
      local requests = {}
      for i = 1, 100 do requests[i] = ("GET /seen?n=%d HTTP/1.1\r\nHost: x\r\n\r\n"):format(i) end
      connection:send(table.concat(requests))
      for i = 1, 100 do assert.equal(tostring(i), connection:response():json().query.n) end
    end)

    it("answer a client that has shut its sending side", function()
      local connection <close> = http.connect(server)
      connection:send "GET /slow/last HTTP/1.1\r\nHost: x\r\n\r\n"
      connection.socket:shutdown()
      assert.equal("last", connection:response().body)
      connection:expect_end()
    end)

    it("take a request byte by byte", function()
      local connection <close> = http.connect(server)
      connection.socket:send_in_pieces("GET /seen?a=1 HTTP/1.1\r\nHost: x\r\nX-Y:  z \r\n\r\n", 1)
      local seen = connection:response():json()
      assert.same({ "1", "z" }, { seen.query.a, seen.headers["x-y"] })
    end)
  end)

  describe("HEAD", function()
    for _, path in ipairs { "/text", "/table", "/pieces" } do
      it("has the headers of GET " .. path .. " and no body", function()
        local connection <close> = http.connect(server)
        local got, head = connection:get(path), connection:request("HEAD", path)
        assert.equal(got.status, head.status)
        for _, name in ipairs { "content-type", "content-length", "transfer-encoding", "x-made" } do
          assert.equal(got.headers[name], head.headers[name])
        end
        assert.equal("hello", connection:get("/text").body)
      end)
    end
  end)

  -- What a lenient server would take for another request than a proxy before it.
  describe("malformed requests", function()
    local HOST = "Host: x\r\n"
    for name, case in pairs {
      ["no HTTP at all"] = { "hello\r\n\r\n", 400 },
      ["a header without a colon"] = { "GET /text HTTP/1.1\r\n" .. HOST .. "nonsense\r\n\r\n", 400 },
      ["a space before the colon"] = { "GET /text HTTP/1.1\r\n" .. HOST .. "A : b\r\n\r\n", 400 },
      ["a space before the colon of a length"] = { "POST /body HTTP/1.1\r\n" .. HOST .. "Content-Length : 3\r\n\r\nabc", 400 },
      ["a folded header"] = { "GET /text HTTP/1.1\r\n" .. HOST .. "A: b\r\n c\r\n\r\n", 400 },
      ["a bare CR in a header"] = { "GET /text HTTP/1.1\r\n" .. HOST .. "A: b\rc: d\r\n\r\n", 400 },
      ["a bare CR that ends a header"] = { "GET /text HTTP/1.1\r\n" .. HOST .. "A: b\rContent-Length: 3\r\n\r\nabc", 400 },
      ["bare LFs"] = { "GET /text HTTP/1.1\nHost: x\n\n", 400 },
      ["a NUL in a header"] = { "GET /text HTTP/1.1\r\n" .. HOST .. "A: b\0c\r\n\r\n", 400 },
      ["length and chunks"] = { "POST /body HTTP/1.1\r\n" .. HOST
        .. "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
      ["two lengths"] = { "POST /body HTTP/1.1\r\n" .. HOST .. "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400 },
      ["a negative length"] = { "POST /body HTTP/1.1\r\n" .. HOST .. "Content-Length: -1\r\n\r\n", 400 },
      ["a length with a sign"] = { "POST /body HTTP/1.1\r\n" .. HOST .. "Content-Length: +3\r\n\r\nabc", 400 },
      ["a bad chunk size"] = { "POST /body HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400 },
      ["no Host"] = { "GET /text HTTP/1.1\r\n\r\n", 400 },
      ["two Hosts"] = { "GET /text HTTP/1.1\r\n" .. HOST .. "Host: y\r\n\r\n", 400 },
      ["a space in the target"] = { "GET /te xt HTTP/1.1\r\n" .. HOST .. "\r\n", 400 },
      ["a bad percent code"] = { "GET /%zz HTTP/1.1\r\n" .. HOST .. "\r\n", 400 },
      ["a path above the root"] = { "GET /../etc/passwd HTTP/1.1\r\n" .. HOST .. "\r\n", 400 },
      ["a coded path above the root"] = { "GET /%2e%2e/etc/passwd HTTP/1.1\r\n" .. HOST .. "\r\n", 400 },
      ["an unknown transfer coding"] = { "POST /body HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
      ["chunked that is not last"] = { "POST /body HTTP/1.1\r\n" .. HOST .. "Transfer-Encoding: chunked, gzip\r\n\r\n", 400 },
      ["HTTP/2.0"] = { "GET /text HTTP/2.0\r\n" .. HOST .. "\r\n", 505 },
    } do
      it(("%s: %d and close"):format(name, case[2]), function()
        local response, connection = http.raw(server, case[1])
        assert.equal(case[2], response.status)
        assert.equal("close", response.headers.connection)
        connection:expect_end()
      end)
    end

    it("after a good pipelined request do not spoil its answer", function()
      local connection <close> = http.connect(server)
      connection:send "GET /slow/good HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n"
      assert.equal("good", connection:response().body)
      assert.equal(400, connection:response().status)
      connection:expect_end()
    end)

    it("do not disturb others", function()
      assert.equal("hello", http.get(server, "/text").body)
    end)
  end)
end)
