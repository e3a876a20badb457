-- The ticker: an imagined tide gauge that publishes the water level once a second.
local gate = require "tidegate"

gate.topic("demo/tide", { history = 90 })

-- Metres above the mean: a slow tide, a swell on it, and a little spray.
local function level_at(time)
  local tide = 1.6 * math.sin(time * 2 * math.pi / 75)
  local swell = 0.25 * math.sin(time * 2 * math.pi / 11)
  return tide + swell + (math.random() - 0.5) * 0.12
end

local function publish_level(time)
  local level = math.floor(level_at(time) * 100) / 100
  gate.publish("demo/tide", { at = time, level = level }, { event = "tide" })
end

-- The log of a topic outlives a reload, so the minute before the start is made up only once.
local kept = gate.keep("demo/tide", {})

-- While scripts load, gate.every starts one timer for the whole server, not one per worker.
gate.every(1, function()
  local now = gate.now()
  for ago = kept.is_filled and 0 or 60, 0, -1 do publish_level(now - ago) end
  kept.is_filled = true
end)

gate.sse("/demo/ticker", {
  open = function(stream) stream:join("demo/tide", { since = "last" }) end,
})
