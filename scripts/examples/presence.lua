-- Who is in a room: a list when one enters, then who comes and who goes; the list alone by GET.
local gate = require "tidegate"

-- Who comes back within the grace period has never left, as far as the others see.
gate.topic("examples/presence/*", { presence = { grace = 5 } })

local function topic_of(room) return "examples/presence/" .. room end

gate.ws("/examples/presence/{room:[%w_-]+}", {
  -- Two connections of one user are one member. Here a user is whoever says so; yours is in a token.
  upgrade = function(req)
    local user = req.query.user
    if not user then return 400, "say who you are: ?user=...&name=...\n" end
    return { user = user, name = req.query.name or user }
  end,

  -- The diffs first and the list after: so nothing falls between, and a diff seen twice does no harm.
  open = function(ws)
    local topic = topic_of(ws.params.room)
    ws:join("presence:" .. topic)
    local joined, message = ws:join(topic, { as = ws.data.user, info = { name = ws.data.name } })
    if not joined then return ws:close(1008, message) end
    ws:send { members = gate.presence(topic) }
  end,
})

gate.get("/examples/presence/{room:[%w_-]+}", function(req)
  local members, message = gate.presence(topic_of(req.params.room))
  if not members then return 404, message end
  return { count = #members, members = members }
end)
