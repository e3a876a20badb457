-- init: the table that scripts require.
local fake_core = require "lua.support.fake_core"

describe("gate", function()
  local generation
  before_each(function() generation = fake_core.load() end)

  it("gives the server's own functions without a wrapper", function()
    for _, name in ipairs { "publish", "topic", "count", "sleep", "every", "after", "spawn", "env", "now",
      "id", "keep", "stats", "dir", "version", "history", "topics", "presence", "subscribe" } do
      assert.is_not_nil(generation.core[name], name)
      assert.equal(generation.core[name], generation.gate[name], name)
    end
  end)

  it("has null by its short name, too", function()
    assert.is_not_nil(generation.gate.null)
    assert.equal(generation.gate.json.null, generation.gate.null)
  end)

  it("registers routes and makes scopes", function()
    for _, name in ipairs { "get", "post", "put", "patch", "delete", "options", "any", "ws", "sse", "use",
      "scope" } do
      assert.is_function(generation.gate[name], name)
    end
    assert.is_function(generation.gate.jwt.sign)
    assert.is_function(generation.gate.jwt.verify)
    assert.is_function(generation.gate.on_presence)
    assert.is_function(generation.gate.guard.cors)
  end)

  it("has tables of its own generation", function()
    generation.core.log.info = print
    local gate = fake_core.load().gate
    gate.log.info = "mine"
    assert.is_nil(fake_core.load().gate.log.info)
  end)

  it("is nil for names it lacks, and notes what a near one may mean", function()
    local noted = {}
    local check = require "tidegate.check"
    check.note_miss = function(name, meant) noted[#noted + 1] = name .. "=" .. tostring(meant) end
    local gate = generation.gate
    assert.is_nil(gate.gte)
    assert.is_nil(gate.fetch)
    assert.is_nil(gate.gte)
    assert.is_nil(gate.jwt.sing)
    assert.is_nil(gate.json.parse)
    assert.is_nil(gate.scope("/x").tge)
    assert.is_nil(gate[5])
    assert.same({ "gte=gate.get", "fetch=nil", "gte=gate.get", "sing=gate.jwt.sign", "parse=gate.json.decode",
                  "tge=scope.get" }, noted)
  end)

  it("holds nothing else", function()
    local count = 0
    for _ in pairs(generation.gate) do count = count + 1 end
    assert.equal(22 + 11 + 3, count)
  end)
end)
