-- Routes for the client tests that no example needs: subprotocols, close codes, compression.
local gate = require "tidegate"

gate.ws("/probe/protocol", {
  protocols = { "tide.v2", "tide.v1" },
  open = function(ws) ws:send(ws.protocol or "none") end,
})

-- "4001 enough": closes so. What the close was is told to those who watch.
gate.ws("/probe/close", {
  message = function(ws, text)
    local code, reason = text:match("^(%d+) ?(.*)$")
    ws:close(tonumber(code), reason)
  end,
  close = function(_, code, reason) gate.publish("probe/closed", { code = code, reason = reason }) end,
})

gate.ws("/probe/watch", { open = function(ws) ws:join("probe/closed") ws:send("watching") end })

gate.ws("/probe/raise", { message = function(_, text) error("asked to: " .. text) end })

-- Echoes what a client says to it, and publishes what begins with "all:".
for name, compress in pairs { plain = false, each = true, context = { context_takeover = true } } do
  gate.ws("/probe/deflate/" .. name, {
    compress = compress,
    open = function(ws) ws:join("probe/deflate") end,
    message = function(ws, data, kind)
      if data:sub(1, 4) == "all:" then gate.publish("probe/deflate", data) else ws:send(data, kind) end
    end,
  })
end
