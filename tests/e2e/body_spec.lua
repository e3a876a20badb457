-- Request bodies: lengths, chunks, 100-continue, JSON and forms, and bodies that
-- no handler reads.
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"
gate.post("/body", function(req) return req:body() end)
gate.post("/twice", function(req) return req:body() .. req:body() end)
gate.post("/late", function(req)
  gate.sleep(0.05)
  return req:body()
end)
gate.post("/told", function(req)
  gate.log.info "wants the body"
  return req:body()
end)
gate.post("/ignore", function() return "ignored" end)
gate.post("/refuse", function() return 401 end)
gate.post("/json", function(req)
  local value, message = req:json()
  if value == nil then return 400, message end
  return { got = value }
end)
gate.post("/form", function(req) return req:form() end)
gate.put("/body", function(req) return "put " .. req:body() end)
gate.patch("/body", function(req) return "patch " .. req:body() end)
gate.delete("/body", function(req) return "delete " .. req:body() end)
]]

local CHUNKED = "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
  .. "5;name=value\r\nhello\r\n1\r\n \r\n00005\r\nworld\r\n0\r\nX-Trailer: y\r\n\r\n"

describe("a request body", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  it("comes whole, with any bytes in it", function()
    local parts = {}
    for i = 0, 255 do parts[#parts + 1] = string.char(i) end
    local body = table.concat(parts):rep(1000)
    assert.is_true(http.post(server, "/body", body).body == body)
  end)

  it("may be read twice, and late", function()
    assert.equal("abab", http.post(server, "/twice", "ab").body)
    assert.equal("ab", http.post(server, "/late", "ab").body)
  end)

  it("may be empty", function()
    local response = http.post(server, "/body", "")
    assert.same({ 200, "" }, { response.status, response.body })
    assert.equal("", http.raw(server, "POST /body HTTP/1.1\r\nHost: x\r\n\r\n").body)
  end)

  it("comes with every method that has one", function()
    for _, method in ipairs { "PUT", "PATCH", "DELETE" } do
      assert.equal(method:lower() .. " x", http.request(server, method, "/body", { body = "x" }).body)
    end
  end)

  it("is put together from chunks, also byte by byte", function()
    local connection <close> = http.connect(server)
    connection:send(CHUNKED)
    assert.equal("hello world", connection:response().body)
    connection.socket:send_in_pieces(CHUNKED, 1)
    assert.equal("hello world", connection:response().body)
  end)

  it("ends where it ends: the next request follows", function()
    local connection <close> = http.connect(server)
    local one = http.format_request("POST", "/body", { body = "one" })
    connection:send(one .. CHUNKED .. one)
    assert.equal("one", connection:response().body)
    assert.equal("hello world", connection:response().body)
    assert.equal("one", connection:response().body)
  end)

  it("that no handler reads is passed over", function()
    local connection <close> = http.connect(server)
    for _ = 1, 2 do
      assert.equal("ignored", connection:request("POST", "/ignore", { body = ("x"):rep(200000) }).body)
    end
  end)

  it("that comes after the answer is passed over too", function()
    local connection <close> = http.connect(server)
    connection:send "POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n"
    assert.equal("ignored", connection:response().body)
    connection:send "GET / "
    assert.equal("x", connection:request("POST", "/body", { body = "x" }).body)
  end)

  it("that breaks off is no concern of others", function()
    local connection = http.connect(server)
    connection:send "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"
    loop.turn()
    connection.socket:reset()
    assert.equal("x", http.post(server, "/body", "x").body)
  end)

  describe("with Expect: 100-continue (9110 10.1.1)", function()
    -- A request whose client waits, to which `fields` are added.
    local function waiting(path, fields, version)
      return ("POST %s HTTP/%s\r\nHost: x\r\nExpect: 100-continue\r\n%s\r\n\r\n"):format(path, version or "1.1", fields)
    end
    local LENGTH = "Content-Length: 4"

    for name, case in pairs {
      ["with a length"] = { waiting("/body", LENGTH), "data" },
      ["in chunks"] = { waiting("/body", "Transfer-Encoding: chunked"), "4\r\ndata\r\n0\r\n\r\n" },
      ["of a client that writes it large"] = { waiting("/body", LENGTH):gsub("100%-continue", ", 100-Continue"),
        "data" },
    } do
      it("is asked for when the handler wants it, " .. name, function()
        local connection <close> = http.connect(server)
        connection:send(case[1])
        assert.equal(100, connection:response().status)
        connection:send(case[2])
        assert.equal("data", connection:response().body)
        assert.equal("x", connection:request("POST", "/body", { body = "x" }).body)
      end)
    end

    for name, case in pairs {
      ["the handler has its answer without it"] = { waiting("/refuse", LENGTH), 401 },
      ["it would be too long"] = { waiting("/body", "Content-Length: 1048577"), 413 },
      ["something else is expected"] = { waiting("/body", LENGTH):gsub("100%-continue", "miracles"), 417 },
      ["something else is expected, too"] = { waiting("/body", LENGTH):gsub("100%-continue", "%0, miracles"), 417 },
    } do
      it("is not asked for when " .. name .. ": the answer ends the connection", function()
        local response, connection = http.raw(server, case[1])
        assert.same({ case[2], "close" }, { response.status, response.headers.connection })
        connection:expect_end()
        connection:close()
      end)
    end

    for name, fields in pairs { ["there is none"] = "A: b", ["it is empty"] = "Content-Length: 0" } do
      it("is not asked for when " .. name, function()
        local connection <close> = http.connect(server)
        connection:send(waiting("/body", fields))
        assert.equal(200, connection:response().status)
        assert.equal("x", connection:request("POST", "/body", { body = "x" }).body)
      end)
    end

    it("is not asked for in HTTP/1.0", function()
      local connection <close> = http.connect(server)
      local mark = server:mark()
      connection:send(waiting("/told", LENGTH, "1.0"))
      server:wait_for_log("wants the body", mark)
      connection:send "data"
      local response = connection:response()
      assert.same({ 200, "data" }, { response.status, response.body })
    end)

    it("is not asked for when it has come already", function()
      local response, connection = http.raw(server, waiting("/late", LENGTH) .. "data")
      assert.same({ 200, "data" }, { response.status, response.body })
      connection:close()
    end)
  end)

  describe("as JSON", function()
    it("is decoded", function()
      assert.same({ got = { a = { 1, 2.5, "x" }, b = true } },
        http.post(server, "/json", '{"a":[1,2.5,"x"],"b":true}'):json())
    end)

    for _, text in ipairs { "", "{", "nonsense", '{"a":1}x', "[1,]", "[1e999]", '"\xff"', '"\n"', ("["):rep(100000) } do
      it(("that is broken is told, not raised: %.12s"):format(text), function()
        local response = http.post(server, "/json", text)
        assert.equal(400, response.status)
        assert.is_true(#response.body > 0)
      end)
    end
  end)

  it("as a form is decoded", function()
    local form = http.post(server, "/form", "a=1+2&b=%C3%BC%26&c=&d", {
      ["Content-Type"] = "application/x-www-form-urlencoded",
    }):json()
    assert.same({ a = "1 2", b = "ü&", c = "", d = "" }, form)
  end)
end)
