-- HTTP/1.1 as scripts use it: what handlers return, what they see of a request, and
-- responses in pieces.
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
end)
