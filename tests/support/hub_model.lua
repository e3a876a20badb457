-- The promise of core/hub/README.md as a plain model: the list of all messages
-- ever published to each topic, and rules that say how many of them are kept.
-- Given what a session was told, in order, check() raises when the promise did
-- not hold. Ids published right before and right after a join say where it took place.
--
-- Positions count the messages of a topic from 1. Where something races, the model
-- knows bounds: what was surely gone and what surely kept.
local loop = require "support.loop"

local model = {}

local Model = {}
Model.__index = Model

local WINDOW = 1024  -- messages kept without `history` while there are subscribers
local ROUNDING = 0.002  -- seconds: the server counts whole milliseconds

-- rules: what a topic keeps { history, bytes, ttl, lag }, by the name up to its slash.
---@param rules table<string, table>
function model.new(rules)
  return setmetatable({ rules = rules, topics = {}, messages = {} }, Model)
end

-- The topic of that name: { name, rule, messages, sent }.
---@param name string
function Model:topic(name)
  local topic = self.topics[name]
  if not topic then
    topic = { name = name, rule = assert(self.rules[name:match "^[^/]+"]), messages = {}, sent = 0 }
    self.topics[name] = topic
  end
  return topic
end

-- A message is about to be published; returns its number, unique in this model.
---@param name string
---@param fields table  size, and optional: kind, key, except (a session)
function Model:add(name, fields)
  local message = { topic = self:topic(name), size = fields.size, kind = fields.kind, key = fields.key,
    except = fields.except, number = #self.messages + 1, sent = loop.now() }
  self.messages[message.number] = message
  message.topic.sent = message.topic.sent + 1
  return message.number
end

-- The server has answered: the message has this id.
function Model:published(number, id)
  local message = self.messages[number]
  message.id, message.acked = id, loop.now()
  message.seq = assert(tonumber(id:match "%-(%d+)$"), "not an id: " .. tostring(id))
  self.epoch = id:match "^(.*)%-"
  table.insert(message.topic.messages, message)
end

-- Puts what both workers published at once into the hub's order.
function Model:sort()
  for _, topic in pairs(self.topics) do
    table.sort(topic.messages, function(a, b) return a.seq < b.seq end)
    local newest = {}
    for position, message in ipairs(topic.messages) do
      message.position = position
      if message.key then
        if newest[message.key] then newest[message.key].superseded_by = position end
        newest[message.key] = message
      end
    end
  end
end

-- To be called when every worker has drained what was published so far.
---@param started number  before the workers were asked
function Model:fence(started)
  local heads = {}
  for name, topic in pairs(self.topics) do heads[name] = #topic.messages end
  self.last_fence = { heads = heads, started = started }
end

-- ---- what is kept ----------------------------------------------------------

-- The position of the first message after `seq`; one past the end when there is none.
local function find_after(topic, seq)
  local messages, low, high = topic.messages, 1, #topic.messages + 1
  while low < high do
    local middle = (low + high) // 2
    if messages[middle].seq > seq then high = middle else low = middle + 1 end
  end
  return low
end

-- The oldest of the first `head` messages that count and bytes let stay.
local function find_base(topic, head)
  local rule, at, bytes = topic.rule, head, 0
  while at > 0 and head - at < (rule.history or WINDOW) do
    bytes = bytes + topic.messages[at].size
    if bytes > (rule.bytes or math.huge) then break end
    at = at - 1
  end
  return at + 1
end

-- Everything from this position on was there at the join.
local function surely_kept(topic, event, head)
  local rule, base = topic.rule, find_base(topic, head)
  if not rule.history then
    base = math.max(base, topic.anchor_seq and find_after(topic, topic.anchor_seq) or head + 1)
  end
  for at = head, base, -1 do
    if rule.ttl and event.replied + ROUNDING >= topic.messages[at].sent + rule.ttl then return at + 1 end
  end
  return base
end

-- Everything before this position was gone at the join: only what a fence has
-- seen drained, because nothing is evicted before.
local function surely_gone(topic, event)
  if not event.fence then return 1 end
  local head = event.fence.heads[topic.name] or 0
  local at, ttl = find_base(topic, head), topic.rule.ttl
  while ttl and at <= head and topic.messages[at].acked + ttl + ROUNDING < event.fence.started do at = at + 1 end
  return at
end

-- Whether the hub must have known the topic ever since `seq`, so that it can
-- tell that nothing is missing.
local function is_remembered(topic, seq, kept)
  if not topic.rule.history then return topic.anchor_seq and seq >= topic.anchor_seq end
  local from = find_after(topic, seq)
  if from == 1 then return false end
  return not topic.rule.ttl or from - 1 >= kept
end

-- ---- what a session is told ------------------------------------------------

local function fail(text, ...) error(text:format(...), 0) end

-- Where a cursor stands that was set to an id.
local function start_after_id(model_, topic, event, bounds)
  local epoch, digits = event.since:match "^(%w+)%-(%d+)$"
  local seq = tonumber(digits)
  local result = event.result
  if epoch ~= model_.epoch or tostring(seq) ~= digits or seq > event.seq_after then
    if result.recovered or result.missed then fail("%q was taken for an id of this hub", event.since) end
    return bounds.first_gone, bounds.first_kept
  end
  local from = find_after(topic, seq)
  local is_wrong = event.stands_at > seq or event.is_first and event.stands_at < seq
  if result.recovered and is_wrong then fail("recovered at seq %d, and not at %d", event.stands_at, seq) end
  local is_known = is_remembered(topic, seq, bounds.kept)
  if result.recovered then
    if result.missed ~= 0 then fail("recovered, and missed %s", result.missed) end
    for at = from, bounds.gone - 1 do
      if not topic.messages[at].key then fail("falsely recovered: %d is gone", at) end
    end
    return from, from
  end
  if is_known and from >= bounds.kept then fail("not recovered, though all from %d on is kept", from) end
  return math.max(bounds.gone, is_known and from + 1 or from), math.max(bounds.kept, from), from
end

-- Without history nothing is kept to begin at: "first" and "last" are as good as nothing.
local function since_of(topic, event)
  local is_id = event.since ~= "first" and event.since ~= "last"
  return (topic.rule.history or is_id) and event.since or nil
end

local function start_of(model_, topic, event)
  local least, most = find_after(topic, event.seq_before) - 1, find_after(topic, event.seq_after) - 1  -- heads
  local since = since_of(topic, event)
  if not since then return least + 1, most + 1 end
  local bounds = { gone = surely_gone(topic, event), kept = surely_kept(topic, event, most) }
  bounds.first_gone = topic.rule.history and bounds.gone or least + 1
  bounds.first_kept = topic.rule.history and bounds.kept or most + 1
  if since == "first" then return bounds.first_gone, bounds.first_kept end
  if since ~= "last" then return start_after_id(model_, topic, event, bounds) end
  return bounds.gone <= least and least or least + 1, bounds.kept <= most and most or most + 1
end

-- Where some messages have keys, older ones than the log may come: nothing can be
-- said of what stands between them, but that the newest of each key comes.
local function reach_back_for_keys(sub)
  sub.unsure_below = sub.high
  sub.low = sub.resumed_at or 1
  sub.high = sub.low
end

-- Whether the message must come to a reader, or be told of, when `published` are out.
local function is_due(sub, message, published)
  if message.superseded_by and message.superseded_by <= published then return false end
  return message.position >= (sub.unsure_below or 0) or message.key ~= nil
end

-- Whether the notices from `n` on tell of the holes from `h` on: none, one or several of each.
local function can_match(sub, h, n, is_complete)
  local hole, told = sub.holes[h], 0
  if not hole then return n > #sub.notices or not is_complete end
  for at = n, #sub.notices + 1 do
    if told > hole.most then return false end
    if told >= hole.least and can_match(sub, h + 1, at, is_complete) then return true end
    told = told + (sub.notices[at] or 0)
  end
  return false
end

-- Where messages have keys, one notice tells of several holes, with the newest messages
-- of keys between them.
local function check_total(sub, is_complete)
  local least, most, told = 0, 0, 0
  for _, hole in ipairs(sub.holes) do least, most = least + hole.least, most + hole.most end
  for _, missed in ipairs(sub.notices) do told = told + missed end
  if told < least then fail("%s: told of %d missed where %d are", sub.topic.name, told, least) end
  if is_complete and told > most then fail("%s: told of %d missed where %d are", sub.topic.name, told, most) end
end

-- The notices of a WebSocket come from the script, beside the messages. A cursor that is
-- set anew may leave a notice behind that no message has followed.
local function match_notices(sub, is_complete)
  if sub.topic.rule.has_keys then return check_total(sub, is_complete) end
  if can_match(sub, 1, 1, is_complete) then return end
  local holes = {}
  for i, hole in ipairs(sub.holes) do holes[i] = ("%d to %d"):format(hole.least, hole.most) end
  fail("%s: holes of %s, but told of %s", sub.topic.name, table.concat(holes, ", "), table.concat(sub.notices, ", "))
end

local on = {}

function on.joined(self, state, event)
  local topic = self:topic(event.topic)
  local sub, since = state.subs[event.topic], since_of(topic, event)
  event.is_first = next(state.subs) == nil
  local lag = sub and sub.lag
  if event.since == nil and event.result.recovered then fail "recovered without since" end
  if not sub or since then
    if sub then match_notices(sub, false) end
    sub = { topic = topic, holes = {}, notices = {}, caught_up = since and event.published or 0 }
    sub.low, sub.high, sub.resumed_at = start_of(self, topic, event)
    local takes_all = since and since ~= "last" and not event.result.recovered
    if topic.rule.has_keys and takes_all then reach_back_for_keys(sub) end
    sub.missed_at_join = event.result.missed
    state.subs[event.topic] = sub
  end
  sub.lag = event.lag or lag or topic.rule.lag or "skip"
  -- Going back starts the order anew.
  if since then state.last_seq = 0 end
  -- Whatever comes from now on is newer than where the session stands.
  state.last_seq = math.max(state.last_seq, event.stands_at)
end

function on.left(_, state, event)
  local sub = state.subs[event.topic] or fail("left %s, which it had not joined", event.topic)
  match_notices(sub, false)
  state.subs[event.topic] = nil
end

function on.gap(_, state, event)
  local sub = state.subs[event.topic]
  if not sub then fail("a gap of %s, which it has not joined", event.topic) end
  if event.missed < 1 then fail("a gap of %d messages", event.missed) end
  table.insert(sub.notices, event.missed)
end

-- What a session passes without a word: its own messages that leave it out, and
-- over SSE what is binary.
local function is_passed(session, message)
  return message.except == session or session.is_stream and message.kind == "binary"
end

local function pass_silent(session, sub, limit)
  while sub.high < limit and is_passed(session, sub.topic.messages[sub.high]) do sub.high = sub.high + 1 end
end

-- The session has gone on at `position` with or without a hole before it.
local function note_hole(session, sub, position, event)
  -- What it passes in silence after the hole was not missed either.
  local silent = position
  while silent > sub.high and is_passed(session, sub.topic.messages[silent - 1]) do silent = silent - 1 end
  local least, most = 0, position - sub.low
  for at = sub.high, silent - 1 do
    local message = sub.topic.messages[at]
    local is_silent = sub.topic.rule.has_keys and is_passed(session, message)
    if is_due(sub, message, event.sent) and not is_silent then least = least + 1 end
  end
  if not session.may_lag and position > sub.high and not sub.unsure_below and silent - 1 > sub.caught_up then
    fail("a hole up to %d for a session that keeps up", position)
  end
  if session.is_stream and sub.topic.rule.has_keys then
    table.insert(sub.holes, { least = least, most = most })
    check_total(sub, false)
  elseif session.is_stream then
    -- The notice stands in the stream where the hole is.
    local told = 0
    for _, missed in ipairs(sub.notices) do told = told + missed end
    sub.notices = {}
    if told < least or told > most then fail("told of %d missed where %d to %d are", told, least, most) end
    least = told
  elseif most > 0 then
    table.insert(sub.holes, { least = least, most = most })
  end
  if least == 0 then return end
  if not session.may_lag then fail("a hole of %d at %d for a session that keeps up", least, position) end
  if sub.lag == "close" then fail "a hole where the policy is to close" end
  local rule = sub.topic.rule
  local kept = (sub.lag == "latest" or rule.ttl or rule.bytes or rule.has_keys) and 1 or rule.history or WINDOW
  if silent + kept - 1 > event.sent then fail("a hole up to %d, of which %d were kept", silent, kept) end
end

function on.message(self, state, event)
  local message = self.messages[event.number] or fail("an unknown message %s", event.number)
  local session, name, position = state.session, message.topic.name, message.position
  local sub = state.subs[name] or fail("%s is not joined", name)
  if message.seq <= state.last_seq then fail("%s after seq %d", message.id, state.last_seq) end
  state.last_seq = message.seq
  if is_passed(session, message) then fail "a message that is not for this session" end
  if session.is_stream and event.id ~= message.id then fail("id %s of message %s", event.id, message.id) end
  pass_silent(session, sub, position)
  if position < sub.low then fail("position %d of %s again, %d was due", position, name, sub.low) end
  if sub.resumed_at and sub.missed_at_join and not sub.topic.rule.has_keys
    and sub.missed_at_join ~= position - sub.resumed_at then
    fail("told of %d missed at the join, not of %d", sub.missed_at_join, position - sub.resumed_at)
  end
  note_hole(session, sub, position, event)
  sub.low, sub.high, sub.resumed_at = position + 1, position + 1, nil
  if sub.unsure_below and position >= sub.unsure_below then sub.unsure_below = nil end
end

-- ---- the end ---------------------------------------------------------------

local function check_complete(state)
  for name, sub in pairs(state.subs) do
    pass_silent(state.session, sub, #sub.topic.messages + 1)
    if sub.high <= #sub.topic.messages then fail("%s: the end is missing from %d on", name, sub.high) end
    match_notices(sub, true)
  end
end

-- session: trace, and the claims is_stream, may_lag (its socket may have been full) and is_over
-- (it ended before all had come). Raises when it was told something wrong.
---@param session table
function Model:check(session)
  local state = { session = session, subs = {}, last_seq = 0 }
  for at, event in ipairs(session.trace) do
    local ok, message = pcall(on[event.kind], self, state, event)
    if not ok then fail("event %d: %s", at, message) end
  end
  if not session.is_over then check_complete(state) end
end

return model
