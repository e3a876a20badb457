-- Odd arguments to every function of the hub: each is given every value, alone and in every
-- option. None may crash the server or change anything, each failure says what is wrong, and
-- where a script raised. Long names and names that are no text have their rows.
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local open_ws, open_stream, closed
gate.ws("/ws", { open = function(it) open_ws = it it:join "joined" it:send "open" end })
gate.ws("/closed", { open = function(it) closed = it it:close() end })
gate.sse("/sse", { open = function(it) open_stream = it it:send "open" end })

local function values()
  return {
    nan = 0 / 0, huge = math.huge, negative = -1, zero = 0, fraction = 1.5,
    big = math.maxinteger, small = math.mininteger,
    exponent = "1e3", empty = "", ["true"] = true, ["false"] = false,
    table = {}, list = { 1, 2 }, fn = print, file = io.stdout,
    task = coroutine.running(), null = gate.null, ws = open_ws, stream = open_stream, closed = closed,
    named = setmetatable({}, { __name = "odd", __index = function() error "read through a metatable" end }),
    text = setmetatable({}, { __tostring = function() return "t" end }), nul = "a\0b", utf8 = "\xff", control = "a\nb",
    n255 = ("x"):rep(255), n256 = ("x"):rep(256),
    wide = ("\u{20AC}"):rep(85), wider = ("\u{20AC}"):rep(86), pattern = "a/*",
    reserved = "presence:t",
  }
end

local function call(name, ...)
  local receiver, method = name:match "^(%a+):(%a+)$"
  if not method then return gate[name](...) end
  local session = receiver == "ws" and open_ws or open_stream
  return session[method](session, ...)
end

-- What happened: "ok", a code, or what was raised.
local function try(name, ...)
  local ok, value, message, code = pcall(call, name, ...)
  if not ok then return "raised " .. tostring(value) end
  if value == nil then return ("failed %s: %s"):format(code, message) end
  return "ok"
end

local FUNCTIONS = {
  publish = { "except", "event", "kind", "key" }, count = {}, presence = {},
  history = { "since", "limit", "reverse" },
  topics = { "limit" },
  ["ws:join"] = { "since", "as", "info", "lag" }, ["stream:join"] = { "since", "as", "info", "lag" },
  ["ws:leave"] = {}, ["stream:leave"] = {},
}

local function leave_all()
  for _, session in ipairs { open_ws, open_stream } do
    for _, topic in ipairs(session:topics()) do
      if topic ~= "joined" then session:leave(topic) end
    end
  end
end

gate.get("/try", function()
  local outcomes = {}
  for name, options in pairs(FUNCTIONS) do
    local value = name == "publish" and "x" or nil
    for what, odd in pairs(values()) do
      outcomes[name .. " topic " .. what] = try(name, odd, value)
      if name == "publish" then
        outcomes["publish value " .. what] = try(name, "t", odd)
        outcomes["publish options " .. what] = try(name, "t", "x", odd)
      elseif next(options) then
        outcomes[name .. " options " .. what] = try(name, "t", odd)
      end
      for _, option in ipairs(options) do
        local given = { [option] = odd, as = option == "info" and "a" or option == "as" and odd or nil }
        if name == "publish" then outcomes[("publish %s %s"):format(option, what)] = try(name, "t", "x", given)
        else outcomes[("%s %s %s"):format(name, option, what)] = try(name, "t", given) end
      end
      leave_all()
    end
  end
  return outcomes
end)
gate.get("/topics", function() return { list = open_ws:topics(), count = gate.count "joined" } end)
]]

-- What must come out where, by function, argument and value; the first that matches. (Lua
-- does not know the name of a function that is called by a computed name.)
local EXPECTED = {
  { "topic n255$", "^ok", "^failed not_joined" },
  { "topic wide$", "^ok", "^failed not_joined" },
  { "topic exponent$", "^ok", "^failed not_joined" },
  { "^publish topic reserved$", "^failed topic: only the hub publishes" },
  { "topic reserved$", "^ok", "^failed not_joined" },
  { "^topics topic pattern$", "^ok" },
  { "topic pattern$", "^failed topic: a name with %* is a pattern" },
  { "^topics topic null$", "^raised", "^ok" },
  { "topic n256$", "^failed topic: .*1 to 255 bytes" },
  { "topic wider$", "^failed topic: .*1 to 255 bytes" },
  { "topic empty$", "^failed topic: .*1 to 255 bytes" },
  { "topic nul$", "^failed topic: .*control characters" },
  { "topic control$", "^failed topic: .*control characters" },
  { "topic utf8$", "^failed topic: .*UTF%-8" },
  { " topic ", "^raised [^:]*app.lua:%d+: bad argument #[12] to '[%a?]+' %(string expected, got " },
  { "^publish except ws$", "^ok" },
  { "^publish except stream$", "^ok" },
  { "^publish except closed$", "^ok" },
  { "^publish except ", "^raised .*publish: except must be a ws or a stream, got " },
  { "^publish value utf8$", "^failed utf8" },
  { "^publish event control$", "^failed event" },
  { "^publish event nul$", "^failed event" },
  { "^publish event utf8$", "^failed event" },
  { "^publish event n256$", "^failed event" },
  { "^publish event wider$", "^failed event" },
  { "^publish key utf8$", "^failed utf8" },
  { "join as nan$", "^raised" }, { "join as huge$", "^raised" }, { "join as fraction$", "^raised" },
  { "join as empty$", "^failed as" }, { "join as n256$", "^failed as" }, { "join as wider$", "^failed as" },
  { "join as nul$", "^failed as" }, { "join as control$", "^failed as" }, { "join as utf8$", "^failed as" },
  { "join info utf8$", "^failed utf8" },
  { "limit zero$", "^raised .*limit must be a whole number" },
  { "limit negative$", "^raised .*limit must be a whole number" },
  { "limit nan$", "^raised .*limit must be a whole number" },
  { "limit huge$", "^raised .*limit must be a whole number" },
  { "limit fraction$", "^raised .*limit must be a whole number" },
  { "limit big$", "^ok" },
  { "limit ", "^raised .*limit must be a whole number" },
  { "reverse true$", "^ok" }, { "reverse false$", "^ok" }, { "reverse ", "^raised .*reverse must be true or false" },
  { "kind ", '^raised .*kind must be "text" or "binary"' },
  { "lag ", '^raised .*lag must be "skip", "latest" or "close"' },
}

local function find_expected(what)
  for _, row in ipairs(EXPECTED) do
    if what:find(row[1]) then return row end
  end
end

describe("odd arguments to the hub", function()
  local server
  setup(function()
    server = tidegate.start { scripts = SCRIPT }
    ws.connect(server, "/ws"):receive()
    sse.connect(server, "/sse"):receive()
    ws.connect(server, "/closed")
  end)
  teardown(function() server:stop() end)

  it("are refused with a reason, and change nothing", function()
    local outcomes, wrong, checked = http.get(server, "/try"):json(), {}, 0
    for what, outcome in pairs(outcomes) do
      local row, is_right = find_expected(what), outcome == "ok"
      if row then
        is_right, checked = false, checked + 1
        for i = 2, #row do is_right = is_right or outcome:find(row[i]) ~= nil end
      elseif not is_right then
        -- Whatever else is refused says by what the script is wrong, and where.
        is_right = outcome:find "^raised [^:]*app.lua:%d+: %a" ~= nil or outcome:find "^failed [%a_0-9]+: %a" ~= nil
      end
      if not is_right then wrong[#wrong + 1] = what .. ": " .. outcome end
    end
    table.sort(wrong)
    assert.equal("", table.concat(wrong, "\n"))
    assert.is_true(checked > 200)
    assert.same({ list = { "joined" }, count = 1 }, http.get(server, "/topics"):json())
  end)

  it("that are sessions of an earlier generation are sessions all the same", function()
    assert(server:edit { ["other.lua"] = [[
      local gate = require "tidegate"
      local kept = gate.keep("kept", {})
      gate.ws("/kept", { open = function(it) kept.ws = it it:join "kept" it:send "open" end })
      gate.get("/except", function() return { id = gate.publish("kept", "x", { except = kept.ws }) } end)]] })
    local client = ws.connect(server, "/kept")
    client:receive()
    assert(server:edit { ["third.lua"] = "require('tidegate').get('/third', function() return 'x' end)" })
    assert.is_string(http.get(server, "/except"):json().id)
    client:close()
    assert.is_string(http.get(server, "/except"):json().id)
  end)
end)
