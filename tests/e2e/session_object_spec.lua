-- The object that scripts hold of a session: one and the same at every event,
-- with the fields that scripts keep on it, also when the session is over.
local cjson = require "cjson"
local http = require "support.http"
local sse = require "support.sse"
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
-- What each method says when the session's end has been asked for.
local arguments = { join = { "t", { as = "ghost" } }, leave = { "t" }, send = { "x" } }
local answers
local function try_methods(conn)
  conn:join("t", { as = "member" })
  conn:close()
  answers = {}
  for _, name in ipairs { "join", "leave", "topics", "send", "drain", "close", "recv", "ping" } do
    local method = conn[name]
    local values = method and table.pack(method(conn, table.unpack(arguments[name] or {})))
    for i = 1, method and values.n or 0 do values[i] = tostring(values[i]) end
    answers[name] = method and table.concat(values, " ")
  end
  for _, member in ipairs(gate.presence "t") do answers[member.id] = "is a member" end
  gate.log.info "tried all methods"
end
gate.ws("/ended", { open = try_methods })
gate.sse("/ended", { open = try_methods })
gate.get("/answers", function() return answers end)

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
    local _ <close> = ws.connect(server, "/plain?as=true")
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

  -- The client has not answered the close frame.
  it("does nothing more once its end has been asked for", function()
    local closed = "nil closed closed"
    local expected = { join = closed, leave = closed, topics = closed, send = closed, drain = closed, close = closed,
                       member = "is a member" }
    local mark = server:mark()
    sse.connect(server, "/ended")
    server:wait_for_log("tried all methods", mark)
    assert.same(expected, http.get(server, "/answers"):json())
    mark = server:mark()
    ws.connect(server, "/ended", { auto_close = false })
    server:wait_for_log("tried all methods", mark)
    expected.recv, expected.ping = closed, closed
    assert.same(expected, http.get(server, "/answers"):json())
  end)
end)
