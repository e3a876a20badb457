-- Errors that point at the script: checks of what scripts pass to the
-- framework. A message opens with the position in the script, not with one in
-- the framework, however deep the check stands.

local getinfo = debug.getinfo

local check = {}

-- Sources of the framework's files that stand between a script and a check.
local hidden = { [getinfo(1, "S").source] = true }

---Hides the calling file: positions are looked for in whoever called it. For the
---framework's modules, once each, at the top.
function check.hide_file()
  hidden[getinfo(2, "S").source] = true
end

-- The framework's locals that hold a function of a script while it runs, or a link with one.
local callers = { terminal = true, upgrade = true, open = true, link = true }

-- A function that ended in `return gate.jwt.verify(...)` is no longer on the stack. Where it
-- begins is known from the frame of the framework that called it.
local function find_tail_caller()
  for level = 3, math.huge do
    local info = getinfo(level, "S")
    if not info then return nil end
    for index = 1, hidden[info.source] and 200 or 0 do
      local name, value = debug.getlocal(level, index)
      if not name then break end
      local fn = callers[name] and (type(value) == "table" and value.fn or value)
      if type(fn) == "function" and not hidden[getinfo(fn, "S").source] then return check.origin(fn) end
    end
  end
end

---The place in a script that is calling the framework right now.
---@return string|nil position "hello.lua:3"
function check.position()
  local level = 2
  while true do
    local info = getinfo(level, "Sl")
    if not info then return find_tail_caller() end
    if info.what ~= "C" and not hidden[info.source] then
      return info.short_src .. ":" .. info.currentline
    end
    level = level + 1
  end
end

---Where a function was written.
---@param fn function
---@return string position "hello.lua:12"
function check.origin(fn)
  local info = getinfo(fn, "S")
  if info.what == "C" then return "a C function" end
  return info.short_src .. ":" .. info.linedefined
end

---Raises an error that names the script's position and the public function.
---@param name string the function the script called, as "gate.get"
---@param format string
---@param ... any
function check.fail(name, format, ...)
  local position = check.position()
  local message = name .. ": " .. string.format(format, ...)
  error(position and position .. ": " .. message or message, 0)
end

---Of the server, put here by app.lua: the name of a list that is near to another, or nil.
---@type fun(wanted: string, names: string[]): string|nil
function check.nearest() end

---Likewise: remembers what a script that read a name that is not there may have meant, or nil,
---for the error it gets if it goes on to call it.
---@type fun(name: string, meant: string|nil)
function check.note_miss() end

-- What things are called elsewhere, and here.
local foreign = {
  all = "any", broadcast = "publish", del = "delete", emit = "publish", err = "error", parse = "decode",
  setInterval = "every", setTimeout = "after", stringify = "encode", wait = "sleep", warning = "warn", websocket = "ws",
}

local function find_meant(functions, key)
  local names = {}
  for name in pairs(functions) do names[#names + 1] = name end
  table.sort(names)
  local meant = check.nearest(key, names) or foreign[key]
  return meant and rawget(functions, meant) ~= nil and meant or false
end

---Makes a table of functions note names that it lacks. They are nil, so that scripts can look
---for what a later version brings (`if gate.fetch then`); but a call says what is near.
---@generic T: table
---@param label string how messages call it, as "gate.log"
---@param functions T
---@return T functions
function check.note_misses(label, functions)
  local misses = {}
  return setmetatable(functions, { __index = function(_, key)
    if type(key) ~= "string" then return nil end
    local meant = misses[key]
    if meant == nil then
      meant = find_meant(functions, key)
      misses[key] = meant
    end
    check.note_miss(key, meant and label .. "." .. meant or nil)
  end })
end

---Raises when a function was called as a method of its table: with a colon.
---@param name string the function the script called
---@param first any its first argument
function check.dot(name, first)
  if type(first) == "table" and type(rawget(first, name:match "[^.]+$")) == "function" then
    check.fail(name, "write %s(...), with a dot instead of the colon", name)
  end
end

---Says what a value is, for messages. Text is not shown: it may be a secret.
---@param value any
---@return string
function check.describe(value)
  if value == nil then return "nil" end
  if value == "" then return "an empty string" end
  if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
  return "a " .. type(value)
end

---Raises unless `value` has the type.
---@param name string the function the script called
---@param argument string what the value is for
---@param value any
---@param expected type
function check.type(name, argument, value, expected)
  if type(value) ~= expected then
    local asks = expected == "function" and value == nil
    check.fail(name, "%s must be a %s (got %s)%s", argument, expected, check.describe(value),
      asks and "; is it defined above this line, and given without ()?" or "")
  end
end

-- ---- options ---------------------------------------------------------------

---@class tidegate.option a row that declares an option, here or in C (core.options)
---@field name string
---@field type string a name in check.types
---@field test? fun(value: any): boolean what values are good, of the type "any"
---@field expected? string "option must be <expected>"; without it, as the type has it
---@field least? number of a number; of names, how many
---@field most? number
---@field choices? string[]
---@field inner? tidegate.option[] of a switch
---@field needed? boolean
---@field default? any
---@field fallback? string the default in words, for the reference
---@field luals? string the type for editors; without it, as the type has it
---@field help string Markdown for the reference, without a full stop at its end

---@class tidegate.option_type
---@field expected string|fun(row: tidegate.option): string
---@field luals string|nil
---@field test fun(value: any, row: tidegate.option): boolean

---A number that is neither infinite nor NaN.
---@param value any
---@return boolean
function check.is_finite(value)
  return type(value) == "number" and value == value and value < math.huge and value > -math.huge
end

local function is_number(value, row)
  return check.is_finite(value) and value >= (row.least or value) and value <= (row.most or value)
end

local function is_whole(value, row) return is_number(value, row) and value % 1 == 0 end

local function is_boolean(value) return type(value) == "boolean" end

-- Tokens of RFC 9110, as fields carry them.
local function is_names(value, row)
  if type(value) ~= "table" then return false end
  local count = 0
  for _, name in pairs(value) do
    count = count + 1
    if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$" then return false end
  end
  return count == #value and count >= (row.least or 0)
end

local function is_choice(value, row)
  for _, choice in ipairs(row.choices) do
    if value == choice then return true end
  end
  return false
end

local function bounds_of(row)
  if row.most then return (" from %g to %g"):format(row.least or 0, row.most) end
  return row.least and (", %g or more"):format(row.least) or ""
end

-- Rows by name, for each table of rows: options are checked in every call.
local indexes = setmetatable({}, { __mode = "k" })

local function index_of(rows)
  local index = indexes[rows]
  if not index then
    index = {}
    for _, row in ipairs(rows) do index[row.name] = row end
    indexes[rows] = index
  end
  return index
end

-- The types by which rows say what values are good.
---@type table<string, tidegate.option_type>
check.types = {
  any = { luals = "any", expected = "something else", test = function(value, row) return row.test(value) end },
  boolean = { luals = "boolean", expected = "true or false", test = is_boolean },
  bytes = {
    luals = "integer", expected = "a whole number of bytes, 1 or more",
    test = function(value, row) return is_whole(value, row) and value >= 1 end,
  },
  choice = {
    expected = function(row) return '"' .. table.concat(row.choices, '" or "') .. '"' end,
    test = is_choice,
  },
  ["function"] = {
    luals = "function", expected = "a function", test = function(value) return type(value) == "function" end,
  },
  names = { luals = "string[]", expected = "a list of names", test = is_names },
  number = { luals = "number", expected = function(row) return "a number" .. bounds_of(row) end, test = is_number },
  seconds = {
    luals = "number",
    expected = function(row)
      return "a number of seconds" .. bounds_of { least = row.least or 0, most = row.most }
    end,
    test = function(value, row) return is_number(value, row) and value >= 0 end,
  },
  text = {
    luals = "string", expected = "a non-empty string",
    test = function(value) return type(value) == "string" and value ~= "" end,
  },
  whole = {
    luals = "integer", expected = function(row) return "a whole number" .. bounds_of(row) end, test = is_whole,
  },
}

-- Whether the value is good for the row.
local function is_good(value, row) return check.types[row.type].test(value, row) end

local function is_switch(value, row)
  if type(value) ~= "table" then return is_boolean(value) end
  local index = index_of(row.inner)
  for key, setting in pairs(value) do
    local inner = index[key]
    if not inner or not is_good(setting, inner) then return false end
  end
  return true
end

check.types.switch = { expected = "true, false or a table of options", test = is_switch }

---What values the row takes, in words.
---@param row tidegate.option
---@return string
function check.expected(row)
  local expected = row.expected or check.types[row.type].expected
  return type(expected) == "function" and expected(row) or expected
end

---Tables of options that Lua declares, by name: the reference and the types for editors are
---written from them, and from those in core.options.
---@type table<string, tidegate.option[]>
check.declared = {}

---Declares a table of options.
---@param name string
---@param rows tidegate.option[]
---@return tidegate.option[] rows
function check.declare(name, rows)
  check.declared[name] = rows
  return rows
end

local function fail_unknown(name, key, rows, elsewhere)
  local names = {}
  for i, row in ipairs(rows) do names[i] = row.name end
  table.sort(names)
  local bare = key:gsub("^on_?", "")
  local near = index_of(rows)[bare] and bare or check.nearest(key, names)
  local hint = near and (": did you mean %q?"):format(near) or ""
  if elsewhere and elsewhere[key] then hint = ": it is for " .. elsewhere[key] .. " alone" end
  check.fail(name, "unknown option %q%s (known: %s)", key, hint, table.concat(names, ", "))
end

---Raises for keys of an options table that are no names or that no row has, for values that
---are not good for their row, and for a needed option that is absent.
---@param name string the function the script called
---@param options table
---@param rows tidegate.option[]
---@param elsewhere? table<string, string> options of another function, and which
function check.options(name, options, rows, elsewhere)
  local index = index_of(rows)
  for key, value in pairs(options) do
    if type(key) ~= "string" then check.fail(name, "options are name = value (got [%s])", tostring(key)) end
    local row = index[key] or fail_unknown(name, key, rows, elsewhere)
    if not is_good(value, row) then
      check.fail(name, "option %q must be %s (got %s)", key, check.expected(row), check.describe(value))
    end
  end
  for _, row in ipairs(rows) do
    if row.needed and options[row.name] == nil then check.fail(name, "option %q is needed", row.name) end
  end
end

---Options with the defaults of the rows for those that are absent.
---@param options table
---@param rows tidegate.option[]
---@return table options another table
function check.with_defaults(options, rows)
  local complete = {}
  for _, row in ipairs(rows) do
    local value = options[row.name]
    if value == nil then value = row.default end
    complete[row.name] = value
  end
  return complete
end

return check
