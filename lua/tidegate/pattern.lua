-- Route patterns: text in, segments out. Pure; raises nothing.
--
--   /a/b            literal segments, written decoded
--   {name}          one segment of at least one character
--   {name:%d+}      one segment that the Lua pattern matches whole
--   {name...}       the rest of the path, at least one character; only at the end

local matcher = require "tidegate.matcher"

local pattern = {}

---@class tidegate.segment
---@field kind "literal"|"constrained"|"placeholder"|"rest"
---@field text string|nil the literal text
---@field name string|nil the placeholder's name
---@field match string|nil the Lua pattern of a constrained placeholder
---@field matches nil|fun(text: string): boolean whether it matches all of a text

---@class tidegate.pattern
---@field text string as the script wrote it, with the prefixes of its scopes
---@field segments tidegate.segment[]
---@field names string[] of the placeholders, in order
---@field lead string what every path of the pattern begins with; the whole path when it is static
---@field is_static boolean it has no placeholder

local function parse_constrained(name, text)
  local matches, fault = matcher.compile(text)
  if not matches then
    return nil, ("the Lua pattern %q of {%s} cannot be used: %s"):format(text, name, fault)
  end
  return { kind = "constrained", name = name, match = text, matches = matches }
end

-- How other frameworks write placeholders, and how they are written here.
local FOREIGN = {
  { "^:([%a_][%w_]*)[?*+]?$", "{%s}" },
  { "^:([%a_][%w_]*)%(.*%)[?*+]?$", "{%s:pattern}" },
  { "^<([%a_][%w_]*)>$", "{%s}" },
  { "^<path:([%a_][%w_]*)>$", "{%s...}" },
  { "^<%a+:([%a_][%w_]*)>$", "{%s}" },
  { "^%[%.%.%.([%a_][%w_]*)%]$", "{%s...}" },
  { "^%[([%a_][%w_]*)%]$", "{%s}" },
  { "^%(([%a_][%w_]*)%)$", "{%s}" },
  { "^%*%*?$", "{rest...}" },
  { "^%*%*?([%a_][%w_]*)$", "{%s...}" },
  { "^{%*+([%a_][%w_]*)}$", "{%s...}" },
  { "^{%.%.%.([%a_][%w_]*)}$", "{%s...}" },
  { "^{([%a_][%w_]*)[?*]}$", "{%s}" },
}

-- What is wrong with a segment that would be a placeholder elsewhere.
local function foreign_fault(text)
  for _, row in ipairs(FOREIGN) do
    local name = text:match(row[1])
    if name then
      local here = row[2]:format(name)
      if here:find("...", 1, true) then
        return ("segment %q is no placeholder here: write %s for the rest of the path"):format(text, here)
      end
      return ("segment %q is no placeholder here: write %s"):format(text, here)
    end
  end
  if text:sub(1, 1) == ":" then
    return ("segment %q is no placeholder here: write {name}, which is a whole segment"):format(text)
  end
end

local function parse_segment(text)
  local foreign = foreign_fault(text)
  if foreign then return nil, foreign end
  if not text:find("[{}]") then
    if text:find("%%%x%x") then
      return nil, ("write segment %q decoded, without percent codes"):format(text)
    end
    if text:find("[?#]") then return nil, "a path has no '?' and no '#'" end
    if text:find("\\", 1, true) then return nil, "a path has no '\\'" end
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
