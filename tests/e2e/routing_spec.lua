-- Routes over real connections: patterns, methods, middleware and scopes, for
-- HTTP and before WebSocket and SSE alike.
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPTS = {
  ["routes.lua"] = [[
local gate = require "tidegate"
local function show(name)
  return function(req) return { route = name, params = req.params, path = req.path } end
end
gate.get("/", show "root")
gate.get("/a/literal", show "literal")
gate.get("/a/{n:%d+}", show "number")
gate.get("/a/{name}", show "name")
gate.get("/a/{name}/b", show "name b")
gate.get("/a/literal/c", show "literal c")
gate.get("/files/{path...}", show "files")
gate.put("/a/{name}", show "put name")
gate.delete("/a/{name}", show "delete name")
gate.any("/any", show "any")
gate.post("/any", show "post any")
gate.get("/both", show "both")
gate.sse("/both", function(stream) stream:send "event" end)
gate.ws("/both", function(ws) ws:send "socket" end)
gate.ws("/only-ws", function(ws) end)
]],
  ["guards.lua"] = [[
local gate = require "tidegate"
gate.use("/counted", function(req, res, next)
  res:header("X-Seen", "use")
  req.trail = "use"
  return next()
end)
local function guard(req, res, next)
  if req.headers["x-key"] ~= "open" and req.query.key ~= "open" then return 401, "no key" end
  req.trail = (req.trail or "") .. ">guard"
  return next()
end
local api = gate.scope("/counted/api", guard)
api.get("/trail", function(req, res, next)
  req.trail = req.trail .. ">route"
  return next()
end, function(req) return req.trail end)
api.ws("/ws", { open = function(ws) ws:send "in" end })
api.sse("/sse", function(stream) stream:send "in" end)
local inner = api.scope("/inner", function(req, res, next)
  local status, body = next()
  return 200, "wrapped " .. tostring(body or status)
end)
inner.get("/x", function() return 200, "x" end)
gate.get("/silent", function() return "never" end)
gate.use("/silent", function() end)
]],
}

describe("routing", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPTS } end)
  teardown(function() server:stop() end)

  -- path -> route, params
  for path, case in pairs {
    ["/"] = { "root", {} },
    ["/a/literal"] = { "literal", {} },
    ["/a/12"] = { "number", { n = "12" } },
    ["/a/12x"] = { "name", { name = "12x" } },
    ["/a/literal/b"] = { "name b", { name = "literal" } },
    ["/a/literal/c"] = { "literal c", {} },
    ["/a/x%2Fy"] = { "name", { name = "x/y" } },
    ["/a/%C3%BC+"] = { "name", { name = "ü+" } },
    ["/files/a/b.txt"] = { "files", { path = "a/b.txt" } },
    ["/a/x/../y"] = { "name", { name = "y" } },
    ["/a/./x?q=/a/literal"] = { "name", { name = "x" } },
    ["/any"] = { "any", {} },
  } do
    it(("takes %s to %s"):format(path, case[1]), function()
      local seen = http.get(server, path):json()
      assert.equal(case[1], seen.route)
      assert.same(case[2], next(seen.params) and seen.params or {})
    end)
  end

  it("takes a target in absolute form", function()
    assert.equal("literal", (http.raw(server, "GET http://x/a/literal HTTP/1.1\r\nHost: x\r\n\r\n")):json().route)
  end)

  it("has no route: 404", function()
    for _, path in ipairs { "/a", "/a/", "/a/literal/", "/A/literal", "/files/", "/nothing" } do
      assert.equal(404, http.get(server, path).status, path)
    end
  end)

  it("only another method: 405 with Allow", function()
    local response = http.post(server, "/a/name")
    assert.same({ 405, "DELETE, GET, HEAD, OPTIONS, PUT" }, { response.status, response.headers.allow })
    assert.equal(501, http.request(server, "BREW", "/a/name").status)
  end)

  it("OPTIONS is answered by itself", function()
    local response = http.request(server, "OPTIONS", "/a/name")
    assert.same({ 204, "DELETE, GET, HEAD, OPTIONS, PUT" }, { response.status, response.headers.allow })
    assert.equal(204, http.request(server, "OPTIONS", "*").status)
    assert.equal(404, http.request(server, "OPTIONS", "/nothing").status)
  end)

  it("methods differ on one path", function()
    assert.equal("put name", http.request(server, "PUT", "/a/x"):json().route)
    assert.equal("delete name", http.request(server, "DELETE", "/a/x"):json().route)
    assert.equal("post any", http.post(server, "/any"):json().route)
    assert.equal("any", http.request(server, "PATCH", "/any"):json().route)
  end)

  it("one path serves HTTP, SSE and WebSocket", function()
    assert.equal("both", http.get(server, "/both"):json().route)
    local stream <close> = sse.connect(server, "/both")
    assert.equal("event", stream:receive().data)
    local client <close> = ws.connect(server, "/both")
    assert.equal("socket", client:receive())
  end)

  it("a WebSocket route asked for without an upgrade: 426", function()
    local response = http.get(server, "/only-ws")
    assert.same({ 426, "websocket", "13" },
      { response.status, response.headers.upgrade, response.headers["sec-websocket-version"] })
  end)

  describe("middleware", function()
    it("runs in order: use, scope, route", function()
      local response = http.get(server, "/counted/api/trail", { ["X-Key"] = "open" })
      assert.same({ "use>guard>route", "use" }, { response.body, response.headers["x-seen"] })
    end)

    it("guards HTTP, WebSocket and SSE alike", function()
      assert.equal(401, http.get(server, "/counted/api/trail").status)
      local refused = ws.refused(server, "/counted/api/ws")
      assert.same({ 401, "no key" }, { refused.status, refused.body })
      assert.equal(401, http.get(server, "/counted/api/sse", { Accept = "text/event-stream" }).status)
      local client <close> = ws.connect(server, "/counted/api/ws?key=open")
      assert.equal("in", client:receive())
      local stream <close> = sse.connect(server, "/counted/api/sse?key=open")
      assert.equal("in", stream:receive().data)
    end)

    it("may change what comes back", function()
      assert.equal("wrapped x", http.get(server, "/counted/api/inner/x?key=open").body)
    end)

    it("runs also where there is no route", function()
      assert.same({ 404, "use" }, (function()
        local response = http.get(server, "/counted/nowhere")
        return { response.status, response.headers["x-seen"] }
      end)())
      assert.is_nil(http.get(server, "/countedx").headers["x-seen"])
    end)

    it("that does not decide lets nobody in", function()
      local mark = server:mark()
      assert.equal(500, http.get(server, "/silent").status)
      server:wait_for_log("neither answered nor called next", mark)
    end)
  end)
end)

describe("a route pattern that backtracks", function()
  it("holds up nobody, whatever the path", function()
    local server <close> = tidegate.start { scripts = [[
      local gate = require "tidegate"
      gate.get("/{x:" .. ("(.-)"):rep(6) .. "..b}", function(req) return tostring(#req.params.x) end)
      gate.get("/a/{x:(%w+)%-(%w+)%-(%w+)}", function() return "three" end)
    ]] }
    local started = os.time()
    for _, length in ipairs { 100, 1000, 8000 } do
      assert.equal(404, http.get(server, "/" .. ("a"):rep(length)).status)
      assert.equal(tostring(length), http.get(server, "/" .. ("a"):rep(length - 1) .. "b").body)
      assert.equal(404, http.get(server, "/a/" .. ("a-"):rep(length // 2) .. "!").status)
    end
    assert.equal("three", http.get(server, "/a/x-y-z").body)
    assert.is_true(os.time() - started < 10, "seconds")
  end)
end)
