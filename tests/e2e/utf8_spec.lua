-- What is not UTF-8 never gets into a text message: one client's odd bytes would
-- end the connections of all others.
local cjson = require "cjson"
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
acts("/event", function(_, value) return gate.publish("room", "text", { event = value }) end)
]]

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
    ["/info"] = "utf8", ["/as"] = "as", ["/key"] = "utf8", ["/text"] = "utf8", ["/json"] = "utf8", ["/event"] = "event",
  } do
    it("refuses what is not UTF-8: " .. path, function()
      local others = { ws.connect(server, "/plain"), ws.connect(server, "/envelope") }
      for _, client in ipairs(others) do assert.equal("ready", (client:receive())) end
      for _, value in ipairs { "%ff", "%c3", "%ed%a0%80", "a%c3%28" } do
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
end)
