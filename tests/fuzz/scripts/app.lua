-- What the driver gate talks to: a route for each way that bytes reach a script.
local gate = require "tidegate"

gate.topic("rooms/*", { history = 5 })

gate.ws("/echo", { compress = true, protocols = { "a", "b" },
  message = function(ws, data, kind) ws:send(data, kind) end })

gate.ws("/kept", { compress = { context_takeover = true }, message = function(ws, data, kind) ws:send(data, kind) end })

gate.ws("/room/{name}", {
  envelope = true,
  open = function(ws) ws:join("rooms/" .. ws.params.name, { since = ws.query.since }) end,
  message = function(ws, text) gate.publish("rooms/" .. ws.params.name, text, { key = "k" }) end,
})

gate.ws("/task", function(ws)
  for data, kind in ws:messages() do ws:send(data, kind) end
end)

gate.sse("/feed", function(stream) stream:join "rooms/a" end)

gate.get("/hello/{name}", function(req) return { name = req.params.name, query = req.query, cookies = req.cookies } end)

gate.get("/pieces", function(_, res)
  for i = 1, 3 do res:write(("x"):rep(i)) end
end)

gate.get("/me", function(req) return gate.jwt.verify(req:bearer(), "secret") or 401 end)

gate.post("/body", function(req) return req:body() or 400 end)

gate.post("/json", function(req)
  local value, message = req:json()
  return value ~= nil and { value = value } or 400, message
end)

gate.post("/form", function(req) return req:form() or 400 end)

gate.post("/early", function() return 204 end)
