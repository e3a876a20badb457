-- The chat: rooms over WebSocket, with history for those who come late, and a list of who is here.
local gate = require "tidegate"

-- Edit this function while the page is open, for example to `return text:upper()`, and save.
-- The next message goes through the new one, and everybody stays connected.
local function decorate(text, name) -- luacheck: ignore name
  return text
end

-- Who comes back within the grace period has never left, as far as the others see.
gate.topic("chat/*", { history = 100, ttl = 86400, presence = { grace = 5 } })

local NAME_BYTES, TEXT_BYTES, ROOM_BYTES, VISITOR_BYTES = 64, 2000, 40, 64

-- Printable text of 1 to max bytes without control characters, or nil.
local function clean(text, max)
  if type(text) ~= "string" or not utf8.len(text) then return nil end
  text = text:gsub("%c+", " "):match("^%s*(.-)%s*$")
  if text == "" or #text > max then return nil end
  return text
end

local function topic_of(ws) return "chat/" .. ws.params.room end

-- Enters the room, or changes what the room knows of a visitor who is in it.
local function enter(ws, since)
  return ws:join(topic_of(ws), { since = since, as = ws.data.visitor, info = { name = ws.data.name } })
end

-- What is told to one page has the form of the envelope that the messages of a topic come in.
local function tell(ws, event, data, id) ws:send { event = event, data = data, id = id } end

local function tell_people(ws) tell(ws, "people", gate.presence(topic_of(ws))) end

local actions = {}

function actions.say(ws, said)
  local text = clean(said.text, TEXT_BYTES)
  if not text then return "a message is 1 to " .. TEXT_BYTES .. " bytes of text" end
  local name = ws.data.name
  gate.publish(topic_of(ws), { name = name, text = decorate(text, name), at = gate.now() }, { event = "chat" })
end

function actions.name(ws, said)
  local name = clean(said.name, NAME_BYTES)
  if not name then return "a name is 1 to " .. NAME_BYTES .. " bytes of text" end
  ws.data.name = name
  enter(ws)
end

-- Answered by the newest code on the oldest connection: what a reload leaves alone.
function actions.who(ws)
  tell(ws, "you", { connection = ws.id, since = ws.data.since, generation = gate.stats().generation })
end

gate.ws("/demo/chat/{room:[%w_-]+}", {
  envelope = true, -- every message of a topic tells its id, so a page can come back with the last one
  compress = true, -- all browsers can; a message is compressed once for all of them

  -- A page makes up its visitor id and keeps it. Yours come from a login: see examples/login.lua.
  upgrade = function(req)
    local name = clean(req.query.name, NAME_BYTES)
    local visitor = clean(req.query.visitor, VISITOR_BYTES) or gate.id()
    if not name or #req.params.room > ROOM_BYTES then return 400, "a name and a short room, please\n" end
    return { name = name, visitor = visitor, since = gate.now() }
  end,

  -- The diffs of who comes and goes first and the list after, so that nobody falls between.
  open = function(ws)
    local since = ws.query.since
    ws:join("presence:" .. topic_of(ws))
    local joined = enter(ws, since or "first")
    if not joined then return ws:close(1013, "the room is full") end
    local missed = since ~= nil and not joined.recovered
    tell(ws, "welcome", { connection = ws.id, since = ws.data.since, missed = missed }, joined.id)
    tell_people(ws)
  end,

  message = function(ws, text)
    local said = gate.json.decode(text)
    local action = type(said) == "table" and actions[said.type]
    local wrong = "this is not a message of the demo"
    if action then wrong = action(ws, said) end
    if wrong then tell(ws, "error", { text = wrong }) end
  end,

  gap = function(ws, topic, missed)
    if topic ~= topic_of(ws) then return tell_people(ws) end -- a diff was lost: here is the list anew
    tell(ws, "gap", { missed = missed })
  end,
})
