-- Values that scripts get from the hub, as they were given: lists of nothing, and tables.
local http = require "support.http"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("kept", { history = 10, presence = true })
gate.get("/nothing", function()
  return { presence = gate.presence "kept", history = gate.history "kept", topics = gate.topics "none/*" }
end)
gate.get("/topics", function() return (gate.topics "none/*") end)
gate.post("/same", function(req) return (req:json()) end)
gate.post("/publish", function(req)
  local data = req.query.text and req:body() or req:json()
  return assert(gate.publish("kept", data, { kind = req.query.kind }))
end)
gate.get("/kept", function()
  local entries, kinds = gate.history "kept", gate.json.array()
  for i, entry in ipairs(entries) do kinds[i] = type(entry.data) end
  return { kinds = kinds, entries = entries }
end)
gate.ws("/topics", { open = function(ws) ws:send { topics = ws:topics() } end })
]]

describe("values of scripts", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  it("a list of nothing is []", function()
    local body = http.get(server, "/nothing").body
    for _, name in ipairs { "presence", "history", "topics" } do assert.matches(('"%s":%%[%%]'):format(name), body) end
    assert.equal("[]", http.get(server, "/topics").body)
    local client = require("support.ws").connect(server, "/topics")
    assert.equal('{"topics":[]}', (client:receive()))
  end)

  it("an empty list of a client comes back as one, and numbers with every digit", function()
    for _, text in ipairs {
      '{"a":[]}', "[]", "{}", "[[],{}]", "[12345678901234567,9007199254740993,-9223372036854775808]",
      "[9223372036854775807]", "[0.1,0.30000000000000004,1e-07]",
    } do
      assert.equal(text, http.post(server, "/same", text).body)
    end
  end)

  it("history has a table where one was published, and text where text was", function()
    for _, row in ipairs {
      { "", '{"text":"hi","list":[]}' }, { "?text=1", '{"text":"hi"}' }, { "", "[]" }, { "", "[9007199254740993]" },
      { "?kind=binary", '{"a":{"b":1}}' },
    } do
      assert.equal(200, http.post(server, "/publish" .. row[1], row[2]).status)
    end
    local body = http.get(server, "/kept").body
    assert.is_truthy(body:find('"kinds":["table","string","table","table","table"]', 1, true), body)
    for _, text in ipairs { '"list":[]', [["data":"{\"text\":\"hi\"}"]], '"data":[]', "[9007199254740993]" } do
      assert.is_truthy(body:find(text, 1, true), text)
    end
  end)
end)
