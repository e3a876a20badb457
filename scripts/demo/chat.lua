-- The chat: rooms over WebSocket, with history for those who come late.
local gate = require "tidegate"

-- Edit this function while the page is open, for example to `return text:upper()`, and save.
-- The next message goes through the new one, and everybody stays connected.
local function decorate(text, name) -- luacheck: ignore name
  return text
end

gate.topic("chat/*", { history = 100, ttl = 86400 })

-- Every message carries the id of an earlier one as `after`: who has the message has everything up
-- to that id, so a page that lost its connection asks for what came since.
local last = gate.keep("chat", {})

local NAME_BYTES, TEXT_BYTES, ROOM_BYTES = 64, 2000, 40

-- Printable text of 1 to max bytes without control characters, or nil.
local function clean(text, max)
  if type(text) ~= "string" then return nil end
  text = text:gsub("%c+", " "):match("^%s*(.-)%s*$")
  if text == "" or #text > max then return nil end
  return text
end

-- Tells everybody in a room how many they are.
local function announce_people(room)
  local topic = "people/" .. room
  gate.publish(topic, { type = "people", count = gate.count(topic) })
end

local actions = {}

function actions.say(ws, said)
  local text = clean(said.text, TEXT_BYTES)
  if not text then return "a message is 1 to " .. TEXT_BYTES .. " bytes of text" end
  local name = ws.data.name
  last.id = gate.publish("chat/" .. ws.params.room, {
    type = "message", key = gate.id(), after = last.id,
    name = name, text = decorate(text, name), at = gate.now(),
  }, { event = "chat" })
end

function actions.name(ws, said)
  local name = clean(said.name, NAME_BYTES)
  if not name then return "a name is 1 to " .. NAME_BYTES .. " bytes of text" end
  ws.data.name = name
end

-- Answered by the newest code on the oldest connection: what a reload leaves alone.
function actions.who(ws)
  ws:send { type = "you", id = ws.id, since = ws.data.since, generation = gate.stats().generation }
end

gate.ws("/demo/chat/{room:[%w_-]+}", {
  upgrade = function(req)
    local name = clean(req.query.name, NAME_BYTES)
    if not name or #req.params.room > ROOM_BYTES then return 400, "a name and a short room, please\n" end
    return { name = name, since = gate.now() }
  end,

  open = function(ws)
    local room, since = ws.params.room, ws.query.since
    local joined = ws:join("chat/" .. room, { since = since or "first" })
    if not joined then return ws:close(1013, "the room is full") end
    ws:send {
      type = "welcome", id = ws.id, since = ws.data.since,
      missed = since and since ~= "first" and not joined.recovered,
    }
    ws:join("people/" .. room)
    announce_people(room)
  end,

  message = function(ws, text)
    local said = gate.json.decode(text)
    local action = type(said) == "table" and actions[said.type]
    local wrong = "this is not a message of the demo"
    if action then wrong = action(ws, said) end
    if wrong then ws:send { type = "error", text = wrong } end
  end,

  gap = function(ws, topic, missed) ws:send { type = "gap", topic = topic, missed = missed } end,

  close = function(ws) announce_people(ws.params.room) end,
})
