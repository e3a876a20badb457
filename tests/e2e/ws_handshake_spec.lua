-- The opening handshake (RFC 6455 sections 4 and 9.1): who is let in, who is
-- refused, and with what. Each rule of a header alone is a row of the unit test.
local http = require "support.http"
local frame = require "support.frame"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.ws("/plain", { message = function(ws, data) ws:send(data) end })
gate.ws("/counted", {
  upgrade = function() gate.log.info "upgrade ran" return true end,
  message = function(ws, data) ws:send(data) end,
})
gate.ws("/origin", {
  upgrade = function(req) return req.headers.origin == "https://good.example" and { from = req.headers.origin } end,
  open = function(ws) ws:send(ws.data.from) end,
})
gate.ws("/redirect", {
  upgrade = function() return 302, nil, { Location = "/plain" } end,
  open = function() end,
})
gate.ws("/login", {
  upgrade = function() return 401, nil, { ["WWW-Authenticate"] = "Basic" } end,
  open = function() end,
})
gate.ws("/header", {
  upgrade = function(req) return true, { [req.query.name] = "x" } end,
  open = function(ws) ws:send "in" end,
})
gate.ws("/protocols", {
  protocols = { "chat.v2", "chat.v1" },
  open = function(ws) ws:send(ws.protocol or "none") end,
})
gate.ws("/seen/{room}", {
  upgrade = function(req)
    return { room = req.params.room, q = req.query.q, cookie = req.cookies.c, agent = req.headers["user-agent"] }
  end,
  open = function(ws)
    ws:send { data = ws.data, params = ws.params, query = ws.query, peer = ws.peer, id = ws.id }
  end,
})
local upgrades = {
  number = function() return 401 end,
  triple = function() return 403, "members only", { ["X-Why"] = "club" } end,
  json = function() return 409, { error = "taken" } end,
  null = function() end,
  no = function() return false end,
  yes = function() return true end,
  fail = function() error "broken upgrade" end,
  late = function() gate.sleep(0.05) gate.log.info "decided" return { late = true } end,
  text = function() return "yes" end,
}
for name, upgrade in pairs(upgrades) do
  gate.ws("/upgrade/" .. name, { upgrade = upgrade, open = function(ws) ws:send(ws.data) end,
                                 message = function(ws, data) ws:send("got " .. data) end })
end
gate.get("/fence", function() gate.log.info "fence" return "ok" end)
gate.get("/ok", function() return "ok" end)
gate.get("/sessions", function() return tostring(gate.stats().websockets) end)
]]

describe("a WebSocket handshake", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  it("is accepted for every valid key", function()
    for _ = 1, 3 do
      local client <close> = ws.connect(server, "/plain")
      assert.equal("hello", client:ask "hello")
    end
  end)

  local function field(name, value) return { headers = { [name] = value } } end

  it("may come with what browsers and proxies make of the headers (4.2.1)", function()
    for _, options in ipairs {
      field("Upgrade", "WebSocket"),
      field("Upgrade", "websocket, foo"),
      field("Connection", "keep-alive, Upgrade"),
      field("Connection", { "keep-alive", "upgrade" }),
      field("Origin", "https://elsewhere.example"),
      field("Sec-WebSocket-Protocol", "unknown"),
      { request_line = "GET http://test/plain HTTP/1.1" },
      { request_line = "GET /plain?a=b HTTP/1.1" },
    } do
      local client <close> = ws.connect(server, "/plain", options)
      assert.equal("hello", client:ask "hello")
      assert.is_nil(client.response.headers["sec-websocket-protocol"])
    end
  end)

  -- section, what, the request, the status
  for _, case in ipairs {
    { "4.2.1 (1)", "HTTP/1.0", { request_line = "GET /plain HTTP/1.0" }, 426 },
    { "4.2.1 (1)", "a POST", { request_line = "POST /plain HTTP/1.1" }, 405 },
    { "4.2.1 (1)", "a body", field("Content-Length", "3"), 400 },
    { "4.2.1 (1)", "a chunked body", field("Transfer-Encoding", "chunked"), 400 },
    { "4.2.1 (2)", "no Host", field("Host", false), 400 },
    { "4.2.1 (2)", "two Hosts", field("Host", { "a", "b" }), 400 },
    { "4.2.1 (3)", "no Upgrade", field("Upgrade", false), 426 },
    { "4.2.1 (3)", "another Upgrade", field("Upgrade", "h2c"), 426 },
    { "4.2.1 (4)", "no Connection", field("Connection", false), 426 },
    { "4.2.1 (4)", "Connection without Upgrade", field("Connection", "keep-alive"), 426 },
    { "4.2.1 (5)", "no key", field("Sec-WebSocket-Key", false), 400 },
    { "4.2.1 (5)", "a key of 17 bytes", field("Sec-WebSocket-Key", "AAECAwQFBgcICQoLDA0ODxA="), 400 },
    { "11.3.1", "two keys",
      field("Sec-WebSocket-Key", { "AAECAwQFBgcICQoLDA0ODw==", "AAECAwQFBgcICQoLDA0ODw==" }), 400 },
    { "4.2.1 (6)", "no version", field("Sec-WebSocket-Version", false), 426 },
    { "4.4", "version 8", field("Sec-WebSocket-Version", "8"), 426 },
    { "4.4", "version 25", field("Sec-WebSocket-Version", "25"), 426 },
    { "11.3.5", "two versions", field("Sec-WebSocket-Version", { "13", "8" }), 426 },
    { "4.3", "malformed subprotocols", field("Sec-WebSocket-Protocol", "a b"), 400 },
    { "9.1", "malformed extensions", field("Sec-WebSocket-Extensions", "a; =1"), 400 },
    { "4.2.2", "no such resource", { request_line = "GET /nowhere HTTP/1.1" }, 404 },
  } do
    local section, name, options, status = table.unpack(case)
    it(("with %s is refused with %d, before any script sees it (%s)"):format(name, status, section), function()
      local mark = server:mark()
      local response = ws.refused(server, "/counted", options)
      assert.equal(status, response.status)
      assert.is_nil(response.headers["sec-websocket-accept"])
      http.get(server, "/fence")
      server:wait_for_log("fence", mark)
      assert.is_nil(server:find_log("upgrade ran", mark))
      if status == 426 then
        assert.equal("websocket", response.headers.upgrade)
        assert.equal("13", response.headers["sec-websocket-version"])
        assert.matches("^Upgrade", response.headers.connection)
      end
    end)
  end

  it("of another version is told the right one (4.4)", function()
    for _, version in ipairs { "8", "14", "25", "013", "13, 8", "", { "13", "13" } } do
      assert.equal("13", ws.refused(server, "/plain",
        field("Sec-WebSocket-Version", version)).headers["sec-websocket-version"])
    end
    assert.equal("13", ws.refused(server, "/plain",
      field("Sec-WebSocket-Version", false)).headers["sec-websocket-version"])
  end)

  it("may offer extensions, of which none is in use that the route does not want (9.1)", function()
    for _, offer in ipairs { "permessage-deflate; client_max_window_bits", "foo, bar; baz=2", { "foo", "bar" } } do
      local client <close> = ws.connect(server, "/plain", field("Sec-WebSocket-Extensions", offer))
      assert.equal("hello", client:ask "hello")
      assert.is_nil(client.response.headers["sec-websocket-extensions"])
    end
  end)

  it("shows its origin to the script, which may refuse it (4.2.2, 10.2)", function()
    local client <close> = ws.connect(server, "/origin", field("Origin", "https://good.example"))
    assert.equal("https://good.example", client:receive())
    assert.equal(403, ws.refused(server, "/origin", field("Origin", "https://evil.example")).status)
    assert.equal(403, ws.refused(server, "/origin").status)
  end)

  it("may be answered with a redirect or a demand for credentials (4.2.2)", function()
    local redirect = ws.refused(server, "/redirect")
    assert.same({ 302, "/plain" }, { redirect.status, redirect.headers.location })
    local login = ws.refused(server, "/login")
    assert.same({ 401, "Basic" }, { login.status, login.headers["www-authenticate"] })
  end)

  it("is not answered with headers of the handshake that a script made up (11.3)", function()
    local client <close> = ws.connect(server, "/header?name=X-Own")
    assert.equal("x", client.response.headers["x-own"])
    for _, name in ipairs { "Upgrade", "Sec-WebSocket-Accept", "sec-websocket-protocol", "Sec-WebSocket-Extensions" } do
      local mark = server:mark()
      assert.equal(500, ws.refused(server, "/header?name=" .. name).status)
      server:wait_for_log("a header of the handshake was set", mark)
    end
  end)

  it("that is refused leaves the connection to HTTP", function()
    local connection <close> = http.connect(server)
    connection:send((ws.handshake "/upgrade/number"))
    assert.equal(401, connection:response().status)
    assert.equal("ok", connection:get("/ok").body)
    connection:send((ws.handshake "/plain"))
    assert.equal(101, connection:response().status)
  end)

  it("may come byte by byte", function()
    local connection <close> = http.connect(server)
    connection.socket:send_in_pieces(ws.handshake "/plain", 1)
    assert.equal(101, connection:response().status)
  end)

  it("may have messages right behind it in one packet", function()
    local early = frame.encode { data = "one" } .. frame.encode { data = "two" }
    local client <close> = ws.connect(server, "/plain", { early = early .. frame.encode { data = "three" }:sub(1, 4) })
    assert.equal("one", client:receive())
    assert.equal("two", client:receive())
    client:send_raw(frame.encode({ data = "three" }):sub(5))
    assert.equal("three", client:receive())
  end)

  it("may have messages behind it before a slow upgrade has decided", function()
    local client <close> = ws.connect(server, "/upgrade/late", { early = frame.encode { data = "early" } })
    assert.equal('{"late":true}', client:receive())
    assert.equal("got early", client:receive())
  end)

  it("may come behind a pipelined request", function()
    local connection <close> = http.connect(server)
    connection:send("GET /ok HTTP/1.1\r\nHost: x\r\n\r\n" .. ws.handshake "/plain")
    assert.equal("ok", connection:response().body)
    assert.equal(101, connection:response().status)
  end)

  describe("subprotocol (4.2.2)", function()
    -- what is offered -> what is chosen
    for _, case in ipairs {
      { "chat.v1", "chat.v1" },
      { "other, chat.v1 ,chat.v2", "chat.v1" },
      { "chat.v2,chat.v1", "chat.v2" },
      { { "other", "chat.v1, chat.v2" }, "chat.v1" },
      { "chat.v1, chat.v1", "chat.v1" },
      { ", chat.v2,", "chat.v2" },
      { "other", nil },
      { "CHAT.V1", nil },
      { "chat", nil },
      { nil, nil },
    } do
      local offer, chosen = case[1], case[2]
      local shown = type(offer) == "table" and table.concat(offer, " + ") or tostring(offer)
      it(("of %q is %s"):format(shown, chosen or "none"), function()
        local client <close> = ws.connect(server, "/protocols", field("Sec-WebSocket-Protocol", offer))
        assert.equal(chosen or "none", client:receive())
        assert.equal(chosen, client.response.headers["sec-websocket-protocol"])
      end)
    end
  end)

  describe("with an upgrade function", function()
    it("shows it the request and gives the session what it returned", function()
      local client <close> = ws.connect(server, "/seen/caf%C3%A9?q=1", {
        headers = { Cookie = "c=biscuit", ["User-Agent"] = "spec" },
      })
      local seen = require("cjson").decode((client:receive()))
      assert.same({ room = "café", q = "1", cookie = "biscuit", agent = "spec" }, seen.data)
      assert.equal("café", seen.params.room)
      assert.equal("1", seen.query.q)
      assert.equal("127.0.0.1", seen.peer)
      assert.truthy(seen.id)
    end)

    it("refuses with a number, a body and headers", function()
      assert.equal(401, ws.refused(server, "/upgrade/number").status)
      local response = ws.refused(server, "/upgrade/triple")
      assert.same({ 403, "members only", "club" }, { response.status, response.body, response.headers["x-why"] })
      assert.same({ error = "taken" }, ws.refused(server, "/upgrade/json"):json())
    end)

    it("refuses with 403 for nil and false", function()
      assert.equal(403, ws.refused(server, "/upgrade/null").status)
      assert.equal(403, ws.refused(server, "/upgrade/no").status)
    end)

    it("accepts with true", function()
      local client <close> = ws.connect(server, "/upgrade/yes")
      assert.truthy((client:receive()):match "^[%[{][%]}]$")
    end)

    it("that raises, or returns what means nothing, is 500", function()
      local mark = server:mark()
      assert.equal(500, ws.refused(server, "/upgrade/fail").status)
      server:wait_for_log("broken upgrade", mark)
      assert.equal(500, ws.refused(server, "/upgrade/text").status)
    end)

    it("that lets in who has left meanwhile leaves no session behind", function()
      require("support.tcp").close_all()
      local mark = server:mark()
      local client = ws.open(server, "/upgrade/late")
      loop.wait(function() return client.socket.is_connected and client.socket.writes == 0 end, "handshake sent")
      client:drop()
      server:wait_for_log("decided", mark)
      loop.poll(function() return http.get(server, "/sessions").body == "0" end, "end of all sessions")
    end)
  end)
end)
