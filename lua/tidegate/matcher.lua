-- Lua patterns of route placeholders: text in, a function that tests whole segments out.
-- Pure; raises nothing.
--
-- string.find goes back over every repeat it meets: six of them on a path of 100
-- characters take seconds, and a client chooses the path. So string.find gets the segments
-- that it is sure to be quick with. All others are followed character by character, with
-- every state of the pattern at once (one bit each), in a time that grows with the length
-- of the segment alone.

local byte, char, find, sub = string.byte, string.char, string.find, string.sub

local matcher = {}

-- What string.find may compare for one segment at most: a fraction of a millisecond.
local MOST_STEPS = 50000
-- Items of a pattern whose states fit into one integer, beside the final one.
local MOST_ITEMS = 62
-- Items that may be left out, beside %b or a reference: each doubles the ways to match.
local MOST_OPTIONAL = 4

---@class tidegate.item a part of a Lua pattern
---@field kind "single"|"frontier"|"balance"|"reference"
---@field set string|nil the pattern of one character
---@field quantifier string "", "*", "+", "-" or "?"

-- The end of the set that opens at `i`, or nil.
local function set_end(text, i)
  i = i + 1
  if sub(text, i, i) == "^" then i = i + 1 end
  local first = i
  while i <= #text do
    local c = sub(text, i, i)
    if c == "]" and i > first then return i end
    i = i + (c == "%" and 2 or 1)
  end
end

-- The end of the escape at `i` and what it is, or nil and what is wrong with it.
local function escape_end(text, i, closed)
  local c = sub(text, i + 1, i + 1)
  if c == "" then return nil, "it ends with '%'" end
  if c == "b" then
    if i + 3 > #text then return nil, "%b needs two characters" end
    return i + 3, "balance"
  end
  if c == "f" then
    if sub(text, i + 2, i + 2) ~= "[" then return nil, "%f needs a set" end
    local last = set_end(text, i + 2)
    if not last then return nil, "a '[' is not closed" end
    return last, "frontier"
  end
  if find(c, "%d") then
    if c == "0" or tonumber(c) > closed then return nil, "%" .. c .. " refers to no capture" end
    return i + 1, "reference"
  end
  return i + 1, "single"
end

-- The end of the item at `i` and what it is, or nil and what is wrong with it.
local function item_end(text, i, closed)
  local c = sub(text, i, i)
  if c == "%" then return escape_end(text, i, closed) end
  if c ~= "[" then return i, "single" end
  local last = set_end(text, i)
  if not last then return nil, "a '[' is not closed" end
  return last, "single"
end

-- string.find meets a fault in a pattern only when the subject leads it there,
-- so a bad pattern must be found by reading it.
local function read(text)
  local items, i, open, closed = {}, 1, 0, 0
  while i <= #text do
    local c = sub(text, i, i)
    if c == "(" then
      open, i = open + 1, i + 1
    elseif c == ")" then
      open, closed, i = open - 1, closed + 1, i + 1
      if open < 0 then return nil, "a ')' was not opened" end
    else
      local last, kind = item_end(text, i, closed)
      if not last then return nil, kind end
      local first = kind == "frontier" and i + 2 or i
      local quantifier = kind == "single" and find(text, "^[*+?-]", last + 1) and sub(text, last + 1, last + 1) or ""
      items[#items + 1] = { kind = kind, set = sub(text, first, last), quantifier = quantifier }
      i = last + 1 + #quantifier
    end
  end
  if open > 0 then return nil, "a '(' is not closed" end
  if closed > 32 then return nil, "it has more than 32 captures" end
  return items
end

-- How many items repeat without bound, may be left out, and are more than one character.
local function count(items)
  local repeats, optional, spans = 0, 0, 0
  for _, item in ipairs(items) do
    if item.quantifier == "?" then optional = optional + 1 end
    if find(item.quantifier, "[*+-]") then repeats = repeats + 1 end
    if item.kind == "balance" or item.kind == "reference" then spans = spans + 1 end
  end
  return repeats, optional, spans
end

-- For each byte the items that it is good for, as bits; found when first asked for.
local function new_masks(items, kind)
  return setmetatable({}, { __index = function(masks, code)
    local mask, text = 0, char(code)
    for i, item in ipairs(items) do
      if item.kind == kind and find(text, "^" .. item.set .. "$") then mask = mask | 1 << (i - 1) end
    end
    masks[code] = mask
    return mask
  end })
end

-- The items whose quantifier is among `quantifiers`, as bits.
local function bits_of(items, quantifiers)
  local bits = 0
  for i, item in ipairs(items) do
    if item.quantifier ~= "" and find(quantifiers, item.quantifier, 1, true) then bits = bits | 1 << (i - 1) end
  end
  return bits
end

-- Bit i of a state: the items up to the i-th are matched (from 0).
local function simulate(items)
  local masks, frontiers = new_masks(items, "single"), new_masks(items, "frontier")
  local loops, nullable, final = bits_of(items, "*+-"), bits_of(items, "*-?"), 1 << #items

  -- `before` and `after` are the bytes around; at either end 0, as string.find has it.
  local function close(state, before, after)
    local passes = nullable | frontiers[after] & ~frontiers[before]
    repeat
      local start = state
      state = start | (start & passes) << 1
    until state == start
    return state
  end

  return function(segment)
    local length = #segment
    local state = close(1, 0, byte(segment, 1) or 0)
    for i = 1, length do
      local code = byte(segment, i)
      local hit = state & masks[code]
      state = close(hit & loops | hit << 1, code, byte(segment, i + 1) or 0)
      if state == 0 then return false end
    end
    return state & final ~= 0
  end
end

---Reads a Lua pattern.
---@param text string without anchors
---@return (fun(segment: string): boolean)|nil matches whether the pattern matches all of a segment
---@return string|nil message what is wrong with it
function matcher.compile(text)
  if text == "" then return nil, "it is empty" end
  if sub(text, 1, 1) == "^" or (sub(text, -1) == "$" and sub(text, -2) ~= "%$") then
    return nil, "it always matches the whole segment: leave out '^' and '$'"
  end
  local items, fault = read(text)
  if not items then return nil, fault end
  local repeats, optional, spans = count(items)
  local anchored = "^" .. text .. "$"
  local function match(segment) return find(segment, anchored) ~= nil end
  if spans > 0 then
    if repeats == 0 and optional <= MOST_OPTIONAL then return match end
    return nil, "with %b or %1 it may hold no '*', '+' or '-', and four '?' at most: it could take seconds"
  end
  if repeats + optional <= 1 then return match end
  if #items > MOST_ITEMS then
    return nil, ("it may have %d characters and classes at most, as it repeats more than one"):format(MOST_ITEMS)
  end
  local follow, ways = simulate(items), 2.0 ^ optional * #items
  return function(segment)
    if (#segment + 1.0) ^ repeats * ways <= MOST_STEPS then return match(segment) end
    return follow(segment)
  end
end

return matcher
