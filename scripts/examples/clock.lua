-- Streams the time once a second over SSE: one task per connection, ending when the peer leaves.
local gate = require "tidegate"

gate.sse("/examples/clock", function(stream)
  local n = 0
  while stream:send { event = "tick", id = n, data = os.date("!%H:%M:%S") } do
    n = n + 1
    gate.sleep(1)
  end
end)
