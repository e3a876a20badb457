-- The opening handshake: who is let in, who is refused, and with what.
local http = require "support.http"
local frame = require "support.frame"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.ws("/plain", { message = function(ws, data) ws:send(data) end })
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

  it("tolerates what browsers and proxies make of the headers", function()
    for _, headers in ipairs {
      { Upgrade = "WebSocket" },
      { Connection = "keep-alive, Upgrade" },
      { Connection = "upgrade" },
      { Upgrade = "websocket, foo" },
      { Origin = "https://elsewhere.example" },
      { ["Sec-WebSocket-Extensions"] = "permessage-deflate; client_max_window_bits" },
    } do
      local client <close> = ws.connect(server, "/plain", { headers = headers })
      assert.equal("hello", client:ask "hello")
      assert.is_nil(client.response.headers["sec-websocket-extensions"])
    end
  end)

  local function field(name, value) return { headers = { [name] = value } } end
  for name, case in pairs {
    ["no key"] = { field("Sec-WebSocket-Key", false), 400 },
    ["an empty key"] = { field("Sec-WebSocket-Key", ""), 400 },
    ["a short key"] = { field("Sec-WebSocket-Key", "c2hvcnQ="), 400 },
    ["a long key"] = { field("Sec-WebSocket-Key", "AAECAwQFBgcICQoLDA0ODxA="), 400 },
    ["a key that is not base64"] = { field("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!=="), 400 },
    ["no version"] = { field("Sec-WebSocket-Version", false), { [400] = true, [426] = true } },
    ["an old version"] = { field("Sec-WebSocket-Version", "8"), 426 },
    ["a version of letters"] = { field("Sec-WebSocket-Version", "13x"), { [400] = true, [426] = true } },
    ["HTTP/1.0"] = { { request_line = "GET /plain HTTP/1.0" }, { [400] = true, [426] = true } },
    ["a POST"] = { { request_line = "POST /plain HTTP/1.1" }, 405 },
    ["no Upgrade header"] = { field("Upgrade", false), 426 },
    ["no Connection header"] = { field("Connection", false), 426 },
    ["another protocol"] = { field("Upgrade", "h2c"), 426 },
    ["a body"] = { field("Content-Length", "3"), 400 },
  } do
    it("with " .. name .. " is refused", function()
      local response = ws.refused(server, "/plain", case[1])
      if type(case[2]) == "table" then
        assert.is_true(case[2][response.status], "status " .. response.status)
      else
        assert.equal(case[2], response.status)
      end
    end)
  end

  it("of an old version is told the right one", function()
    assert.equal("13", ws.refused(server, "/plain", field("Sec-WebSocket-Version", "8")).headers["sec-websocket-version"])
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

  describe("subprotocol", function()
    -- what is offered -> what is chosen
    for offer, chosen in pairs {
      ["chat.v1"] = "chat.v1",
      ["other, chat.v1 ,chat.v2"] = "chat.v1",
      ["chat.v2,chat.v1"] = "chat.v2",
      ["other"] = "none",
      ["CHAT.V1"] = "none",
    } do
      it(("of %q is %s"):format(offer, chosen), function()
        local client <close> = ws.connect(server, "/protocols", { protocols = offer })
        assert.equal(chosen, client:receive())
        assert.equal(chosen ~= "none" and chosen or nil, client.response.headers["sec-websocket-protocol"])
      end)
    end

    it("is not named where none is offered", function()
      local client <close> = ws.connect(server, "/protocols")
      assert.equal("none", client:receive())
      assert.is_nil(client.response.headers["sec-websocket-protocol"])
    end)
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
