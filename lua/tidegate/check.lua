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

---The place in a script that is calling the framework right now.
---@return string|nil position "hello.lua:3"
function check.position()
  local level = 2
  while true do
    local info = getinfo(level, "Sl")
    if not info then return nil end
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
    check.fail(name, "%s must be a %s (got %s)", argument, expected, check.describe(value))
  end
end

---Raises for keys of an options table that are no names or that no row of `known` has, and for
---values that their row refuses. A row is function(value) -> nil | what is expected.
---@param name string the function the script called
---@param options table
---@param known table<string, fun(value: any): string|nil>
function check.options(name, options, known)
  for key, value in pairs(options) do
    if type(key) ~= "string" then check.fail(name, "options are name = value (got [%s])", tostring(key)) end
    local refuse = known[key]
    if not refuse then
      local names = {}
      for each in pairs(known) do names[#names + 1] = each end
      table.sort(names)
      check.fail(name, "unknown option %q (known: %s)", key, table.concat(names, ", "))
    end
    local expected = refuse(value)
    if expected then
      check.fail(name, "option %q must be %s (got %s)", key, expected, check.describe(value))
    end
  end
end

-- Rows for check.options.

function check.is_function(value)
  if type(value) ~= "function" then return "a function" end
end

function check.is_string(value)
  if type(value) ~= "string" or value == "" then return "a non-empty string" end
end

function check.is_boolean(value)
  if type(value) ~= "boolean" then return "true or false" end
end

local function is_finite(value)
  return type(value) == "number" and value == value and value < math.huge and value > -math.huge
end

function check.is_number(value)
  if not is_finite(value) then return "a number" end
end

function check.is_seconds(value)
  if not is_finite(value) or value < 0 then return "a number of seconds, 0 or more" end
end

function check.is_bytes(value)
  if not is_finite(value) or value < 1 or value % 1 ~= 0 then
    return "a whole number of bytes, 1 or more"
  end
end

return check
