-- Logins with a JSON Web Token, checked before a session starts.
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local secret = gate.env.SPEC_SECRET
local function who(req)
  local claims = gate.jwt.verify(req:bearer() or req.query.token, secret)
  if not claims then return 401 end
  return { name = claims.sub }
end
gate.ws("/ws", { upgrade = who, open = function(ws) ws:send(ws.data.name) end })
gate.sse("/sse", { upgrade = who, open = function(stream) stream:send(stream.data.name) end })
gate.post("/token", function(req) return gate.jwt.sign({ sub = req:body() }, secret, { exp = 60 }) end)
gate.get("/why", function(req)
  local claims, message, code = gate.jwt.verify(req:bearer(), secret)
  return { sub = claims and claims.sub, message = message, code = code }
end)
gate.get("/no-secret", function(req)
  return gate.jwt.verify(req:bearer(), gate.env.NO_SUCH_SECRET) and "in" or "out"
end)
]]

-- Made with another implementation (openssl dgst -hmac).
local HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
local GOOD = HEADER .. "eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDB9.2RT6GP_6K4xNVEELgIUUDtZPhJ_uXi2sd-COml3Q-uQ"
local BAD = {
  expired = HEADER .. "eyJzdWIiOiJhZGEiLCJleHAiOjEwMDAwMDAwMDB9.IszWgOV_50bgn6-G3GXVMp7j3TGZI8LduhaCJypUNHI",
  ["signed with another secret"] = HEADER
    .. "eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDB9.LJWHW9j_cXGjMPN7m57CbACD6EDup1mZjDM1waI7OAY",
  ["of algorithm none"] = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZGEifQ.",
  ["of algorithm none with a signature"] = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZGEifQ."
    .. "BGGNxxkwiINA3IgtObwIK7qsTi_OwVd3odCUdci9qgk",
  ["changed"] = GOOD:gsub("ZGEi", "ZGFi", 1),
  ["cut"] = GOOD:sub(1, -2),
  ["that is none"] = "a.b.c",
}

describe("a JWT", function()
  local server
  setup(function()
    server = tidegate.start { scripts = SCRIPT, env = { SPEC_SECRET = "a secret of the spec", NO_SUCH_SECRET = false } }
  end)
  teardown(function() server:stop() end)

  local function bearer(token) return { Authorization = "Bearer " .. token } end

  it("that is good lets a WebSocket in, from the header or the query", function()
    local header <close> = ws.connect(server, "/ws", { headers = bearer(GOOD) })
    assert.equal("ada", (header:receive()))
    local query <close> = ws.connect(server, "/ws?token=" .. GOOD)
    assert.equal("ada", (query:receive()))
  end)

  it("that is good lets an event stream in", function()
    local stream <close> = sse.connect(server, "/sse?token=" .. GOOD)
    assert.equal("ada", stream:receive().data)
  end)

  it("missing keeps everybody out", function()
    assert.equal(401, ws.refused(server, "/ws").status)
    assert.equal(401, http.get(server, "/sse", { Accept = "text/event-stream" }).status)
  end)

  for name, token in pairs(BAD) do
    it(name .. " keeps out and says why to the script", function()
      assert.equal(401, ws.refused(server, "/ws", { headers = bearer(token) }).status)
      assert.equal(401, http.get(server, "/sse?token=" .. token).status)
      local why = http.get(server, "/why", bearer(token)):json()
      assert.is_nil(why.sub)
      assert.is_true(#why.message > 0 and #why.code > 0)
    end)
  end

  it("that the server signs is good", function()
    local token = http.post(server, "/token", "grace").body
    local client <close> = ws.connect(server, "/ws", { headers = bearer(token) })
    assert.equal("grace", (client:receive()))
  end)

  it("is never good where no secret is set", function()
    assert.equal(500, http.get(server, "/no-secret", bearer(GOOD)).status)
  end)
end)
