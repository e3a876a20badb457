-- The feed: what is said in a room, read-only over SSE, from the same topic as the chat.
local gate = require "tidegate"

-- Who is new gets what is kept. Who comes back sends a Last-Event-ID, and gets what came since.
gate.sse("/demo/feed/{room:[%w_-]+}", {
  upgrade = function(req) return { since = req.headers["last-event-id"] or "first" } end,
  open = function(stream)
    stream:join("chat/" .. stream.params.room, { since = stream.data.since })
  end,
})
