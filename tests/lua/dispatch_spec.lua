-- dispatch: from request to answer.
local fake_core = require "lua.support.fake_core"

describe("dispatch", function()
  local generation, gate, seen
  before_each(function()
    generation = fake_core.load()
    gate, seen = generation.gate, {}
  end)

  local function request(...) return generation.request(...) end

  local function note(name)
    return function(_, _, next)
      seen[#seen + 1] = name
      return next()
    end
  end

  local function answer(text)
    return function() return text end
  end

  it("hands a handler's values to the server as they are", function()
    local headers = { a = "b" }
    gate.get("/three", function() return 201, "made", headers end)
    gate.get("/none", function() end)
    gate.get("/table", function() return { 1 } end)
    assert.same({ 201, "made", headers }, { request("GET", "/three") })
    assert.equal("GET /three", generation.log.route)
    assert.equal(0, select("#", request("GET", "/none")))
    assert.same({ { 1 } }, { request("GET", "/table") })
  end)

  it("gives req and res to the handler, with params", function()
    gate.get("/a/{x}/{rest...}", function(req, res)
      seen.req, seen.res = req, res
      return req.params.x .. "|" .. req.params.rest
    end)
    assert.equal("v w|1/2", (request("GET", "/a/v%20w/1/2")))
    assert.equal(generation.req, seen.req)
    assert.equal(generation.res, seen.res)
  end)

  it("lets a handler's error through to the server", function()
    gate.get("/x", function() error "boom" end)
    assert.has_error(function() request("GET", "/x") end)
  end)

  it("runs in a coroutine that may wait", function()
    gate.get("/x", function() return (coroutine.yield()) end)
    local task = coroutine.wrap(function() return request("GET", "/x") end)
    task()
    assert.equal("late", task "late")
  end)

  describe("methods", function()
    before_each(function()
      gate.get("/x", answer "get")
      gate.post("/x", answer "post")
      gate.delete("/x/{id}", answer "delete")
      gate.any("/any", answer "any")
      gate.post("/any", answer "post")
    end)

    it("serve HEAD by GET", function()
      assert.equal("get", (request("HEAD", "/x")))
      assert.equal("any", (request("HEAD", "/any")))
    end)

    it("go to any unless registered", function()
      assert.equal("any", (request("GET", "/any")))
      assert.equal("any", (request("OPTIONS", "/any")))
      assert.equal("any", (request("PROPFIND", "/any")))
      assert.equal("post", (request("POST", "/any")))
    end)

    it("that differ get 405 with Allow", function()
      assert.same({ 405, nil, { Allow = "GET, HEAD, OPTIONS, POST" } }, { request("PUT", "/x") })
      assert.same({ 405, nil, { Allow = "DELETE, OPTIONS" } }, { request("GET", "/x/1") })
      assert.is_nil(generation.log.route)
    end)

    it("of every place the path matches are allowed", function()
      gate.put("/{any}", answer "put")
      assert.same({ Allow = "GET, HEAD, OPTIONS, POST, PUT" }, select(3, request("PATCH", "/x")))
      assert.equal("put", (request("PUT", "/x")))
    end)

    it("answer OPTIONS by themselves", function()
      assert.same({ 204, nil, { Allow = "GET, HEAD, OPTIONS, POST" } }, { request("OPTIONS", "/x") })
      assert.equal(204, (request("OPTIONS", "*")))
      assert.equal(404, (request("OPTIONS", "/none")))
    end)

    it("leave OPTIONS to a route that is registered for it", function()
      gate.options("/x", answer "options")
      assert.equal("options", (request("OPTIONS", "/x")))
    end)

    it("of an unknown path get 404", function()
      assert.equal(404, (request("GET", "/none")))
      assert.equal(404, (request("GET", "/x/")))
      assert.equal(404, (request("GET", "*")))
    end)
  end)

  describe("middlewares", function()
    it("run in order: use, scopes from outside, route guards, handler", function()
      local api = gate.scope("/api", note "scope1")
      local inner = api.scope("/v1", note "scope2a", note "scope2b")
      inner.get("/x", note "guard1", note "guard2", function() seen[#seen + 1] = "handler" return "ok" end)
      gate.use(note "use1")
      gate.use("/api", note "use2", note "use3")
      inner.use(note "use4")
      inner.use("/x", note "use5")
      gate.use("/other", note "never")
      assert.equal("ok", (request("GET", "/api/v1/x")))
      assert.same({ "use1", "use2", "use3", "use4", "use5", "scope1", "scope2a", "scope2b", "guard1",
        "guard2", "handler" }, seen)
    end)

    it("of one route or scope do not touch its neighbours", function()
      local api = gate.scope("/api", note "scope")
      api.get("/a", note "guard", answer "a")
      api.get("/b", answer "b")
      gate.get("/api/c", answer "c")
      request("GET", "/api/b")
      assert.same({ "scope" }, seen)
      request("GET", "/api/c")
      assert.same({ "scope" }, seen)
    end)

    it("under a prefix run where a placeholder takes its value", function()
      gate.use("/admin", answer "refused")
      gate.get("/{section}", answer "in")
      gate.get("/{section}/{x...}", answer "deep")
      assert.equal("refused", (request("GET", "/admin")))
      assert.equal("refused", (request("GET", "/%61dmin")))
      assert.equal("refused", (request("GET", "/admin/x")))
      assert.equal("refused", (request("GET", "/admin%2Fx")))
      assert.equal("in", (request("GET", "/administrator")))
      assert.equal("deep", (request("GET", "/other/admin")))
    end)

    it("run for 404, 405 and OPTIONS too", function()
      gate.use(note "all")
      gate.use("/x", note "x")
      gate.get("/x", answer "get")
      assert.equal(404, (request("GET", "/none")))
      assert.equal(405, (request("PUT", "/x")))
      assert.equal(204, (request("OPTIONS", "/x")))
      assert.equal(204, (request("OPTIONS", "*")))
      assert.same({ "all", "all", "x", "all", "x", "all" }, seen)
    end)

    it("of the route that a preflight asks about answer it, with its params", function()
      local function preflight(method) return { headers = { ["access-control-request-method"] = method } } end
      local api = gate.scope("/api", note "scope")
      api.post("/{x}", note "post", function() error "ran" end)
      api.sse("/{x}", function(req) seen[#seen + 1] = req.params.x return 204, "own" end, function() end)
      assert.equal(204, (request("OPTIONS", "/api/1", preflight "POST")))
      assert.same({ 204, "own" }, { request("OPTIONS", "/api/2", preflight "GET") })
      assert.equal(204, (request("OPTIONS", "/api/3", preflight "PUT")))
      assert.equal(404, (request("OPTIONS", "/none", preflight "GET")))
      assert.equal(204, (request("OPTIONS", "/api/4")))
      assert.same({ "scope", "post", "scope", "2" }, seen)
    end)

    it("can answer in place of a missing route", function()
      gate.use(function(_, _, next)
        local status = next()
        if status == 404 then return 404, "nothing here" end
      end)
      gate.get("/x", answer "get")
      assert.same({ 404, "nothing here" }, { request("GET", "/none") })
      assert.equal("get", (request("GET", "/x")))
    end)

    it("that do not decide are an error", function()
      gate.use("/x", function() end)
      gate.get("/x", answer "in")
      assert.has_error(function() request("GET", "/x") end)
      assert.is_nil(generation.log.response)
    end)
  end)

  describe("a path with several transports", function()
    local upgrade = { is_upgrade = true }
    local events = { headers = { accept = "text/html, Text/Event-Stream;q=0.9" } }

    it("gives upgrades to ws, event streams to sse and the rest to get", function()
      gate.get("/s", answer "page")
      gate.ws("/s", function() end)
      gate.sse("/s", function() end)
      request("GET", "/s", upgrade)
      assert.equal("accept ws", generation.log[1])
      assert.equal("WS /s", generation.log.route)
      request("GET", "/s", events)
      assert.equal("accept sse", generation.log[1])
      assert.equal("page", (request("GET", "/s")))
      assert.equal("page", (request("GET", "/s", { headers = { accept = "*/*" } })))
      assert.equal("page", (request("HEAD", "/s")))
    end)

    it("gives no event stream to a client that refuses them (RFC 9110 12.5.1)", function()
      gate.get("/s", answer "page")
      gate.sse("/s", function() end)
      for _, accept in ipairs { "text/event-stream;q=0", "text/html, text/event-stream; q=0.000",
        "text/event-streams" } do
        assert.equal("page", (request("GET", "/s", { headers = { accept = accept } })), accept)
      end
      for _, accept in ipairs { "text/event-stream;q=0.1", "text/event-stream;q=1.0",
        "a/b ,text/event-stream;x=q=0" } do
        request("GET", "/s", { headers = { accept = accept } })
        assert.equal("accept sse", generation.log[1], accept)
      end
    end)

    it("takes names of params from the route it serves", function()
      gate.get("/s/{a}", function(req) return req.params end)
      gate.sse("/s/{b}", function() end)
      request("GET", "/s/1", events)
      assert.same({ b = "1" }, generation.req.params)
      assert.same({ a = "1" }, (request("GET", "/s/1")))
    end)

    it("serves sse without asking when there is no get", function()
      gate.sse("/s", function() end)
      request("GET", "/s")
      assert.equal("accept sse", generation.log[1])
    end)

    it("keeps any from sse requests only", function()
      gate.any("/s", answer "any")
      gate.sse("/s", function() end)
      request("GET", "/s", events)
      assert.equal("accept sse", generation.log[1])
      assert.equal("any", (request("GET", "/s")))
      assert.equal("any", (request("POST", "/s", events)))
    end)

    it("answers a plain GET of a ws route as a handshake that is none", function()
      gate.ws("/s", function() end)
      assert.same({ 426, "no upgrade", { ["x-why"] = "upgrade" } }, { request("GET", "/s") })
      assert.same({ 405, nil, { Allow = "GET, HEAD, OPTIONS" } }, { request("POST", "/s") })
    end)

    it("serves HTTP to an upgrade where there is no ws route", function()
      gate.get("/s", answer "page")
      gate.ws("/other", function() end)
      assert.equal("page", (request("GET", "/s", upgrade)))
    end)
  end)
end)
