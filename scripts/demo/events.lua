-- Everything the page listens to, on one stream: a room, the tide, the notices and the counts.
local gate = require "tidegate"

-- One stream instead of four, because a browser opens at most six HTTP/1.1 connections to a host.
-- Topics arrive merged in the order of their ids, so one last id resumes them all.
gate.sse("/demo/events/{room:[%w_-]+}", {
  open = function(stream)
    stream:send { retry = 1000 } -- milliseconds until a browser comes back after a loss
    stream:join("chat/" .. stream.params.room, { since = "first" })
    stream:join("demo/notices", { since = "first" })
    stream:join("demo/tide", { since = "first" })
    stream:join("demo/stats", { since = "last" })
  end,
})
