-- The feed: what is said in a room, read-only over SSE, from the same topic as the chat.
local gate = require "tidegate"

-- Who is new gets what is kept. Who comes back tells the last id it saw, and gets what came since.
gate.sse("/demo/feed/{room:[%w_-]+}", {
  open = function(stream) stream:join("chat/" .. stream.params.room, { since = "first" }) end,
})
