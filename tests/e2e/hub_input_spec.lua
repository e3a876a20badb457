-- Bad input to the hub: a wrong type raises and names the argument, a value that
-- cannot be honoured is nil, message, code, and neither changes anything.
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local BAD_NAMES = {
  "''", "('x'):rep(256)", "'a\\0b'", "'a\\nb'", "'a\\127'", "'a\\xC2\\x85b'", "'\\xff'", "'\\xed\\xa0\\x80'",
}

-- What is called, and what its error says.
local RAISES = {
  { "gate.publish({}, 'x')", "#1 to 'publish' %(string expected, got table%)" },
  { "gate.publish(5, 'x')", "#1 to 'publish' %(string expected, got number%)" },
  { "gate.publish('t', 5)", "publish: value must be a string or a table %(got number%)" },
  { "gate.publish(nil, 'x')", "#1 to 'publish' %(string expected, got nil%)" },
  { "gate.publish('t', 'x', 5)", "#3 to 'publish' %(table expected, got number%)" },
  { "gate.publish('t', 'x', { foo = 1 })", 'publish: unknown option "foo"' },
  { "gate.publish('t', 'x', { 'key' })", 'publish: options are name = value %(got %[1%]%)' },
  { "gate.publish('t', 'x', { key = {} })", "publish: key must be a string, got table" },
  { "gate.publish('t', 'x', { key = ('x'):rep(70000) })", "publish: key has more than 65535 bytes" },
  { "gate.publish('t', 'x', { event = {} })", "publish: event must be a string, got table" },
  { "gate.publish('t', 'x', { kind = 'blob' })", 'publish: kind must be "text" or "binary"' },
  { "gate.publish('t', 'x', { kind = 5 })", 'publish: kind must be "text" or "binary"' },
  { "gate.publish('t', 'x', { except = 5 })", "publish: except must be a ws or a stream, got number" },
  { "gate.publish('t', 'x', { except = {} })", "publish: except must be a ws or a stream, got table" },
  { "ws:join()", "#1 to 'join' %(string expected, got no value%)" },
  { "ws:join({})", "#1 to 'join' %(string expected, got table%)" },
  { "ws:join(5)", "#1 to 'join' %(string expected, got number%)" },
  { "stream:join({})", "#1 to 'join' %(string expected, got table%)" },
  { "ws:join('t', 5)", "#2 to 'join' %(table expected, got number%)" },
  { "ws:join('t', { since = 5 })", "join: since must be a string, got number" },
  { "ws:join('t', { since = {} })", "join: since must be a string, got table" },
  { "ws:join('t', { since = true })", "join: since must be a string, got boolean" },
  { "stream:join('t', { since = 5 })", "join: since must be a string, got number" },
  { "ws:join('t', { lag = 'never' })", 'join: lag must be "skip", "latest" or "close"' },
  { "ws:join('t', { lag = 5 })", 'join: lag must be "skip", "latest" or "close"' },
  { "ws:join('t', { as = 1.5 })", "join: as must be a string or a whole number, got number" },
  { "ws:join('t', { as = {} })", "join: as must be a string or a whole number, got table" },
  { "ws:join('t', { as = true })", "join: as must be a string or a whole number, got boolean" },
  { "ws:join('t', { as = 'a', info = print })", "join: info has no JSON form: Cannot serialise function" },
  { "ws:join('t', { as = 'a', info = { 0 / 0 } })", "join: info has no JSON form: .*NaN" },
  { "ws:join('t', { info = 5 })", "join: info .*needs as" },
  { "ws:join('t', { foo = 1 })", 'join: unknown option "foo"' },
  { "ws:leave()", "#1 to 'leave' %(string expected, got no value%)" },
  { "ws:leave({})", "#1 to 'leave' %(string expected, got table%)" },
  { "ws:leave(5)", "#1 to 'leave' %(string expected, got number%)" },
  { "gate.count()", "#1 to 'count' %(string expected, got no value%)" },
  { "gate.count({})", "#1 to 'count' %(string expected, got table%)" },
  { "gate.count(5)", "#1 to 'count' %(string expected, got number%)" },
  { "gate.presence(5)", "#1 to 'presence' %(string expected, got number%)" },
  { "gate.presence({})", "#1 to 'presence' %(string expected, got table%)" },
  { "gate.history({})", "#1 to 'history' %(string expected, got table%)" },
  { "gate.history(5)", "#1 to 'history' %(string expected, got number%)" },
  { "gate.history('t', 5)", "#2 to 'history' %(table expected, got number%)" },
  { "gate.history('t', { since = 5 })", "history: since must be a string, got number" },
  { "gate.history('t', { limit = 0 })", "history: limit must be a whole number, 1 or more" },
  { "gate.history('t', { limit = 1.5 })", "history: limit must be a whole number, 1 or more" },
  { "gate.history('t', { limit = 'x' })", "history: limit must be a whole number, 1 or more" },
  { "gate.history('t', { reverse = 1 })", "history: reverse must be true or false, got number" },
  { "gate.history('t', { foo = 1 })", 'history: unknown option "foo"' },
  { "gate.topics({})", "#1 to 'topics' %(string expected, got table%)" },
  { "gate.topics(5)", "#1 to 'topics' %(string expected, got number%)" },
  { "gate.topics('*', 5)", "#2 to 'topics' %(table expected, got number%)" },
  { "gate.topics('*', { limit = -1 })", "topics: limit must be a whole number, 1 or more" },
  { "gate.topics('*', { foo = 1 })", 'topics: unknown option "foo"' },
  { "gate.topic('x', {})", "gate.topic can only be called while scripts load" },
  { "gate.subscribe('x', print)", "gate.subscribe can only be called while scripts load" },
}

-- What is called, the code it returns, and what the message says.
local FAILS = {
  { "gate.publish('kept', '\\xff')", "utf8" },
  { "gate.publish('kept', 'x', { key = '\\xff' })", "utf8" },
  { "gate.publish('kept', 'x', { event = 'a\\nb' })", "event" },
  { "gate.publish('kept', 'x', { event = ('x'):rep(256) })", "event" },
  { "gate.publish('kept', ('x'):rep(41))", "too_large" },
  { "gate.publish('kept', { ('x'):rep(37) })", "too_large" },
  { "gate.publish('kept', ('x'):rep(41), { kind = 'binary', key = 'k' })", "too_large" },
  { "gate.publish('t', ('x'):rep(1024 * 1024 + 1))", "too_large" },
  { "ws:join('t', { as = '' })", "as" },
  { "ws:join('t', { as = '\\xff' })", "as" },
  { "ws:join('t', { as = ('x'):rep(256) })", "as" },
  { "ws:join('t', { as = 'a', info = ('x'):rep(16 * 1024 - 1) })", "too_large" },
  { "ws:join('off', { as = 'a' })", "presence" },
  { "ws:leave('never')", "not_joined" },
}
for _, name in ipairs(BAD_NAMES) do
  table.insert(FAILS, { ("gate.publish(%s, 'x')"):format(name), "topic" })
  table.insert(FAILS, { ("ws:join(%s)"):format(name), "topic" })
  table.insert(FAILS, { ("ws:leave(%s)"):format(name), "topic" })
  table.insert(FAILS, { ("stream:join(%s, { since = 'first' })"):format(name), "topic" })
  for _, question in ipairs { "count", "presence", "history", "topics" } do
    table.insert(FAILS, { ("gate.%s(%s)"):format(question, name), "topic" })
  end
end

for _, name in ipairs { "'*'", "'chat/*'", "'**'", "'presence:*'" } do
  for _, call in ipairs { "gate.publish(%s, 'x')", "ws:join(%s)", "ws:join(%s, { as = 'a' })", "ws:leave(%s)",
    "stream:join(%s)", "gate.count(%s)", "gate.presence(%s)", "gate.history(%s, { since = 'first' })" } do
    table.insert(FAILS, { call:format(name), "topic", "^a name with %* is a pattern.*gate.topics" })
  end
end
for _, name in ipairs { "'presence:'", "'presence:t'", "'presence:presence:t'" } do
  for _, options in ipairs { "", ", { key = 'k' }", ", { except = ws, event = 'presence' }" } do
    table.insert(FAILS, { ("gate.publish(%s, {}%s)"):format(name, options), "topic", "^only the hub publishes" })
  end
end

table.insert(FAILS, { "ws:join(('x'):rep(247), { as = 'a' })", "topic", "at most 246 bytes" })

-- What a script does while it loads, and why it is refused.
local LOADS = {
  { "gate.topic()", "#1 to 'topic' %(string expected, got no value%)" },
  { "gate.topic(5, {})", "#1 to 'topic' %(string expected, got number%)" },
  { "gate.topic('', {})", "#1 to 'topic' %(must be 1 to 255 bytes" },
  { "gate.topic('a\\0b', {})", "#1 to 'topic' %(must be 1 to 255 bytes" },
  { "gate.topic('x', { history = 1.5 })", "topic: history must be a whole number" },
  { "gate.topic('x', { limit = 0.5 })", "topic: limit must be a whole number" },
  { "gate.topic('x')", "#2 to 'topic' %(table expected, got no value%)" },
  { "gate.topic('x', { foo = 1 })", 'topic: unknown option "foo"' },
  { "gate.topic('x', { 'history' })", "topic: options are name = value %(got %[1%]%)" },
  { "gate.topic('x', { history = 'x' })", "topic: history must be a number from 0 to 1000000000 %(got string%)" },
  { "gate.topic('x', { history = -1 })", "topic: history must be a number from 0 to 1000000000 %(got %-1%)" },
  { "gate.topic('x', { history = 0 / 0 })", "topic: history must be a number from 0 to 1000000000 %(got %-?nan%)" },
  { "gate.topic('x', { bytes = -1 })", "topic: bytes must be a number from 1 to 1000000000000 %(got %-1%)" },
  { "gate.topic('x', { bytes = 0 })", "topic: bytes must be a number from 1 to 1000000000000 %(got 0%)" },
  { "gate.topic('x', { ttl = math.huge })", "topic: ttl must be a number from 0 to 10000000000 %(got inf%)" },
  { "gate.topic('x', { lag = 'x' })", 'topic: lag must be "skip", "latest" or "close"' },
  { "gate.topic('x', { limit = {} })", "topic: limit must be a number from 0 to 4000000000 %(got table%)" },
  { "gate.topic('x', { presence = 5 })", "topic: presence must be true, false or a table, got number" },
  { "gate.topic('x', { presence = { foo = 1 } })", 'topic: presence: unknown option "foo"' },
  { "gate.topic('x', { presence = { grace = -1 } })", "topic: grace must be a number from 0 to 1000000 %(got %-1%)" },
  { "gate.on_presence(5, print)", "gate.on_presence: pattern must be a string" },
  { "gate.on_presence('', print)", "gate.on_presence: pattern must not be empty" },
  { "gate.on_presence(('x'):rep(250), print)", "gate.on_presence: pattern must be 1 to 246 bytes long %(got 250%)" },
  { "gate.on_presence('a\\nb', print)", "gate.on_presence: pattern %(must be 1 to 255 .* control characters" },
  { "gate.on_presence(('x'):rep(246) .. '\\xff', print)", "gate.on_presence: pattern must be 1 to 246 bytes" },
  { "gate.subscribe(('x'):rep(256), print)", "#1 to 'subscribe' %(must be 1 to 255" },
  { "gate.subscribe('\\xff', print)", "#1 to 'subscribe' %(must be 1 to 255" },
  { "gate.subscribe('x', 'y')", "#2 to 'subscribe' %(function expected, got string%)" },
  { "gate.subscribe(io.stdout, print)", "#1 to 'subscribe' %(string expected, got FILE%*%)" },
  { "gate.subscribe(5, print)", "#1 to 'subscribe' %(string expected, got number%)" },
  { "gate.subscribe('', print)", "#1 to 'subscribe' %(must be 1 to 255 bytes" },
  { "gate.on_presence('x', 5)", "gate.on_presence: handler must be a function" },
}

local HEAD = [[local gate = require "tidegate"; local ws, stream; local rows = {}
gate.topic("kept", { history = 10, bytes = 40 })
gate.topic("off", { presence = false })
gate.ws("/ws", { open = function(it) ws = it it:join "joined" it:send "open" end })
gate.sse("/sse", { open = function(it) stream = it it:send "open" end })
]]
local TAIL = [[
gate.get("/row/{n}", function(req)
  local ok, value, message, code = pcall(rows[tonumber(req.params.n)])
  if not ok then return { raised = value } end
  return { failed = value == nil, message = message, code = code, value = value and tostring(value) }
end)
-- All that bad input must leave alone.
gate.get("/state", function()
  local kept, topics = {}, {}
  for i, m in ipairs(gate.history "kept") do kept[i] = m.data end
  for i, t in ipairs(gate.topics()) do topics[i] = t.topic .. " " .. t.count .. " " .. t.messages end
  return { kept = kept, topics = topics, ws = ws:topics(), members = #gate.presence "t",
    evicted = gate.stats().evicted }
end)
gate.post("/kept", function(req) return assert(gate.publish("kept", req:body())) end)
]]

describe("bad input to the hub", function()
  local server, first_line
  local rows = table.move(FAILS, 1, #FAILS, #RAISES + 1, table.move(RAISES, 1, #RAISES, 1, {}))
  local function script(extra)
    local lines = {}
    for i, row in ipairs(rows) do lines[i] = ("rows[%d] = function() return %s end\n"):format(i, row[1]) end
    return HEAD .. table.concat(lines) .. TAIL .. (extra or "")
  end
  local function open_sessions()
    ws.connect(server, "/ws"):receive()
    sse.connect(server, "/sse"):receive()
  end
  setup(function()
    first_line = select(2, HEAD:gsub("\n", ""))
    server = tidegate.start { scripts = script() }
    open_sessions()
    -- Full to the byte: whatever were kept besides would push something out.
    for i = 1, 4 do http.post(server, "/kept", ("%d"):format(i):rep(10)) end
  end)
  teardown(function() server:stop() end)

  local function state() return http.get(server, "/state"):json() end

  for i, row in ipairs(rows) do
    local is_raised = i <= #RAISES
    it(("%s: %s"):format(is_raised and "raises" or "fails", row[1]), function()
      local before = state()
      local answer = http.get(server, "/row/" .. i):json()
      if is_raised then
        assert.matches(("^[^ ]*app.lua:%d: .*"):format(first_line + i) .. row[2], answer.raised)
      else
        assert.same({ true, row[2] }, { answer.failed, answer.code })
        assert.matches(row[3] or "%a", answer.message)
      end
      assert.same(before, state())
    end)
  end

  it("leaves a full topic as it was", function()
    local now = state()
    assert.same({ "1111111111", "2222222222", "3333333333", "4444444444" }, now.kept)
    assert.same({ "joined" }, now.ws)
  end)

  it("is none at the bounds", function()
    assert.equal(200, http.post(server, "/kept", ("x"):rep(40)).status)
    assert.same({ ("x"):rep(40) }, state().kept)
  end)

  for _, row in ipairs(LOADS) do
    it("keeps scripts from loading: " .. row[1], function()
      local text = script(row[1] .. "\n")
      local ok, reason = server:edit { ["app.lua"] = text }
      assert.is_false(ok)
      assert.matches(("app.lua:%d: .*"):format(select(2, text:gsub("\n", ""))) .. row[2], reason)
    end)
  end
end)
