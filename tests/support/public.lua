-- What scripts can use: read from the running program, and from the types for editors.
local files = require "support.files"
local tidegate = require "support.server"

local public = {}

-- Prints the full name of everything that is in gate, and of every method; a table without
-- entries counts as one thing.
local LIST = [[
  local function list(prefix, value)
    if type(value) ~= "table" or not next(value) then return print(prefix, type(value)) end
    for name, inner in pairs(value) do list(prefix .. "." .. name, inner) end
  end
  list("gate", require "tidegate")
  for _, name in ipairs(require "tidegate.core".methods()) do print(name, "function") end
]]

-- Methods of ws and of stream that have their name in common alone.
local APART = { send = true, close = true }

-- A method of both is one of conn.
local function join_sessions(kinds)
  local joined = {}
  for name in pairs(kinds) do
    local method = name:match "^ws:(.*)$"
    if method and not APART[method] and kinds["stream:" .. method] then joined[#joined + 1] = method end
  end
  for _, method in ipairs(joined) do
    kinds["ws:" .. method], kinds["stream:" .. method], kinds["conn:" .. method] = nil, nil, "function"
  end
end

-- What each public name of the running program is: "gate.publish" -> "function".
---@return table<string, string>
function public.kinds()
  local folder = files.new_folder()
  files.write(folder .. "/list.lua", LIST)
  local result = tidegate.run { "--check", folder, "--workers", "1" }
  files.remove_tree(folder)
  local kinds = {}
  for name, kind in result.out:gmatch "([%a]+[.:][%w_.:]+)\t(%l+)\n" do kinds[name] = kind end
  assert(kinds["gate.publish"] == "function" and kinds["ws:send"] == "function", result.out .. result.err)
  join_sessions(kinds)
  return kinds
end

---@return string[] sorted
function public.names()
  local names = {}
  for name in pairs(public.kinds()) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- ---- types -----------------------------------------------------------------

-- What the types call the objects -> what the pages call them.
local OBJECTS = { Request = "req", Response = "res", Connection = "conn", WebSocket = "ws", Stream = "stream",
                  Timer = "timer", gate = "gate", Scope = "gate" }

---@class support.typed
---@field parameters string[] names
---@field types table<string, string> of the parameters
---@field returns string[] the texts of its @return

-- The lines of annotations right above `at`.
local function annotations(lines, at)
  local first = at
  while lines[first - 1]:find "^%-%-%-" do first = first - 1 end
  return table.move(lines, first, at - 1, 1, {})
end

local function read_function(lines, at, arguments)
  local typed = { parameters = {}, types = {}, returns = {} }
  for name in arguments:gmatch "[%w_.]+" do typed.parameters[#typed.parameters + 1] = name end
  for _, line in ipairs(annotations(lines, at)) do
    local name, text = line:match "^%-%-%-@param ([%w_.]+)%??%s+(.*)$"
    if name then typed.types[name] = text end
    local returned = line:match "^%-%-%-@return (.*)$"
    if returned then typed.returns[#typed.returns + 1] = returned end
  end
  return typed
end

-- Of a field of the type fun(a: string, b?: integer).
local function read_field(text)
  local typed = { parameters = {}, types = {}, returns = {} }
  for name, type_name in (text:match "^fun(%b())" or ""):gmatch "([%w_.]+)%??: ([^,)]+)" do
    typed.parameters[#typed.parameters + 1] = name
    typed.types[name] = type_name
  end
  return typed
end

-- Functions by their public name, and the fields of each class.
---@param text string of lua/tidegate/types.lua
---@return table<string, support.typed> functions, table<string, table<string, string>> fields
function public.parse_types(text)
  local lines, functions, fields, prefixes, class = {}, {}, {}, {}, nil
  for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  for _, line in ipairs(lines) do
    class = line:match "^%-%-%-@class (tidegate%.[%w_]+)" or (line:find "^%-%-%-" and class or nil)
    local field, type_name = line:match "^%-%-%-@field ([%w_]+)%?? (.*)$"
    if class and field then
      fields[class] = fields[class] or {}
      fields[class][field] = type_name
    end
  end
  -- gate.log is a tidegate.Log, whose functions are those of the local Log.
  local inner_fields = {}
  for field, type_name in pairs(fields["tidegate.Gate"]) do
    prefixes[type_name:match "^tidegate%.(%u%w*)" or ""] = "gate." .. field
    for inner, inner_type in pairs(fields[type_name:match "^tidegate%.%u%w*" or ""] or {}) do
      inner_fields[field .. "." .. inner] = inner_type
      if inner_type:find "^fun%(" then functions["gate." .. field .. "." .. inner] = read_field(inner_type) end
    end
  end
  for name, inner_type in pairs(inner_fields) do fields["tidegate.Gate"][name] = inner_type end
  for at, line in ipairs(lines) do
    local object, mark, name, arguments = line:match "^function ([%w]+)([.:])([%w_]+)%((.-)%) end$"
    if object then
      local prefix = OBJECTS[object] or assert(prefixes[object], line)
      functions[prefix .. mark .. name] = read_function(lines, at, arguments)
    end
  end
  return functions, fields
end

return public
