-- What a response looks like, whatever the script does: HEAD, statuses without a
-- body, Date, Allow, fields that scripts may not write, and responses that break off
-- (RFC 9110 5.5, 6.6.1, 8.6, 9.3.2, 11.6.1, 15; RFC 9112 6, 8).
local cjson = require "cjson"
local http = require "support.http"
local tcp = require "support.tcp"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [==[
local gate = require "tidegate"
gate.get("/text", function() return "hello" end)
gate.get("/table", function() return { list = { 1, 2 }, name = "x" } end)
gate.get("/empty", function() return "" end)
gate.get("/all", function() return 418, "short", { ["X-Two"] = { "a", "b" } } end)
gate.get("/fails", function() error "on purpose" end)
gate.get("/pieces", function(_, res)
  res:header("X-Made", "by hand")
  res:write("one,")
  res:write("two")
end)
gate.post("/post", function() return "posted" end)
gate.get("/body/{n}", function(req) return tonumber(req.params.n), "content" end)
gate.get("/bare/{n}", function(req) return tonumber(req.params.n) end)
gate.get("/pieces/{n}", function(req, res)
  res:status(tonumber(req.params.n))
  res:write("content")
  res:finish()
end)
gate.any("/breaks", function(req, res)
  res:write("part")
  req:body()
  error "on purpose"
end)
gate.get("/finish/{n}", function(req, res) res:status(tonumber(req.params.n)):finish() end)
gate.get("/basic", function() return 401, "who?", { ["www-authenticate"] = { 'Basic realm="x"', "Bearer" } } end)
gate.get("/guarded", function() return 401 end, function() return "secret" end)
gate.ws("/ws", { upgrade = function() return 401 end, open = function() end })
gate.sse("/sse", { upgrade = function() return 401, { why = "no token" } end, open = function() end })
gate.post("/returned", function(req)
  local field = req:json()
  return 200, "x", { [field[1]] = field[2] }
end)
gate.post("/set", function(req, res)
  local field = req:json()
  local _, message = res:header(field[1], field[2])
  return message or "set"
end)
]==]

describe("a response", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  describe("to HEAD", function()
    local function fields_of(response)
      local fields = {}
      for i, field in ipairs(response.fields) do
        fields[i] = field[1] .. ": " .. (field[1] == "date" and "now" or field[2])
      end
      return fields
    end

    for _, path in ipairs { "/text", "/table", "/empty", "/all", "/fails", "/pieces", "/post", "/nothing",
      "/bare/204" } do
      it("has the fields of GET " .. path .. " and no content (9110 9.3.2)", function()
        local connection <close> = http.connect(server)
        local got, head = connection:get(path), connection:request("HEAD", path)
        assert.equal(got.status, head.status)
        assert.same(fields_of(got), fields_of(head))
        assert.equal("hello", connection:get("/text").body)
      end)
    end
  end)

  -- Content-Length: forbidden for 204, none for 304, 0 for 205 (9110 8.6, 15.3.6).
  for status, length in pairs { [204] = false, [205] = "0", [304] = false } do
    for _, path in ipairs { "/body/", "/bare/", "/pieces/" } do
      it(("of status %d has no content, from %s"):format(status, path), function()
        local connection <close> = http.connect(server)
        local response = connection:get(path .. status)
        assert.same({ status, length or nil, nil, "" }, { response.status, response.headers["content-length"],
          response.headers["transfer-encoding"], response.body })
        assert.equal("hello", connection:get("/text").body)
      end)
    end
  end

  for _, status in ipairs { 100, 101, 199, 600, 99, -1 } do
    it(("of status %d is none that a script may give (9110 15)"):format(status), function()
      for _, path in ipairs { "/body/", "/bare/", "/pieces/" } do
        assert.equal(500, http.get(server, path .. status).status)
      end
    end)
  end

  -- { head of the request, what has arrived before the end, whether the end is a reset }
  for what, case in pairs {
    ["in chunks"] = { "POST /breaks HTTP/1.1\r\nHost: x", "part", false },
    ["without a length"] = { "POST /breaks HTTP/1.0", "part", true },
    ["without content"] = { "HEAD /breaks HTTP/1.0", "\r\n\r\n", false },
  } do
    for who, cut in pairs {
      ["its script"] = function(socket) socket:send "y" end,
      ["its client"] = function(socket) socket:shutdown() end,
    } do
      it(("%s, cut off by %s, is not to be taken for whole (9112 8)"):format(what, who), function()
        local socket <close> = tcp.connect(server)
        socket:send(case[1] .. "\r\nContent-Length: 2\r\n\r\nx")
        socket:read_to(case[2])
        cut(socket)
        assert.not_matches("0\r\n", socket:read_to_end())
        assert.equal(case[3], socket:was_reset())
      end)
    end
  end

  it("tells its date (9110 6.6.1)", function()
    for _, path in ipairs { "/text", "/fails", "/nothing", "/body/204", "/body/304", "/pieces", "/%zz" } do
      local date = http.get(server, path).headers.date
      assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", date)
      local year = tonumber(date:match "(%d%d%d%d)")
      assert.is_true(math.abs(year - tonumber(os.date "!%Y")) <= 1)
    end
  end)

  it("to a method that the path does not have lists those it has (9110 15.5.6)", function()
    for _, method in ipairs { "POST", "TRACE", "PROPFIND", "DELETE" } do
      local response = http.request(server, method, "/text")
      assert.same({ 405, "GET, HEAD, OPTIONS" }, { response.status, response.headers.allow })
    end
  end)

  for _, path in ipairs { "/bare/401", "/body/401", "/pieces/401", "/finish/401", "/guarded", "/sse", "/ws" } do
    it("of status 401 says how to log in (9110 15.5.2), from " .. path, function()
      local response = path == "/ws" and ws.refused(server, path) or http.get(server, path)
      assert.same({ 401, "Bearer" }, { response.status, response.headers["www-authenticate"] })
    end)
  end

  it("of status 401 says of logging in what the script says, if it does (9110 11.6.1)", function()
    assert.equal('Basic realm="x", Bearer', http.get(server, "/basic").headers["www-authenticate"])
    assert.is_nil(http.get(server, "/bare/403").headers["www-authenticate"])
  end)

  it("to TRACE does not repeat the request (9110 9.3.8)", function()
    local response = http.request(server, "TRACE", "/text", { headers = { Cookie = "secret=1" } })
    assert.is_nil(response.body:find "secret")
  end)

  -- { what, name, value }: fields that would split the response or its framing.
  local FORBIDDEN = {
    { "a line break in the value", "X-A", "a\r\nInjected: yes" },
    { "a CR in the value", "X-A", "a\rInjected: yes" },
    { "an LF in the value", "X-A", "a\nInjected: yes" },
    { "the end of the head in the value", "X-A", "\r\n\r\nHTTP/1.1 200 OK\r\n" },
    { "a NUL in the value", "X-A", "a\0b" },
    { "a control character in the value", "X-A", "a\27b" },
    { "a line break in a redirect", "Location", "/\r\nSet-Cookie: a=b" },
    { "no name", "", "a" },
    { "a space in the name", "X A", "a" },
    { "a colon in the name", "Injected: yes\r\nX-A", "a" },
    { "a name that is not ASCII", "\195\164", "a" },
  }
  for _, row in ipairs(FORBIDDEN) do
    local field = { row[2], row[3] }
    it("has not " .. row[1] .. " (9110 5.5)", function()
      local mark = server:mark()
      local returned = http.request(server, "POST", "/returned", { body = cjson.encode(field) })
      assert.same({ 500, nil }, { returned.status, returned.headers.injected })
      server:wait_for_log("HTTP forbids", mark)
      local set = http.request(server, "POST", "/set", { body = cjson.encode(field) })
      assert.same({ 200, nil }, { set.status, set.headers.injected })
      assert.matches("forbids", set.body)
    end)
  end

  for _, name in ipairs { "Content-Length", "content-length", "Transfer-Encoding", "CONNECTION", "Keep-Alive",
    "Date" } do
    it("has only one " .. name .. ", the server's (9112 6.2)", function()
      for _, path in ipairs { "/returned", "/set" } do
        local mark = server:mark()
        local response = http.request(server, "POST", path, { body = cjson.encode { name, "7" } })
        assert.equal(500, response.status)
        assert.not_equal("7", response.headers[name:lower()])
        server:wait_for_log("belongs to the server", mark)
      end
    end)
  end
end)
