-- Routes for the tests of resuming: publishers that learn ids, streams and sockets that come back.
local gate = require "tidegate"

gate.topic("long/*", { history = 100000, bytes = 64 * 1024 * 1024 })
gate.topic("brief/*", { history = 5 })

local worker = gate.id() -- every worker loads its own: so a test sees that it publishes on both

-- { topic, data, event }: publishes it and answers with its id.
gate.ws("/resume/publish", {
  open = function(ws) ws:send { worker = worker } end,
  message = function(ws, text)
    local asked = gate.json.decode(text)
    local id = gate.publish(asked.topic, asked.data, { event = asked.event })
    ws:send { id = id, topic = asked.topic, data = asked.data, event = asked.event }
  end,
})

local function each_topic(conn, join)
  for topic in conn.query.topics:gmatch("[^,]+") do join(topic) end
end

local function allow_all() return true, { ["Access-Control-Allow-Origin"] = "*" } end

-- The topics of the query on one stream: join resumes by itself.
gate.sse("/resume/stream", {
  upgrade = allow_all,
  open = function(stream)
    stream:send { retry = 20 }
    each_topic(stream, function(topic) stream:join(topic) end)
  end,
})

-- The same, but who is new is told where the stream starts, and so can come back before the first message.
-- An event, because some clients ignore an id without data. The first join's id: a later one's may be ahead
-- of messages of the first topic.
gate.sse("/resume/told", {
  upgrade = function(req) return { is_new = not req.headers["last-event-id"] } end,
  open = function(stream)
    local start
    stream:send { retry = 20 }
    each_topic(stream, function(topic)
      local joined = stream:join(topic)
      start = start or joined.id
    end)
    if stream.data.is_new then stream:send { event = "start", id = start, data = "" } end
  end,
})

-- The same for WebSockets. Who is new gets all there is, who comes back says where from.
gate.ws("/resume/socket", {
  envelope = true,
  open = function(ws)
    local joined
    each_topic(ws, function(topic) joined = ws:join(topic, { since = ws.query.since or "first" }) end)
    ws:send { id = joined.id, recovered = joined.recovered }
  end,
})

-- An id of the caller's making, on an event of its own.
gate.sse("/resume/odd", {
  upgrade = allow_all,
  open = function(stream) stream:send { retry = 20, id = stream.query.id, data = "odd" } end,
})

gate.get("/resume/page", function()
  return 200, "<!doctype html><title>Resume</title><link rel=icon href=data:,>", { ["Content-Type"] = "text/html" }
end)
