-- The counts: what the server holds right now, pushed to every open page once a second.
local gate = require "tidegate"

gate.topic("demo/stats", { history = 1 })

gate.every(1, function()
  gate.publish("demo/stats", gate.stats(), { event = "stats" })
end)
