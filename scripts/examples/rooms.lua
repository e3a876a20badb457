-- Many rooms over one WebSocket: {"join": "a"}, {"leave": "a"}, {"room": "a", "text": "hi"}.
local gate = require "tidegate"

local function topic_of(room)
  return type(room) == "string" and room:find("^[%w_-]+$") and "examples/rooms/" .. room
end

local function handle(ws, order)
  local topic = topic_of(order.join or order.leave or order.room)
  if not topic then return { error = "join, leave or room names a room" } end
  if order.join then
    local joined, message = ws:join(topic)
    return joined and { joined = order.join, members = gate.count(topic) } or { error = message }
  elseif order.leave then
    local left, message = ws:leave(topic)
    return left and { left = order.leave } or { error = message }
  end
  local id, message = gate.publish(topic, { room = order.room, text = order.text }, { except = ws })
  return id and { sent = id } or { error = message }
end

gate.ws("/examples/rooms", {
  message = function(ws, text)
    local order = gate.json.decode(text)
    ws:send(type(order) == "table" and handle(ws, order) or { error = "send a JSON object" })
  end,
})
