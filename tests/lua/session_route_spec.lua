-- session_route: admission of WebSocket and SSE requests and what runs afterwards.
local fake_core = require "lua.support.fake_core"

describe("session_route", function()
  local generation, gate, log
  before_each(function()
    generation = fake_core.load()
    gate, log = generation.gate, generation.log
  end)

  local function upgrade(path, fields)
    local all = { is_upgrade = true }
    for name, value in pairs(fields or {}) do all[name] = value end
    return generation.request("GET", path, all)
  end

  local function noop() end

  it("accepts without an upgrade function, with no data", function()
    gate.sse("/other", noop)
    gate.ws("/s", { message = noop })
    upgrade "/s"
    assert.same({ "accept ws" }, { table.unpack(log) })
    assert.equal("ws /s", log.connection.key)
    assert.is_nil(log.connection.data)
    assert.is_nil(log.response)
  end)

  it("refuses a bad handshake before upgrade is asked", function()
    gate.ws("/s", { message = noop, upgrade = function() error "asked" end })
    assert.same({ 400, "bad handshake", { ["x-why"] = "key" } }, { upgrade("/s", { bad_handshake = true }) })
  end)

  it("takes an option as soon as C declares its row", function()
    local rows = generation.core.options "session"
    assert.is_false(pcall(gate.sse, "/s", { open = noop, later = 5 }))
    rows[#rows + 1] = { name = "later", type = "seconds", only = "sse" }
    rows[#rows + 1] = { name = "ended", type = "function" }
    generation = fake_core.load()
    rows[#rows], rows[#rows - 1] = nil, nil
    gate = generation.gate
    local _, message = pcall(gate.ws, "/s", { open = noop, later = 5 })
    assert.matches('unknown option "later"', message)
    gate.sse("/s", { ended = noop, later = 5 })
    assert.same({ ended = noop, later = 5 }, generation.app.finish().session_routes[1].options)
  end)

  for _, kind in ipairs { "ws", "sse" } do
    describe(kind .. " upgrade", function()
      local function decide(...)
        local verdict = table.pack(...)
        gate[kind]("/s", { open = noop, upgrade = function() return table.unpack(verdict, 1, verdict.n) end })
        return upgrade "/s"
      end

      it("accepts with a table, which becomes data", function()
        local data = { name = "ann" }
        decide(data)
        assert.equal(data, log.connection.data)
      end)

      it("accepts with true, with no data", function()
        decide(true)
        assert.is_nil(log.connection.data)
      end)

      it("takes headers for the acceptance", function()
        decide({}, { ["x-a"] = "b" })
        assert.same({ ["x-a"] = "b" }, log.connection.headers)
      end)

      it("refuses with a status, a body and headers", function()
        assert.same({ 401, "who?", { a = "b" } }, { decide(401, "who?", { a = "b" }) })
        assert.is_nil(log.connection)
      end)

      it("refuses with 403 for nil, false and nothing", function()
        assert.equal(403, (decide(nil, "no token", "missing")))
        generation = fake_core.load()
        gate, log = generation.gate, generation.log
        assert.equal(403, (decide(false)))
        generation = fake_core.load()
        gate, log = generation.gate, generation.log
        assert.equal(403, (decide()))
        assert.is_nil(log.connection)
      end)

      it("raises for any other value", function()
        local ok, message = pcall(decide, "ann")
        assert.is_false(ok)
        assert.truthy(message:find("^tests/lua/session_route_spec.lua:%d+: this upgrade returned a string %(expected"))
        assert.is_nil(log.connection)
      end)

      it("raises for headers that are no table", function()
        local _, message = pcall(decide, {}, "x")
        assert.matches("_spec.lua:%d+: this upgrade returned headers as a string; they must be a table", message)
      end)
    end)
  end

  it("leaves a response alone that upgrade wrote itself", function()
    gate.ws("/s", { open = noop, upgrade = function(_, res) res.started = true end })
    assert.equal(0, select("#", upgrade "/s"))
    assert.is_nil(log.connection)
  end)

  it("does nothing more when the peer has left", function()
    local opened = false
    gate.ws("/s", { open = function() opened = true end })
    upgrade("/s", { has_left = true })
    assert.is_false(opened)
    assert.same({ "accept ws" }, { table.unpack(log) })
  end)

  it("opens only after the whole chain has unwound", function()
    local seen = {}
    gate.use(function(_, _, next)
      next()
      seen[#seen + 1] = "use out"
      return "ignored"
    end)
    gate.ws("/s", function(_, _, next) seen[#seen + 1] = "guard" return next() end, {
      upgrade = function() seen[#seen + 1] = "upgrade" return true end,
      open = function(ws)
        seen[#seen + 1] = "open"
        assert.equal(log.connection, ws)
      end,
    })
    upgrade "/s"
    assert.same({ "guard", "upgrade", "use out", "open" }, seen)
    assert.is_nil(log.response)
    assert.is_false(log.connection.is_bare, "a middleware may look at the request")
  end)

  it("ends the request where nothing stands around it", function()
    gate.ws("/s", { open = noop })
    upgrade "/s"
    assert.is_true(log.connection.is_bare)
  end)

  it("is refused by a guard like any request", function()
    gate.scope("/api", function() return 401 end).ws("/s", { upgrade = function() error "asked" end, open = noop })
    assert.equal(401, (upgrade "/api/s"))
    assert.is_nil(log.connection)
  end)

  it("carries what a guard put on the request", function()
    gate.ws("/s/{room}", function(req, _, next) req.claims = { sub = "ann" } return next() end, {
      upgrade = function(req) return { name = req.claims.sub, room = req.params.room } end,
      open = noop,
    })
    upgrade "/s/a%2Fb"
    assert.same({ name = "ann", room = "a/b" }, log.connection.data)
  end)

  describe("subprotocol", function()
    local function chosen(offer)
      generation = fake_core.load()
      gate, log = generation.gate, generation.log
      gate.ws("/s", { open = noop, protocols = { "chat", "v2.chat" } })
      upgrade("/s", { headers = { ["sec-websocket-protocol"] = offer } })
      return log.connection.protocol
    end

    it("is the client's first that the route speaks", function()
      assert.equal("v2.chat", chosen "other, v2.chat,chat")
      assert.equal("chat", chosen "chat")
    end)

    it("is none when nothing fits", function()
      assert.is_nil(chosen "Chat, chat2")
      assert.is_nil(chosen(nil))
    end)

    it("is none when the route names none", function()
      gate.ws("/s", noop)
      upgrade("/s", { headers = { ["sec-websocket-protocol"] = "chat" } })
      assert.is_nil(log.connection.protocol)
    end)
  end)

  it("closes when a ws task returns", function()
    local got
    gate.ws("/s", function(ws) got = ws ws.joined = { "room" } end)
    upgrade "/s"
    assert.equal(log.connection, got)
    assert.same({ "accept ws", "close" }, { table.unpack(log) })
  end)

  it("ends a stream when its task returns, unless it has joined a topic", function()
    gate.sse("/plain", noop)
    gate.sse("/joined", function(stream) stream.joined = { "news" } end)
    generation.request("GET", "/plain")
    assert.same({ "accept sse", "close" }, { table.unpack(log) })
    generation.request("GET", "/joined")
    assert.same({ "accept sse" }, { table.unpack(log) })
  end)

  it("lets the error of a task through", function()
    gate.ws("/s", function() error "boom" end)
    assert.has_error(function() upgrade "/s" end)
  end)

  it("asks upgrade for HEAD of an sse route, too, and opens no session", function()
    local opened = false
    gate.sse("/s", { open = function() opened = true end, upgrade = function(req) return req.allowed end })
    generation.request("HEAD", "/s", { allowed = true })
    assert.same({ "accept sse" }, { table.unpack(log) })
    assert.equal(403, (generation.request("HEAD", "/s")))
    assert.is_false(opened)
  end)
end)
