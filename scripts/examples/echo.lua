-- Sends every WebSocket message back as it came, text as text and binary as binary.
local gate = require "tidegate"

gate.ws("/examples/echo", function(ws)
  for data, kind in ws:messages() do ws:send(data, kind) end
end)
