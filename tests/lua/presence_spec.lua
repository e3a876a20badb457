-- presence: joins and leaves, from the topic that accompanies each topic with members.
local fake_core = require "lua.support.fake_core"

describe("on_presence", function()
  local generation, subscribed
  before_each(function()
    generation = fake_core.load()
    subscribed = {}
    generation.core.subscribe = function(pattern, fn)
      subscribed[#subscribed + 1] = { pattern = pattern, fn = fn }
    end
  end)

  it("follows the companions of the topics that match", function()
    generation.gate.on_presence("chat/*", function() end)
    assert.equal(1, #subscribed)
    assert.equal("presence:chat/*", subscribed[1].pattern)
  end)

  it("hands over the topic and who came and went", function()
    local topic, diff
    generation.gate.on_presence("chat/*", function(...) topic, diff = ... end)
    subscribed[1].fn("presence:chat/a", [[{"topic":"chat/a",
      "joins":[{"id":"ann","info":{"n":1},"since":12.5}],"leaves":[{"id":"bob","since":1}]}]])
    assert.equal("chat/a", topic)
    assert.same({ { id = "ann", info = { n = 1 }, since = 12.5 } }, diff.joins)
    assert.same({ { id = "bob", since = 1 } }, diff.leaves)
  end)

  it("names the argument that is wrong", function()
    local on_presence = generation.gate.on_presence
    assert.error_matches(function() on_presence(nil, print) end,
      "gate%.on_presence: pattern must be a string %(got nil%)")
    assert.error_matches(function() on_presence("a", 1) end,
      "gate%.on_presence: handler must be a function %(got 1%)")
  end)
end)
