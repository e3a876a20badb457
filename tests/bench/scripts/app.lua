-- What the bench asks of a server, as anyone would write it for Tidegate.
local gate = require "tidegate"

local TOPIC = "bench"

-- ---- fan-out ---------------------------------------------------------------

local function join(conn) conn:join(TOPIC) end

gate.ws("/ws/sub", { open = join })
gate.ws("/ws/compressed", { compress = true, open = join })
gate.sse("/sse/sub", { open = join })
gate.ws("/ws/pub", { message = function(_, text) gate.publish(TOPIC, text) end })

-- Subscribers that carry data of their own: one short string.
local function name(req) return { name = "user " .. req.id } end

gate.ws("/ws/named", { upgrade = name, open = join })
gate.sse("/sse/named", { upgrade = name, open = join })

-- ---- messages, requests, handshakes ----------------------------------------

gate.ws("/ws/echo", { message = function(ws, data, kind) ws:send(data, kind) end })

gate.ws("/ws/auth", {
  upgrade = function(req) return req.query.token == "0123456789abcdef" and { user = "ann" } or 401 end,
  message = function(ws, data, kind) ws:send(data, kind) end,
})

gate.get("/hello", function() return "Hello, world!" end)

-- ---- publishing without subscribers ----------------------------------------

-- Publishes `count` messages in one go, in turn to `topics` topics of this
-- worker's own, or of all.
gate.get("/publish/{count:%d+}/{topics:%d+}", function(req)
  local text = ("x"):rep(128)
  local topics = {}
  for i = 1, tonumber(req.params.topics) do topics[i] = "topic " .. i end
  for i = 0, tonumber(req.params.count) - 1 do
    assert(gate.publish(topics[i % #topics + 1], text))
  end
  return "done"
end)

-- Topics that stay because they keep a message.
gate.topic("kept/*", { history = 1 })

gate.get("/keep/{count:%d+}", function(req)
  for i = 1, tonumber(req.params.count) do
    assert(gate.publish("kept/" .. i, "x"))
  end
  return "kept"
end)
