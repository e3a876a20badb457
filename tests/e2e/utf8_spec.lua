-- What is not UTF-8 never gets into a text message: one client's odd bytes would
-- end the connections of all others.
local cjson = require "cjson"
local http = require "support.http"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local open = function(ws) ws:join("presence:room"); ws:join("room"); ws:send("ready") end
gate.ws("/plain", { open = open })
gate.ws("/envelope", { envelope = true, open = open })

-- Acts with the query's value, and tells the code of the refusal or that there was none.
local function acts(path, act)
  gate.ws(path, { open = function(ws)
    local done, _, code = act(ws, ws.query.value)
    ws:send(code or done and "done")
  end })
end
acts("/info", function(ws, value) return ws:join("room", { as = "ann", info = { name = value } }) end)
acts("/as", function(ws, value) return ws:join("room", { as = value }) end)
acts("/key", function(_, value) return gate.publish("room", "text", { key = value }) end)
acts("/text", function(_, value) return gate.publish("room", value) end)
acts("/json", function(_, value) return gate.publish("room", { value }) end)
acts("/json/binary", function(_, value) return gate.publish("room", { value }, { kind = "binary" }) end)
acts("/event", function(_, value) return gate.publish("room", "text", { event = value }) end)
acts("/send", function(ws, value) return ws:send { value } end)
acts("/send/key", function(ws, value) return ws:send { [value] = 1 } end)
acts("/send/binary", function(ws, value) return ws:send({ value }, "binary") end)
acts("/encode", function(_, value) return gate.json.encode { a = { value } } end)
gate.get("/table", function(req) return { a = { req.query.value } } end)
gate.get("/table/status", function(req) return 404, { a = req.query.value } end)
gate.post("/decode", function(req)
  local value, message, code = gate.json.decode(req:body())
  return { taken = value ~= nil, message = message, code = code }
end)
]]

local BAD = { "%ff", "%c3", "%ed%a0%80", "a%c3%28" }

describe("text that others get", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT, workers = 2 } end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  local function told(path)
    local client = ws.connect(server, path)
    local text = client:receive()
    client:close()
    return text
  end

  for path, code in pairs {
    ["/info"] = "utf8", ["/as"] = "as", ["/key"] = "utf8", ["/text"] = "utf8", ["/json"] = "utf8",
    ["/json/binary"] = "utf8", ["/event"] = "event",
  } do
    it("refuses what is not UTF-8: " .. path, function()
      local others = { ws.connect(server, "/plain"), ws.connect(server, "/envelope") }
      for _, client in ipairs(others) do assert.equal("ready", (client:receive())) end
      for _, value in ipairs(BAD) do
        assert.equal(code, told(path .. "?value=" .. value), value)
      end
      assert.equal("done", told("/text?value=fence"))
      assert.equal("fence", (others[1]:receive()))
      assert.equal("fence", cjson.decode((others[2]:receive())).data)
      for _, client in ipairs(others) do client:close() end
    end)
  end

  it("is JSON in an envelope, members' coming and going too", function()
    local client = ws.connect(server, "/envelope")
    client:receive()
    assert.equal("done", told("/info?value=%c3%96"))
    local message = cjson.decode((client:receive()))
    assert.same({ "presence:room", "presence" }, { message.topic, message.event })
    assert.same({ name = "Ö" }, message.data.joins[1].info)
    client:close()
  end)

  describe("as JSON is UTF-8 (8259 8.1):", function()
    for _, path in ipairs { "/send", "/send/key", "/send/binary", "/encode" } do
      it("a table that is not is refused, " .. path, function()
        for _, value in ipairs(BAD) do assert.equal("utf8", told(path .. "?value=" .. value), value) end
      end)
    end

    for _, path in ipairs { "/table", "/table/status" } do
      it("a table that is not is a 500 as an answer, and the log says why, " .. path, function()
        for _, value in ipairs(BAD) do
          local mark = server:mark()
          assert.equal(500, http.get(server, path .. "?value=" .. value).status, value)
          server:wait_for_log("returned a table with text that is not UTF%-8", mark)
        end
        assert.matches("Ö", http.get(server, path .. "?value=%c3%96").body)
      end)
    end
  end)

  -- what lua-cjson takes, the text, what is said of it
  for _, row in ipairs {
    { "bytes that are not UTF-8 (8.1)", '["\xff"]', "text must be UTF-8" },
    { "a surrogate in UTF-8 (8.1)", '["\xed\xa0\x80"]', "text must be UTF-8" },
    { "a tab in a string (7)", '["a\tb"]', "a control character in a string must be escaped" },
    { "a line break in a name (7)", '{"a\nb":1}', "a control character in a string must be escaped" },
    { "a NUL behind the value (2)", "1 \0x", "nothing may follow the value" },
    { "a point without digits behind it (6)", "[1.]", "a number must have digits on both sides of its point" },
    { "a point without digits before it (6)", "[-.5]", "a number must have digits on both sides of its point" },
  } do
    local name, text, message = table.unpack(row)
    it("is no JSON for gate.json.decode with " .. name, function()
      assert.same({ taken = false, message = message, code = "json" }, http.post(server, "/decode", text):json())
    end)
  end
end)
