-- What the fairness bench serves: handlers that compute for a millisecond.
local gate = require "tidegate"

gate.topic("replay", { history = 20000, bytes = 8388608 })

local function work()
  local over = os.clock() + 0.001
  while os.clock() < over do end
end

gate.get("/polite", function() work() return "polite" end)
gate.ws("/polite", { message = function(ws) work() ws:send "polite" end })
gate.get("/asleep", function() gate.sleep(0) work() return "polite" end)

gate.get("/answered", function(_, res)
  res:finish "done"
  gate.sleep(0.1)
  work()
end)
gate.get("/work", function() work() return "done" end)
gate.post("/work", function(req) req:body() work() return "done" end)
gate.ws("/work", { message = work, compress = true })
gate.ws("/loop", function(ws) for _ in ws:messages() do work() end end)
gate.ws("/wake", { message = function(_, text)
  if text == "sleep" then gate.sleep(0.2) end
  work()
end })
gate.ws("/wake-loop", function(ws)
  gate.sleep(0.2)
  for _ in ws:messages() do work() end
end)
gate.ws("/spawn", { message = function() gate.spawn(work) end })
gate.ws("/sleepers", { message = function() gate.spawn(function() gate.sleep(0.1) work() end) end })
gate.ws("/timers", { message = function() gate.after(0.1, work) end })
gate.ws("/publish", { message = function(_, text) gate.publish("greedy", text) end })
gate.ws("/silent", { close = function() end })
gate.ws("/close", { close = work })
gate.ws("/replay", { message = function(ws)
  ws:leave "replay"
  ws:join("replay", { since = "first" })
end })
gate.post("/fill", function()
  for _ = 1, 20000 do gate.publish("replay", ("x"):rep(100)) end
  return 204
end)

gate.subscribe("greedy", work)
