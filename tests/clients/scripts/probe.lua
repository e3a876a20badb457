-- Routes for the client tests that no example needs: subprotocols, close codes, compression, limits, refusals, floods.
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

local function echo(ws, data, kind) ws:send(data, kind) end

gate.ws("/probe/small", { max_message = 1000, message = echo })
gate.ws("/probe/large", { max_message = 16 * 1024 * 1024, compress = true, message = echo })

gate.ws("/probe/refuse/{status}", {
  upgrade = function(req) return tonumber(req.params.status), "refused with " .. req.params.status end,
  message = echo,
})

gate.ws("/probe/ping", {
  message = function(ws, text)
    ws:ping(text)
    ws:send("pinged")
  end,
})

gate.ws("/probe/room/{room}", {
  open = function(ws)
    ws:join("probe/room/" .. ws.params.room)
    ws:send("joined")
  end,
  message = function(ws, text) gate.publish("probe/room/" .. ws.params.room, text) end,
})

-- `count` messages of `length` bytes at once, each beginning with its number, for all who are there.
gate.topic("probe/flood", { history = 100000, bytes = 64 * 1024 * 1024 })
gate.ws("/probe/flood", {
  open = function(ws)
    ws:join("probe/flood")
    ws:send("joined")
  end,
})
gate.post("/probe/flood", function(req)
  local length = tonumber(req.query.length)
  for i = 1, tonumber(req.query.count) do
    local number = i .. ":"
    gate.publish("probe/flood", number .. ("x"):rep(length - #number))
    gate.sleep(0) -- it may take longer than a handler has at a time
  end
  return 204
end)

-- What the last request said with the header X-Own, in a stream that ends after each event. The third is the last.
gate.sse("/probe/turns", {
  upgrade = function(req)
    if req.headers["last-event-id"] == "3" then return 204 end
    return { own = req.headers["x-own"] or "nothing" }
  end,
  open = function(stream)
    local turn = (tonumber(stream.last_event_id) or 0) + 1
    stream:send { retry = 20, event = "turn", id = turn, data = stream.data.own }
    stream:close()
  end,
})

gate.sse("/probe/forbidden", { upgrade = function() return 403, "no stream" end, open = function() end })

gate.post("/probe/length", function(req) return #req:body() .. " bytes" end)

-- An event for each way in which fields may be put.
gate.sse("/probe/fields", {
  open = function(stream)
    stream:send("one line")
    stream:send { id = "first", data = "two\r\nlines", comment = "never seen" }
    stream:send { comment = "never seen" }
    stream:send { data = "\n a space, 🌊, and an empty line\n" }
    stream:send { event = "höhe: 1", id = " second", data = { tide = 1 } }
    stream:send { id = "", data = "id: none" }
  end,
})
