-- Route patterns: text in, segments out. Pure; raises nothing.
--
--   /a/b            literal segments, written decoded
--   {name}          one segment of at least one character
--   {name:%d+}      one segment that the Lua pattern matches whole
--   {name...}       the rest of the path, at least one character; only at the end

local pattern = {}

---@class tidegate.segment
---@field kind "literal"|"constrained"|"placeholder"|"rest"
---@field text string|nil the literal text
---@field name string|nil the placeholder's name
---@field match string|nil the anchored Lua pattern of a constrained placeholder

---@class tidegate.pattern
---@field text string as the script wrote it, with the prefixes of its scopes
---@field segments tidegate.segment[]
---@field names string[] of the placeholders, in order
---@field lead string what every path of the pattern begins with; the whole path when it is static
---@field is_static boolean it has no placeholder

-- The end of the set that opens at `i`, or nil.
local function set_end(text, i)
  i = i + 1
  if text:sub(i, i) == "^" then i = i + 1 end
  local first = i
  while i <= #text do
    local c = text:sub(i, i)
    if c == "]" and i > first then return i end
    i = i + (c == "%" and 2 or 1)
  end
end

-- The length of the escape at `i`, or nil and what is wrong with it.
local function escape_length(text, i, closed)
  local c = text:sub(i + 1, i + 1)
  if c == "" then return nil, "it ends with '%'" end
  if c == "b" then
    if i + 3 > #text then return nil, "%b needs two characters" end
    return 4
  end
  if c == "f" and text:sub(i + 2, i + 2) ~= "[" then return nil, "%f needs a set" end
  if c:find("%d") and (c == "0" or tonumber(c) > closed) then
    return nil, "%" .. c .. " refers to no capture"
  end
  return 2
end

-- string.find meets a fault in a pattern only when the subject leads it there,
-- so a bad pattern must be found by reading it.
local function lua_pattern_fault(text)
  if text:sub(1, 1) == "^" or (text:sub(-1) == "$" and text:sub(-2) ~= "%$") then
    return "it always matches the whole segment: leave out '^' and '$'"
  end
  local i, open, closed = 1, 0, 0
  while i <= #text do
    local c = text:sub(i, i)
    if c == "%" then
      local length, fault = escape_length(text, i, closed)
      if not length then return fault end
      i = i + length
    elseif c == "[" then
      local last = set_end(text, i)
      if not last then return "a '[' is not closed" end
      i = last + 1
    else
      if c == "(" then open = open + 1 end
      if c == ")" then open, closed = open - 1, closed + 1 end
      if open < 0 then return "a ')' was not opened" end
      i = i + 1
    end
  end
  if open > 0 then return "a '(' is not closed" end
  if closed > 32 then return "it has more than 32 captures" end
end

local function parse_constrained(name, text)
  local fault = text == "" and "it is empty" or lua_pattern_fault(text)
  if fault then
    return nil, ("the Lua pattern %q of {%s} cannot be used: %s"):format(text, name, fault)
  end
  return { kind = "constrained", name = name, match = "^" .. text .. "$" }
end

local function parse_segment(text)
  if not text:find("[{}]") then
    if text:find("%%%x%x") then
      return nil, ("write segment %q decoded, without percent codes"):format(text)
    end
    if text:find("[?#]") then return nil, "a path has no '?' and no '#'" end
    return { kind = "literal", text = text }
  end
  local name, tail = text:match("^{([%a_][%w_]*)(.*)}$")
  if name and tail == "" then return { kind = "placeholder", name = name } end
  if name and tail == "..." then return { kind = "rest", name = name } end
  if name and tail:sub(1, 1) == ":" then return parse_constrained(name, tail:sub(2)) end
  local format = "segment %q is neither plain text nor {name}, {name:pattern} or {name...}"
  return nil, format:format(text)
end

local function add_segment(result, segment, is_last)
  if segment.kind == "literal" then
    if segment.text == "" and not is_last then return "it has an empty segment (\"//\")" end
  else
    for _, name in ipairs(result.names) do
      if name == segment.name then return ("placeholder %q stands twice"):format(name) end
    end
    if segment.kind == "rest" and not is_last then
      return ("{%s...} must be the last segment"):format(segment.name)
    end
    result.names[#result.names + 1] = segment.name
  end
  result.segments[#result.segments + 1] = segment
end

---Reads a pattern.
---@param text string
---@return tidegate.pattern|nil, string|nil message what is wrong with it
function pattern.parse(text)
  if text:sub(1, 1) ~= "/" then return nil, "it must start with '/'" end
  if text:find("%c") then return nil, "it holds a control character" end
  local result = { text = text, segments = {}, names = {} }
  local start = 2
  while start do
    local slash = text:find("/", start, true)
    local segment, fault = parse_segment(text:sub(start, slash and slash - 1))
    if segment then fault = add_segment(result, segment, not slash) end
    if fault then return nil, fault end
    start = slash and slash + 1
  end
  result.is_static = #result.names == 0
  result.lead = result.is_static and text or text:match("^[^{]*")
  return result
end

return pattern
