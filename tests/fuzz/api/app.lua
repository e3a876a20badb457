-- What the driver api runs: programs of calls. A program is a text; its bytes say which public
-- function is called with which values, and from where: plainly, in a coroutine, a finalizer, a
-- metamethod, while something is closed, in a task of its own. What there is to call is looked
-- up in the live tables, so a new function is called without a line here.
local core = require "tidegate.core"
local gate = require "tidegate"

gate.topic("h/*", { history = 5, bytes = 4096, presence = true })
gate.subscribe("h/*", function(topic, data, info) return topic .. data .. info.kind end)

local VALUES_MAX = 64  -- that a program has at hand
local STEPS_MAX = 400  -- of one program with all that it starts
local DEPTH_MAX = 6    -- of calls within calls

-- ---- what can be called ------------------------------------------------------

-- Of these a script may call any at any time, but a program would be another one the next time.
-- Not called at all: `load`, which runs bytecode, and what changes the functions of this file.
local left_out = { ["gate.env"] = true, ["gate.dir"] = true, ["gate.version"] = true, ["gate.stats"] = true,
  ["debug.setupvalue"] = true, ["debug.upvaluejoin"] = true }

local functions = {}  -- { name, fn }, sorted by name

local function add_functions(name, value, seen)
  if left_out[name] or seen[value] then return end
  if type(value) == "function" then
    functions[#functions + 1] = { name, value }
  elseif type(value) == "table" then
    seen[value] = true
    for key, inner in pairs(value) do add_functions(name .. "." .. tostring(key), inner, seen) end
  end
end

add_functions("gate", gate, {})
add_functions("core", core, {})
add_functions("coroutine", coroutine, {})
add_functions("debug", debug, { [debug.debug] = true })
for name, fn in pairs { setmetatable = setmetatable, getmetatable = getmetatable, tostring = tostring, next = next,
  rawset = rawset, rawget = rawget, rawlen = rawlen, error = error, select = select, pcall = pcall, xpcall = xpcall,
  collectgarbage = function() collectgarbage() end } do
  functions[#functions + 1] = { name, fn }
end
table.sort(functions, function(a, b) return a[1] < b[1] end)

local fields = { "id", "data", "params", "query", "peer", "raw_query", "started", "method", "path", "raw_path",
  "headers",
  "cookies", "is_upgrade", "resumed", "protocol", "x", 1 }

local option_tables = core.options()
local option_rows = {}
for i, name in ipairs(option_tables) do option_rows[i] = core.options(name) end

-- Methods by type, from the driver: { { "send", ... }, ... } and all in one list.
local function method_names() return gate.keep("methods", function() return { "close" } end) end

-- ---- values ------------------------------------------------------------------

local plain = { false, true, 0, 1, -1, 2, 0.001, 1e300, 0 / 0, 200, 404, 1000, 3000, "", "a", "h/a", "h/b", "h/*", "**",
  "GET /run", "ws /ws", "sse /sse", "text", "binary", "first", "last", "\0", "\xff", ("x"):rep(300), "a=b; c",
  "200", "sub", "HS256",  "{\"a\":[1,2]}", print,
  gate.json.null, math.maxinteger, io.stdout }

local run  -- a program from where it is: run(program, depth)

local function byte(program)
  program.at = program.at + 1
  return program.text:byte(program.at) or 0
end

local function pick(program, list) return list[byte(program) % #list + 1] end

local function keep_value(program, value)
  if value == nil then return end
  local values = program.values
  values[program.next % VALUES_MAX + 1] = value
  program.next = program.next + 1
end

local value_of

local function options_of(program, depth)
  local rows, options = pick(program, option_rows), {}
  for _ = 1, byte(program) % 4 do
    local row = pick(program, rows)
    if row then options[row.name] = row.choices and pick(program, row.choices) or value_of(program, depth) end
  end
  return options
end

local function callback(program, depth)
  return function(...)
    for i = 1, select("#", ...) do keep_value(program, (select(i, ...))) end
    run(program, depth + 1, 3)
    return value_of(program, depth + 1)
  end
end

-- A table that runs a part of the program wherever Lua or the server looks into it.
local function sly_table(program, depth)
  local fn = callback(program, depth)
  return setmetatable({ value_of(program, depth), a = value_of(program, depth) }, { __index = fn, __newindex = fn,
    __gc = fn, __close = fn, __tostring = fn, __len = fn, __pairs = fn, __call = fn, __eq = fn, __lt = fn,
    __concat = fn, __name = "sly" })
end

local makers = {
  function(program) return pick(program, plain) end,
  function(program) return pick(program, program.objects) end,
  function(program) return program.values[byte(program) % VALUES_MAX + 1] end,
  options_of,
  callback,
  sly_table,
  function(program, depth) return coroutine.create(callback(program, depth)) end,
  function(program, depth) return { value_of(program, depth), value_of(program, depth) } end,
  function(program) return program.objects[1] end,
  function() return coroutine.running() end,
  function() return nil end,
}

function value_of(program, depth)
  if depth > DEPTH_MAX then return byte(program) end
  return pick(program, makers)(program, depth + 1)
end

-- ---- steps -------------------------------------------------------------------

local function keep_results(program, _, ...)
  for i = 1, select("#", ...) do keep_value(program, (select(i, ...))) end
end

-- Timers, so that the end of a program can cancel them.
local function remember(program, name, ok, result, ...)
  if ok and (name == "gate.every" or name == "gate.after" or name == "gate.spawn" or name:find "^core%.[eas]") then
    program.timers[#program.timers + 1] = result
  end
  return ok, result, ...
end

local function arguments(program, depth)
  local list, count = {}, byte(program) % 6
  for i = 1, count do list[i] = value_of(program, depth) end
  return table.unpack(list, 1, count)
end

local function call_function(program, depth)
  local name, fn = table.unpack(pick(program, functions))
  -- So that what waits ends with the program.
  if name:find "%.sleep$" then return pcall(fn, byte(program) / 1000000) end
  if name == "coroutine.yield" and not coroutine.isyieldable() then return end
  keep_results(program, remember(program, name, pcall(fn, arguments(program, depth))))
end

local function call_method(program, depth)
  local object = byte(program) % 4 > 0 and pick(program, program.objects) or value_of(program, depth)
  local name = pick(program, method_names())
  keep_results(program, pcall(function(...) return object[name](object, ...) end, arguments(program, depth)))
end

local function use_field(program, depth)
  local object, name = pick(program, program.objects), pick(program, fields)
  if byte(program) % 2 == 0 then
    keep_results(program, pcall(function() return object[name] end))
  else
    pcall(function() object[name] = value_of(program, depth) end)
  end
end

local function finalize(program, depth)
  for _ = 1, 1 + byte(program) % 3 do setmetatable({}, { __gc = callback(program, depth) }) end
  if byte(program) % 2 == 0 then collectgarbage() end
end

local function in_coroutine(program, depth)
  local co = coroutine.create(callback(program, depth))
  keep_value(program, co)
  for _ = 1, byte(program) % 3 do coroutine.resume(co, value_of(program, depth)) end
  if byte(program) % 2 == 0 then pcall(coroutine.close, co) end
end

local function closing(program, depth)
  pcall(function()
    local _ <close> = setmetatable({}, { __close = callback(program, depth) })
    run(program, depth + 1, 2)
    if byte(program) % 2 == 0 then error(value_of(program, depth)) end
  end)
end

local function in_callback_of_c(program, depth)
  local fn = callback(program, depth)
  if byte(program) % 2 == 0 then
    pcall(string.gsub, "ab", ".", fn)
  else
    pcall(table.sort, { 3, 1, 2 }, fn)
  end
end

local function in_handler_of_message(program, depth)
  xpcall(error, callback(program, depth), value_of(program, depth))
end

local function in_task(program, depth) program.timers[#program.timers + 1] = gate.spawn(callback(program, depth)) end

local function raise(program, depth)
  if byte(program) % 8 == 0 then error(value_of(program, depth)) end
end

local steps = { call_function, call_function, call_function, call_method, call_method, call_method, call_method,
  use_field, finalize, in_coroutine, closing, in_callback_of_c, in_handler_of_message, in_task, raise }

function run(program, depth, count)
  if depth > DEPTH_MAX then return end
  for _ = 1, count do
    program.steps = program.steps + 1
    if program.at >= #program.text or program.steps > STEPS_MAX or program.is_over then return end
    pick(program, steps)(program, depth)
  end
end

-- ---- programs ----------------------------------------------------------------

local text, running = "", {}
local old_objects = {}  -- of sessions and requests that are over

local function start(...)
  local program = { text = text, at = 0, steps = 0, next = 0, values = {}, timers = {}, objects = { ... } }
  for _, object in ipairs(old_objects) do program.objects[#program.objects + 1] = object end
  old_objects = { ... }
  running[#running + 1] = program
  run(program, 0, STEPS_MAX)
  return value_of(program, 0), value_of(program, 0), value_of(program, 0)
end

gate.post("/program", function(req)
  text = req:body() or ""
  return 204
end)

-- After a program, so that the next begins as this one did.
gate.post("/end", function()
  for _, program in ipairs(running) do
    program.is_over = true
    for _, timer in ipairs(program.timers) do pcall(function() timer:cancel() end) end
    program.values, program.timers, program.objects = {}, {}, {}
  end
  running = {}
  collectgarbage()
  return 204
end)

gate.post("/run", function(req, res) return start(req, res) end)
gate.ws("/ws", {
  upgrade = function(req, res) if #text % 2 == 0 then start(req, res) end return true end,
  open = function(ws) start(ws) end,
  message = function(ws, data) start(ws, data) end,
  close = function(ws) start(ws) end,
  gap = function(ws) start(ws) end,
  drain = function(ws) start(ws) end,
})
gate.ws("/task", function(ws) start(ws) for _ in ws:messages() do start(ws) end end)
gate.sse("/sse", { open = function(stream) start(stream) end, close = function(stream) start(stream) end })
gate.sse("/stream", function(stream) start(stream) end)
