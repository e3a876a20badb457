-- Random lives of the hub over real connections: publishers and sessions on all workers,
-- with joins from anywhere, stalls, broken connections that come back with their last
-- id, evictions and reloads. Every session must be told exactly what hub_model says.
--
--   local life = hub_life.start(server, options)  the server serves hub_life.SCRIPT
--   life:run_seed(seed)                           one life; raises when it was not as the model says
--   life:run(seconds, seed)                       lives one after another; returns the next seed
--   life:finish()                                 closes its connections, returns what was in it
--
-- The server listens on a TCP address and then on a unix one: server.addresses. Sessions
-- last as long as their life, so `steps` says how long that is.
--
-- options: workers (of the server, 2 when not given), steps (of a life, 70 when not given),
-- reloads (false: it sends no SIGHUP, because somebody else makes the server reload).
local cjson = require "cjson"
local http = require "support.http"
local hub_model = require "support.hub_model"
local hub_session = require "support.hub_session"
local loop = require "support.loop"
local spread = require "support.spread"

local hub_life = {}

local STEPS = 70
local MAX_SESSIONS = 7

-- What topics keep, by the first part of their name. Messages of the big ones
-- fill the socket of a session that stalls.
local RULES = {
  many = { history = 60 },
  few = { history = 4 },
  bytes = { history = 100, bytes = 120 },
  ttl = { history = 50, ttl = 0.04 },
  none = {},
  keys = { history = 5 },
  big = { history = 6 },
  biglatest = { history = 6, lag = "latest" },
  bigclose = { history = 6, lag = "close" },
  bigkeys = { history = 6 },
}
local KEYS = { "a", "b", "c", false }
local SMALL, BIG = { "many", "few", "bytes", "ttl", "none", "keys" }, { "big", "biglatest", "bigclose", "bigkeys" }
local FILL = 16384

-- What the model knows besides: in which of them messages have keys.
local MODEL_RULES = {}
for name, rule in pairs(RULES) do
  local copy = { has_keys = name:find "keys" ~= nil }
  for field, value in pairs(rule) do copy[field] = value end
  MODEL_RULES[name] = copy
end

hub_life.SCRIPT = hub_session.SCRIPT .. [[
local rules = gate.json.decode('RULES')
for name, rule in pairs(rules) do gate.topic(name .. "/*", rule) end
local fill = (" "):rep(FILL)

gate.post("/publish", function(req)
  local ids = {}
  for i, m in ipairs(req:json()) do
    ids[i] = assert(gate.publish(m.topic, m.is_big and m.text .. fill or m.text, { kind = m.kind, key = m.key }))
  end
  return ids
end)
gate.post("/count", function(req)
  local counts = {}
  for _, topic in ipairs(req:json()) do counts[topic] = gate.count(topic) end
  return counts
end)
local vm = gate.keep("vm", { id = gate.id() })
gate.get("/vm", function() return vm.id end)
]]
hub_life.SCRIPT = hub_life.SCRIPT:gsub("RULES", function() return cjson.encode(RULES) end):gsub("FILL", FILL)

-- ---- one run ---------------------------------------------------------------

local Run = {}
Run.__index = Run

local function pick(list) return list[math.random(#list)] end
local function chance(percent) return math.random(100) <= percent end

local function new_run(life, seed)
  math.randomseed(seed)
  local run = setmetatable({ life = life, model = hub_model.new(MODEL_RULES), sessions = {}, all = {}, small = {},
    topics = {} }, Run)
  for i = 1, 3 do run.small[i] = ("%s/%d.%d"):format(pick(SMALL), seed, i) end
  table.move(run.small, 1, 3, 1, run.topics)
  for i = 1, math.random(0, 2) do table.insert(run.topics, ("%s/%d.%d"):format(pick(BIG), seed, i)) end
  run.pending = {}
  for worker = 1, #life.workers do run.pending[worker] = {} end
  return run
end

function Run:add_session(session)
  table.insert(self.sessions, session)
  table.insert(self.all, session)
  return session
end

function Run:count(what)
  local tally = self.life.tally
  tally[what] = tally[what] + 1
end

-- Sends a burst to one worker; collect() takes the answers.
function Run:publish(worker, list)
  local numbers = {}
  for i, m in ipairs(list) do
    numbers[i] = self.model:add(m.topic, { size = #m.text, kind = m.kind, key = m.key })
    local message = self.model.messages[numbers[i]]
    m.text = numbers[i] .. m.text
    m.is_big = m.topic:find "^big" ~= nil
    message.size = #m.text + (m.is_big and FILL or 0)
  end
  self.life.workers[worker]:send(http.format_request("POST", "/publish", { body = cjson.encode(list) }))
  table.insert(self.pending[worker], numbers)
end

function Run:collect()
  for worker, connection in ipairs(self.life.workers) do
    for _, numbers in ipairs(self.pending[worker]) do
      local ids = connection:response():json()
      for i, number in ipairs(numbers) do self.model:published(number, ids[i]) end
    end
    self.pending[worker] = {}
  end
  for _, session in ipairs(self.sessions) do
    loop.wait(function() return session.open_count == 0 or session:is_paused() or session:has_ended() end, "answers")
  end
end

-- Afterwards all workers have given out all that was published: the second
-- answer of a worker comes from a later turn.
function Run:fence()
  self:collect()
  local started = loop.now()
  for _ = 1, 2 do
    for _, connection in ipairs(self.life.workers) do connection:get "/vm" end
  end
  self.model:fence(started)
end

local MALFORMED = { "0", "nonsense", "-", "%s-", "%s-01", "%s--1", "%s-x", "%s-99999999999999999999", "zzzzzz-5",
  "%s-1 " }

function Run:random_since()
  local kind = math.random(10)
  if kind <= 2 then return nil end
  if kind == 3 then return "first" end
  if kind == 4 then return "last" end
  local epoch = self.model.epoch or "none"
  if kind == 5 then return (pick(MALFORMED):format(epoch)) end
  if kind == 6 then return ("%s-%d"):format(epoch, 1000000000) end
  if kind == 7 then return ("%s-%d"):format(epoch:reverse(), math.random(100)) end
  return self:random_id()
end

function Run:random_id()
  local messages = self.model.messages
  local message = messages[math.max(1, #messages - math.random(0, 30))]
  return message and message.id
end

-- ---- steps -----------------------------------------------------------------

local function random_lag() return pick { "skip", "latest", "close", false } or nil end

function Run:random_topic(session)
  return pick(session and not session.may_lag and self.small or self.topics)
end

local step = {}

function step.publish(run)
  local list, topic = {}, run:random_topic()
  local is_flood = topic:find "^big" and chance(50)
  for i = 1, is_flood and 30 or chance(60) and math.random(3) or math.random(20) do
    if not is_flood and chance(30) then topic = run:random_topic() end
    local is_binary = chance(10) and not topic:find "^big"
    local key = topic:find "^%a*keys" and pick(KEYS) or nil
    list[i] = { topic = topic, text = "", kind = is_binary and "binary" or "text", key = key }
  end
  run:publish(math.random(#run.life.workers), list)
end

-- A session is born big or small: only one that follows big topics may lag.
function step.open(run)
  if #run.sessions >= MAX_SESSIONS then return end
  local is_big = chance(50) and #run.topics > 3
  local addresses = run.life.server.addresses
  local address = is_big and addresses[2] or pick(addresses)
  if chance(50) then
    run:add_session(hub_session.open_ws(run.model, address)).may_lag = is_big
    return step.join(run, run.sessions[#run.sessions])
  end
  local joins, seen = {}, {}
  for _ = 1, math.random(3) do
    local topic = run:random_topic { may_lag = is_big }
    if not seen[topic] then
      table.insert(joins, { topic = topic, since = run:random_since(), lag = random_lag() })
      seen[topic] = true
    end
  end
  local last_event_id = chance(30) and run:random_id() or nil
  run:add_session(hub_session.open_sse(run.model, address, joins, last_event_id)).may_lag = is_big
end

function step.join(run, session)
  if session.is_stream then return end
  session:join(run:random_topic(session), run:random_since(), random_lag())
end

function step.leave(_, session)
  local topic = next(session.topics)
  if topic and not session.is_stream then session:leave(topic) end
end

function step.say(run, session)
  if session.is_stream or session.may_lag or session:is_paused() then return end
  session:say(pick(run.small), " own")
end

function step.pause(_, session)
  if not session:is_paused() then session:pause() end
end

function step.resume(_, session)
  if session:is_paused() then session:resume() end
end

-- What a client does that comes back: all it had, after the last it has seen.
local function resume_elsewhere(run, old)
  local last
  for _, event in ipairs(old.trace) do
    if event.kind == "message" then last = run.model.messages[event.number].id end
    if event.kind == "joined" then last = event.result.id end
  end
  if not last or not next(old.topics) then return end
  run:count "resumed"
  local addresses = run.life.server.addresses
  local address = old.may_lag and addresses[2] or pick(addresses)
  local names = {}
  for topic in pairs(old.topics) do names[#names + 1] = topic end
  table.sort(names)
  local session
  if old.is_stream then
    local joins = {}
    for i, topic in ipairs(names) do joins[i] = { topic = topic } end
    session = hub_session.open_sse(run.model, address, joins, last)
  else
    session = hub_session.open_ws(run.model, address)
    for _, topic in ipairs(names) do session:join(topic, last) end
  end
  run:add_session(session).may_lag = old.may_lag
end

function step.drop(run, session, is_ended)
  run:collect()
  session:drop(chance(50))
  for at, other in ipairs(run.sessions) do
    if other == session then table.remove(run.sessions, at) end
  end
  if is_ended or chance(80) then resume_elsewhere(run, session) end
end

function step.fence(run) run:fence() end

function step.reload(run)
  local server = run.life.server
  if run.life.reloads == false then return end
  if run.reload_mark and not server:find_log("generation %d+", run.reload_mark) then return end
  run.reload_mark = server:mark()
  server:signal "sighup"
  run:count "reloads"
end

local WEIGHTS = { publish = 40, open = 10, join = 12, leave = 4, say = 5, pause = 8, resume = 5, drop = 4,
  fence = 6, reload = 1 }
local STEP_NAMES = {}
for _, name in ipairs { "publish", "open", "join", "leave", "say", "pause", "resume", "drop", "fence", "reload" } do
  for _ = 1, WEIGHTS[name] do table.insert(STEP_NAMES, name) end
end
local NEEDS_SESSION = { join = true, leave = true, say = true, pause = true, resume = true, drop = true }

-- The hub ends only sessions that lag and have asked for that.
local function take_ended(run)
  for _, session in ipairs({ table.unpack(run.sessions) }) do
    if session:has_ended() then
      assert(session.may_lag, "a session was ended that keeps up")
      run:count "ended"
      step.drop(run, session, true)
    end
  end
end

-- A subscriber that stays all along, so that topics without history exist.
local function anchor(run)
  local session = run:add_session(hub_session.open_ws(run.model, run.life.server.addresses[1]))
  for _, topic in ipairs(run.small) do session:join(topic) end
  session:settle()
  for _, event in ipairs(session.trace) do run.model:topic(event.topic).anchor_seq = event.seq_after end
  table.remove(run.sessions)
end

local function live(run)
  if chance(50) then anchor(run) end
  step.open(run)
  for _ = 1, run.life.steps do
    local name = pick(STEP_NAMES)
    if not NEEDS_SESSION[name] then
      step[name](run)
    elseif #run.sessions > 0 then
      step[name](run, pick(run.sessions))
    end
    if chance(30) then loop.turn() end
    take_ended(run)
  end
end

-- ---- the end of a run --------------------------------------------------------

-- A last message on every topic, seen by all that have joined it.
local function come_to_the_end(run)
  for _, session in ipairs(run.all) do
    if not session.is_over and session:is_paused() then session:resume() end
  end
  run:fence()
  for _, topic in ipairs(run.topics) do run:publish(1, { { topic = topic, text = " end" } }) end
  run:collect()
  for _, session in ipairs(run.all) do
    loop.wait(function() return session.is_over or session:has_ended() or session:is_complete() end,
      function() return "end of all topics at a session that was told:\n" .. session:tail(30) end)
    if not session.is_over and session:has_ended() then
      assert(session.may_lag, "a session was ended that keeps up")
      session:drop()
    elseif not session.is_over and not session.is_stream then
      session:settle()
    end
  end
  if run.reload_mark then assert(run.life.server:wait_for_outcome(run.reload_mark)) end
end

local function check_counts(run)
  local expected = {}
  for _, topic in ipairs(run.topics) do expected[topic] = 0 end
  for _, session in ipairs(run.all) do
    for topic in pairs(session.is_over and {} or session.topics) do expected[topic] = expected[topic] + 1 end
  end
  local body = cjson.encode(run.topics)
  loop.poll(function()
    local counts = run.life.workers[1]:request("POST", "/count", { body = body }):json()
    for topic, count in pairs(expected) do
      if counts[topic] ~= count then return false end
    end
    return true
  end, "exact counts " .. cjson.encode(expected))
end

local function check_sessions(run)
  run.model:sort()
  for _, session in ipairs(run.all) do
    local ok, message = pcall(run.model.check, run.model, session)
    if not ok then error(("%s\n%s\n"):format(message, session:tail(#session.trace)), 0) end
    for _, event in ipairs(session.trace) do
      if event.kind == "message" then run:count "messages" end
      if event.kind == "gap" then run:count "holes" end
      local answer = event.kind == "joined" and event.since
        and (event.result.recovered and "recovered" or "unrecovered")
      if answer then run:count(answer) end
    end
  end
end

local function run_to_the_end(life, seed)
  local run = new_run(life, seed)
  live(run)
  come_to_the_end(run)
  check_counts(run)
  check_sessions(run)
  for _, session in ipairs(run.all) do
    if not session.is_over then session:drop() end
  end
end

-- ---- lives -------------------------------------------------------------------

local Life = {}
Life.__index = Life

---@param server table of support.server
---@param options table|nil
function hub_life.start(server, options)
  options = options or {}
  local life = setmetatable({ server = server, steps = options.steps or STEPS, reloads = options.reloads }, Life)
  life.tally = { lives = 0, messages = 0, holes = 0, recovered = 0, unrecovered = 0, ended = 0, resumed = 0,
    reloads = 0 }
  life.workers = spread.connect(options.workers or 2, function()
    local connection = http.connect(server)
    return connection, connection:get("/vm").body
  end)
  return life
end

---@param seed integer
function Life:run_seed(seed)
  local ok, message = pcall(run_to_the_end, self, seed)
  if not ok then error(("seed %d (SEED=%d runs it alone): %s"):format(seed, seed, message), 0) end
  self.tally.lives = self.tally.lives + 1
end

---@param seconds number a life that has begun by then ends in order
---@param seed integer|nil of the first life, 1 when not given
---@return integer seed for the next call
function Life:run(seconds, seed)
  local ends = loop.now() + seconds
  seed = seed or 1
  while loop.now() < ends do
    self:run_seed(seed)
    seed = seed + 1
  end
  return seed
end

---@return table<string, integer> tally lives, messages, holes, recovered, ...: how often each happened
function Life:finish()
  for _, connection in ipairs(self.workers) do connection:close() end
  return self.tally
end

return hub_life
