-- An inbox per user: POST notifies, a WebSocket resumes exactly with ?since=, GET scrolls back.
local gate = require "tidegate"

-- In memory: what must outlive the server goes into a database, too.
gate.topic("examples/inbox/*", { history = 1000, ttl = 30 * 86400 })

local PAGE = 20

local function topic_of(req) return "examples/inbox/" .. req.params.user end

gate.post("/examples/inbox/{user:[%w_-]+}", function(req)
  local text = req:body()
  if not text or text == "" then return 400, { error = "send a text" } end
  local id, message = gate.publish(topic_of(req), text)
  if not id then return 400, { error = message } end
  return { id = id }
end)

-- With the envelope every message tells its id. A phone keeps the last id it saw, of the welcome
-- too, and comes back with it: it gets what came since, and `recovered` says whether that is all.
gate.ws("/examples/inbox/{user:[%w_-]+}", {
  envelope = true,
  open = function(ws)
    local joined = ws:join(topic_of(ws), { since = ws.query.since })
    if not joined then return ws:close(1013, "try again later") end
    ws:send { id = joined.id, recovered = joined.recovered }
  end,
})

-- The newest page, the newest first; with ?before= the page before that id. A new phone starts here,
-- and opens the WebSocket with ?since= the first id of the page.
gate.get("/examples/inbox/{user:[%w_-]+}", function(req)
  local messages = gate.history(topic_of(req), { since = req.query.before, limit = PAGE, reverse = true })
  return { count = #messages, messages = messages }
end)
