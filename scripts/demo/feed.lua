-- The feed: what is said in a room, read-only over SSE, from the same topic as the chat.
local gate = require "tidegate"

-- Who comes back with a Last-Event-ID gets what came since; who is new gets what is kept.
gate.sse("/demo/feed/{room:[%w_-]+}", {
  open = function(stream)
    stream:join("chat/" .. stream.params.room, { since = stream.last_id or "first" })
  end,
})
