-- The object that scripts hold of a session: one and the same at every event,
-- with the fields that scripts keep on it, also when the session is over.
local cjson = require "cjson"
local http = require "support.http"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local kept = {}                                     -- by object

local function facts(conn)
  return {
    text = tostring(conn), id = conn.id, data = conn.data, note = conn.note, missing = conn.missing == nil,
    params = conn.params, query = conn.query, is_known = kept[conn] ~= nil,
    is_same = conn.data == conn.data and conn.params == conn.params and conn.query == conn.query,
  }
end

-- upgrade answers by ?as=: what it returned, if it is a table, and when it lets in with true.
local given = { name = "ann" }
local function upgrade(req) return req.query.as == "table" and given or true end
local last
local options = {
  upgrade = upgrade,
  open = function(conn) kept[conn] = true; last = conn end,
  message = function(conn, text)
    if text == "write" then conn.data.written, conn.note = "yes", "noted" end
    local all = facts(conn)
    all.is_given = conn.data == given
    conn:send(all)
  end,
  close = function(conn) gate.log.info("closed, data of " .. tostring(conn.data.name)) end,
}
gate.ws("/plain", options)
gate.ws("/room/{room}", options)
gate.get("/last", function()
  collectgarbage()
  local sent, message, code = last:send "too late"
  return { facts = facts(last), sent = sent, code = code }
end)
-- A middleware may look at the request after the session has begun.
gate.use("/plain", function(req, _, next)
  next()
  gate.log.info("params after: " .. type(req.params))
  gate.log.info(("after: %s %s %s %s %s"):format(req.method, req.path, req.raw_path, req.peer, req.query.as))
end)
]]

describe("the object of a session", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  local function ask(client, text) return cjson.decode((client:ask(text))) end

  it("has empty data, params and query that are made when asked for, and stay", function()
    local client <close> = ws.connect(server, "/plain")
    local first = ask(client, "read")
    assert.same({ {}, {}, {} }, { first.data, first.params, first.query })
    assert.is_true(first.is_same and first.missing and first.is_known)
    assert.is_nil(first.note)
    assert.equal(("ws %d"):format(first.id), first.text)
    local second = ask(client, "write")
    assert.same({ "yes", "noted" }, { second.data.written, second.note })
    local third = ask(client, "read")
    assert.same({ "yes", "noted" }, { third.data.written, third.note })
    assert.is_true(third.is_same)
    server:wait_for_log "params after: table"
  end)

  it("leaves a middleware what the request was", function()
    local client <close> = ws.connect(server, "/plain?as=true")
    server:wait_for_log "after: GET /plain /plain 127%.0%.0%.1 true"
  end)

  it("has the table that upgrade returned, and the path's values", function()
    local client <close> = ws.connect(server, "/room/a%2Fb?as=table&x=1")
    local answer = ask(client, "read")
    assert.is_true(answer.is_given and answer.is_same)
    assert.same({ { name = "ann" }, { room = "a/b" }, { as = "table", x = "1" } },
      { answer.data, answer.params, answer.query })
  end)

  it("keeps its fields when the session is over, and says closed", function()
    local client = ws.connect(server, "/room/r?as=table")
    local id = ask(client, "read").id
    client:close()
    server:wait_for_log "closed, data of ann"
    local answer = http.get(server, "/last"):json()
    assert.equal("ws (closed)", answer.facts.text)
    assert.equal(id, answer.facts.id)
    assert.same({ { name = "ann" }, { room = "r" } }, { answer.facts.data, answer.facts.params })
    assert.is_true(answer.facts.is_known)
    assert.same({ nil, "closed" }, { answer.sent, answer.code })
  end)
end)
