-- An audit: counts every message of the examples' rooms and users, and tells by GET what it counted.
local gate = require "tidegate"

local PATTERN = "examples/*/*"

-- Subscribers in the server run on one worker, and a GET may come to any. What workers share is
-- topics, so the counts are one: by key, the newest count of each topic stays.
local COUNTS = "audit/counts"
gate.topic(COUNTS, { history = 1000 })

local counted = gate.keep("examples/audit", {}) -- survives a reload, as the subscription does

gate.subscribe(PATTERN, function(topic, data, info)
  counted[topic] = (counted[topic] or 0) + 1
  gate.log.debug("audit:", topic, info.id, #data, "bytes")
  if info.missed then gate.log.warn("audit: missed", info.missed, "messages") end
  gate.publish(COUNTS, { topic = topic, count = counted[topic] }, { key = topic })
end)

gate.get("/examples/audit", function()
  local counts = {}
  for _, message in ipairs(gate.history(COUNTS)) do
    counts[message.data.topic] = message.data.count
  end
  return { counts = counts, topics = gate.topics(PATTERN) }
end)
