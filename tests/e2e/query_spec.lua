-- Queries and forms: decoded as the URL standard says, every value within reach, over
-- HTTP, WebSocket and event streams alike.
local cjson = require "cjson"
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"

local function hex(text) return text and (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

gate.get("/one", function(req) return tostring(hex(req.query.a)) end)
gate.get("/all", function(req) return table.concat(req:query_all "a", "|") .. ";" .. #req:query_all "none" end)
gate.get("/json", function(req) return req:query_all "a" end)
gate.get("/groups", function(req)
  local all = req:query_all()
  return table.concat(all.a, "|") .. ";" .. table.concat(all.b, "|") .. ";" .. tostring(all.c)
end)
gate.get("/raw", function(req) return "<" .. req.raw_query .. ">" end)
gate.get("/bad", function(req) return req:query_all(5) end)
gate.get("/late", function(req, res)
  res:finish()
  gate.log.info("late", req.raw_query, table.concat(req:query_all "a", "|"))
end)
gate.post("/form", function(req)
  local form, message, code = req:form()
  if not form then return 400, message .. " " .. code end
  return tostring(hex(form.a))
end)
gate.post("/form_all", function(req)
  local values, message, code = req:form_all "a"
  if not values then return 400, message .. " " .. code end
  return table.concat(values, "|") .. ";" .. table.concat(req:form_all().b or {}, "|")
end)
gate.get("/cookie", function(req) return req.cookies.a end)
gate.get("/p/{x}", function(req) return req.params.x end)

local function show(conn)
  return table.concat(conn:query_all "a", "|") .. ";" .. conn.raw_query .. ";" .. tostring(conn.query.a)
end
gate.ws("/ws", function(it) it:send(show(it)) end)
gate.sse("/sse", function(it) it:send(show(it)) end)
]]

local function to_hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- A value as it is sent, and what scripts get. The URL standard, 5.1 and 1.3.
local ROWS = {
  { "50%+off", "50% off" },
  { "%00", "\0" },
  { "a%00b", "a\0b" },
  { "%", "%" },
  { "%%", "%%" },
  { "%4", "%4" },
  { "%zz", "%zz" },
  { "%2", "%2" },
  { "%%41", "%A" },
  { "%25%32%35", "%25" },
  { "a+b%2Bc%20d", "a b+c d" },
  { "%c3%a4%", "ä%" },
  { "%ff", "\xff" },
  { "x=y", "x=y" },
  { "", "" },
}

describe("a query", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  local function get(path) return http.get(server, path).body end
  local function post(path, body, kind)
    return http.post(server, path, body, { ["Content-Type"] = kind or "application/x-www-form-urlencoded" })
  end

  for _, row in ipairs(ROWS) do
    it(("and a form decode %q"):format(row[1]), function()
      assert.equal(to_hex(row[2]), get("/one?a=" .. row[1]))
      assert.equal(to_hex(row[2]), get("/one?b=1&a=" .. row[1] .. "&a=2"))
      assert.equal(to_hex(row[2]), post("/form", "a=" .. row[1]).body)
    end)
  end

  it("has names that are decoded likewise", function()
    assert.equal(to_hex "1", get "/one?%61=1")
    assert.equal("nil", get "/one?%a=1")
  end)

  it("gives all values of a name in order, and none as an empty array", function()
    assert.equal("1|2||3 4;0", get "/all?a=1&b=x&%61=2&a&a=3+4")
    assert.equal(";0", get "/all")
    assert.equal("1|2;x;nil", get "/groups?a=1&b=x&a=2")
    assert.equal('["1"]', get "/json?a=1")
    assert.equal("[]", get "/json")
  end)

  it("is there as it was sent", function()
    assert.equal("<a=%zz&b=+&&c>", get "/raw?a=%zz&b=+&&c")
    assert.equal("<>", get "/raw?")
    assert.equal("<>", get "/raw")
    local mark = server:mark()
    http.get(server, "/late?a=1&a=2")
    server:wait_for_log("late a=1&a=2 1|2", mark)
  end)

  it("wants names that are strings", function()
    local mark = server:mark()
    assert.equal(500, http.get(server, "/bad?5=1").status)
    server:wait_for_log("app.lua:13: bad argument #1 to 'query_all' %(string expected, got number%)", mark)
  end)

  it("is the same on a WebSocket and on a stream", function()
    for query, expected in pairs { ["?a=50%+off&a=2"] = "50% off|2;a=50%+off&a=2;50% off", [""] = ";;nil" } do
      assert.equal(expected, (ws.connect(server, "/ws" .. query):receive()))
      assert.equal(expected, sse.connect(server, "/sse" .. query):receive().data)
    end
  end)
end)

describe("a form", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  it("gives all values of a name", function()
    local headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
    assert.equal("1|2|;3", http.post(server, "/form_all", "a=1&b=3&a=2&a=", headers).body)
    assert.equal(";", http.post(server, "/form_all", "", headers).body)
  end)

  it("that is declared as something else is refused", function()
    local answer = http.post(server, "/form_all", cjson.encode {}, { ["Content-Type"] = "application/json" })
    assert.equal("the body is not application/x-www-form-urlencoded content_type", answer.body)
  end)
end)

describe("what is no form", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  it("is not decoded: a cookie", function()
    assert.equal("50%+off", http.get(server, "/cookie", { Cookie = "a=50%+off" }).body)
  end)

  it("is refused: a path with a % that is no code, or with a NUL", function()
    assert.equal("50% off", http.get(server, "/p/50%25%20off").body)
    assert.equal("a+b", http.get(server, "/p/a+b").body)
    for _, path in ipairs { "/p/50%", "/p/%zz", "/p/%4", "/p/a%00b" } do
      assert.equal(400, http.get(server, path).status, path)
    end
  end)
end)
