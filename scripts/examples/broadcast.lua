-- Passes every message on to all who are connected, but not to its sender.
local gate = require "tidegate"

local TOPIC = "examples/broadcast"

gate.ws("/examples/broadcast", {
  open = function(ws) ws:join(TOPIC) end,
  message = function(ws, data, kind) gate.publish(TOPIC, data, { except = ws, kind = kind }) end,
})
