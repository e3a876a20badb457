-- Sessions that write down what they are told, in order, for hub_model to
-- check: WebSockets that join and leave on command, and event streams that
-- join when they open. SCRIPT is the other side of both.
local cjson = require "cjson"
local loop = require "support.loop"
local sse = require "support.sse"
local ws = require "support.ws"

local hub_session = {}

hub_session.SCRIPT = [[
local gate = require "tidegate"

local function join(conn, topic, since, lag)
  local before = gate.publish("marker", "")
  local result, message = conn:join(topic, { since = since, lag = lag })
  return { topic = topic, result = result or message, before = before, after = gate.publish("marker", "") }
end

local commands = {
  join = function(ws, c) return join(ws, c.topic, c.since, c.lag) end,
  leave = function(ws, c) return { result = assert(ws:leave(c.topic)) } end,
  say = function(ws, c) return { result = assert(gate.publish(c.topic, c.text, { except = ws })) } end,
  ping = function() return { result = true } end,
}
gate.ws("/session", {
  message = function(ws, line)
    local command = gate.json.decode(line)
    local answer = commands[command.what](ws, command)
    answer.answer = command.number
    ws:send(answer)
  end,
  gap = function(ws, topic, missed) ws:send { gap = topic, missed = missed } end,
})
gate.sse("/session", { open = function(stream)
  for _, c in ipairs(gate.json.decode(stream.query.joins)) do
    stream:send { event = "joined", data = join(stream, c.topic, c.since, c.lag) }
  end
end })
]]

local Session = {}
Session.__index = Session

local function new_session(model, fields)
  fields.model, fields.trace, fields.topics, fields.ends = model, {}, {}, {}
  return setmetatable(fields, Session)
end

local function record(session, event)
  table.insert(session.trace, event)
end

local function record_message(session, text, id)
  local number = tonumber(text:match "^%d+")
  local message = session.model.messages[number]
  record(session, { kind = "message", number = number, id = id, sent = message and message.topic.sent })
  if text:find "^%d+ end" then session.ends[message.topic.name] = true end
end

local function seq_of(id) return tonumber(id:match "%-(%d+)$") end

local function record_join(session, asked, answer)
  local result, model = answer.result, session.model
  if type(result) ~= "table" then error("a join was refused: " .. tostring(result), 0) end
  model.epoch = model.epoch or result.id:match "^(.*)%-"
  if result.id:match "^(.*)%-" ~= model.epoch then error("the epoch has changed", 0) end
  record(session, { kind = "joined", topic = asked.topic, since = asked.since, lag = asked.lag, result = result,
    seq_before = seq_of(answer.before), seq_after = seq_of(answer.after), stands_at = seq_of(result.id),
    sent = asked.sent, fence = asked.fence, replied = loop.now(), published = model:topic(asked.topic).sent })
end

-- ---- WebSocket -------------------------------------------------------------

local function take_answer(session, answer)
  if answer.gap then
    return record(session, { kind = "gap", topic = answer.gap, missed = answer.missed })
  end
  local asked = session.asked[answer.answer]
  session.asked[answer.answer] = nil
  session.open_count = session.open_count - 1
  if asked.what == "join" then record_join(session, asked, answer) end
  if asked.what == "leave" then record(session, { kind = "left", topic = asked.topic }) end
  if asked.what ~= "say" then return end
  session.model:published(asked.message, answer.result)
  session.saying_count = session.saying_count - 1
end

---@param model table
function hub_session.open_ws(model, address)
  local session = new_session(model, { asked = {}, asked_count = 0, open_count = 0, saying_count = 0 })
  session.client = ws.connect(address, "/session", {
    on_message = function(data)
      if data:find "^{" then take_answer(session, cjson.decode(data)) else record_message(session, data) end
    end,
  })
  session.socket = session.client.socket
  return session
end

-- Sends a command and does not wait; open_count tells how many are unanswered.
function Session:command(what, fields)
  fields = fields or {}
  self.asked_count, self.open_count = self.asked_count + 1, self.open_count + 1
  fields.what, fields.number = what, self.asked_count
  local line = cjson.encode(fields)
  fields.sent, fields.fence = loop.now(), self.model.last_fence
  self.asked[fields.number] = fields
  self.client:send(line)
end

function Session:join(topic, since, lag)
  self.topics[topic] = true
  self:command("join", { topic = topic, since = since, lag = lag })
end

function Session:leave(topic)
  self.topics[topic] = nil
  self:command("leave", { topic = topic })
end

-- Publishes to all others.
function Session:say(topic, text)
  local number = self.model:add(topic, { size = 0, except = self })
  local message = self.model.messages[number]
  text = number .. text
  message.size = #text
  self:command("say", { topic = topic, text = text })
  self.asked[self.asked_count].message = number
  self.saying_count = self.saying_count + 1
end

-- Waits until the server has handled all commands, and all gaps before them.
function Session:settle()
  self:command "ping"
  loop.wait(function() return self.open_count == 0 or self.socket.is_ended end, "answers to all commands")
end

-- ---- SSE -------------------------------------------------------------------

local function take_event(session, event)
  if event.event == "joined" then
    local answer = cjson.decode(event.data)
    local asked = table.remove(session.joins, 1)
    record_join(session, asked, answer)
    -- A stream is told at once when not all could be replayed.
    local is_told, expected = session.gap_at_join == asked.topic, asked.since_is_id and not answer.result.recovered
    if is_told ~= (expected or false) then error("a needless or missing notice at the join of " .. asked.topic, 0) end
    session.gap_at_join = nil
  elseif event.event ~= "gap" then
    record_message(session, event.data, event.id)
  else
    local gap = cjson.decode(event.data)
    if session.joins[1] then session.gap_at_join = gap.topic
    else record(session, { kind = "gap", topic = gap.topic, missed = gap.missed }) end
  end
end

-- joins: array of { topic, since, lag }; last_event_id stands for every since
-- that is not an id.
---@param model table
function hub_session.open_sse(model, address, joins, last_event_id)
  local session = new_session(model, { is_stream = true, joins = {}, open_count = 0 })
  for i, join in ipairs(joins) do
    local since = join.since
    local is_id = since and since ~= "first" and since ~= "last"
    if last_event_id and not is_id then since, is_id = last_event_id, true end
    session.topics[join.topic] = true
    session.joins[i] = { topic = join.topic, since = since, lag = join.lag, sent = loop.now(),
      fence = model.last_fence, since_is_id = is_id }
  end
  local query = cjson.encode(joins):gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end)
  session.client = sse.connect(address, "/session?joins=" .. query, {
    last_event_id = last_event_id, on_event = function(event) take_event(session, event) end,
  })
  session.socket = session.client.socket
  return session
end

-- ---- both ------------------------------------------------------------------

-- Stops reading. The model must know the ids of what it has said.
function Session:pause()
  loop.wait(function() return (self.saying_count or 0) == 0 end, "ids of what was said")
  self.socket:pause()
end

function Session:resume() self.socket:resume() end
function Session:is_paused() return self.socket.is_paused end

-- Whether the server has ended it.
function Session:has_ended()
  return self.socket.is_ended or self.client.close_code ~= nil
end

-- Leaves: in order, or abruptly.
function Session:drop(is_abrupt)
  self.is_over = true
  self.socket.on_data = function() end
  if is_abrupt and self.socket.handle.close_reset then self.socket:reset() else self.socket:close() end
end

-- Whether all that it has joined has come to the end.
function Session:is_complete()
  for topic in pairs(self.topics) do
    if not self.ends[topic] then return false end
  end
  return true
end

local function describe(session, event)
  local fields = { event.kind, event.topic }
  local message = session.model.messages[event.number]
  if message then fields = { message.topic.name, "position", message.position, message.id } end
  for _, name in ipairs { "since", "lag", "seq_before", "seq_after", "missed", "result" } do
    local value = event[name]
    if type(value) == "table" then value = cjson.encode(value) end
    if value ~= nil then fields[#fields + 1] = name .. "=" .. value end
  end
  return table.concat(fields, " ")
end

-- The last lines of the trace, for messages.
function Session:tail(count)
  local lines = {}
  for at = math.max(1, #self.trace - count + 1), #self.trace do
    lines[#lines + 1] = ("%4d %s"):format(at, describe(self, self.trace[at]))
  end
  return table.concat(lines, "\n")
end

return hub_session
