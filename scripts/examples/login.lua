-- Login with a JWT: POST a name and a password for a token; the WebSocket opens only with one.
local gate = require "tidegate"

-- The secret comes from the environment, so that a token made on one worker, or before a restart,
-- is good on every other. Without it this example refuses to work; it never invents one.
local SECRET = gate.env.JWT_SECRET
local NO_SECRET = { error = "start the server with JWT_SECRET=... in its environment to try this" }

local PASSWORDS = { ann = "high water", ben = "low water" } -- yours come from a database, hashed

gate.post("/examples/login", function(req)
  if not SECRET then return 503, NO_SECRET end
  local sent = req:json()
  if type(sent) ~= "table" or type(sent.name) ~= "string" then
    return 400, { error = 'send {"name": ..., "password": ...}' }
  end
  local password = PASSWORDS[sent.name]
  if not password or sent.password ~= password then return 401, { error = "wrong name or password" } end
  return { token = gate.jwt.sign({ sub = sent.name }, SECRET, { exp = 3600 }) }
end)

gate.ws("/examples/private", {
  upgrade = function(req) -- before the handshake: who is refused here never gets a WebSocket
    if not SECRET then return 503, NO_SECRET end
    local claims, message = gate.jwt.verify(req:bearer() or req.query.token, SECRET)
    if not claims then return 401, { error = message } end
    return { name = claims.sub }
  end,
  open = function(ws) ws:send("welcome, " .. ws.data.name) end,
  message = function(ws, text) ws:send(ws.data.name .. " says " .. text) end,
})
