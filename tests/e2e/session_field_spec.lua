-- Fields that scripts keep on a session are theirs, whatever name they have: the framework
-- keeps nothing of its own under a name that a script can write.
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("kept", { history = 10 })
local names = { "resumed", "raw_query", "last_event_id", "protocol", "peer", "task", "queue", "route", "state" }
local values = { ["a string"] = "mine", ["a number"] = 7, ["a table"] = { mine = true }, ["a boolean"] = false }

local function open(conn)
  local value = values[conn.params.what]
  for _, name in ipairs(names) do conn[name] = value end
  conn:join("kept")
  conn:leave("kept")
  conn:join("kept")
  local changed = {}
  for _, name in ipairs(names) do
    if conn[name] ~= value then changed[#changed + 1] = name end
  end
  if type(value) == "table" and (next(value) ~= "mine" or next(value, "mine")) then changed[#changed + 1] = "in it" end
  gate.sleep(0)
  conn:send("changed: " .. table.concat(changed, " ") .. "; query: " .. tostring(conn.query.a))
end
gate.sse("/fields/{what}", { open = open })
gate.ws("/fields/{what}", { open = open })
gate.post("/publish", function(req) return gate.publish("kept", req:body()) end)
]]

describe("a field of a session", function()
  local server, ids
  setup(function()
    server, ids = tidegate.start { scripts = SCRIPT }, {}
    for i = 1, 3 do ids[i] = http.post(server, "/publish", "message " .. i).body end
  end)
  teardown(function() server:stop() end)

  for _, what in ipairs { "a string", "a number", "a table", "a boolean" } do
    local path = "/fields/" .. what:gsub(" ", "%%20") .. "?a=b"

    it("that is " .. what .. " stays on a stream that resumes, which does so once", function()
      local stream <close> = sse.connect(server, path, { last_event_id = ids[2] })
      local data
      repeat data = stream:receive().data until data:find "^changed"
      assert.equal("changed: ; query: b", data)
      -- What the first join was to replay went when it left; the second one only follows.
      http.post(server, "/publish", "new")
      assert.equal("new", stream:receive().data)
    end)

    it("that is " .. what .. " stays on a WebSocket", function()
      local client <close> = ws.connect(server, path)
      assert.equal("changed: ; query: b", (client:receive()))
    end)
  end

  it("that a script writes does not move where a stream resumes", function()
    local at = http.post(server, "/publish", "last").body
    http.post(server, "/publish", "missed")
    assert(server:edit { ["other.lua"] = [[
      local gate = require "tidegate"
      gate.sse("/moved", { open = function(stream)
        stream.last_event_id = "nonsense"
        stream:send(stream:join("kept").recovered and "recovered" or "not recovered")
      end })]] })
    local stream <close> = sse.connect(server, "/moved", { last_event_id = at })
    assert.equal("recovered", stream:receive().data)
    assert.equal("missed", stream:receive().data)
  end)
end)
