-- Inflates what the server compresses (RFC 1951), strictly: no reference may
-- reach beyond the window that was agreed on, and nothing may be left over.
local inflate = {}

local Inflater = {}
Inflater.__index = Inflater

-- Lengths and distances (section 3.2.5): the first value of each code, and its extra bits.
local LENGTHS, LENGTH_BITS, DISTANCES, DISTANCE_BITS = {}, {}, {}, {}
do
  local length, distance = 3, 1
  for code = 0, 27 do
    LENGTHS[code], LENGTH_BITS[code] = length, code < 8 and 0 or (code - 4) // 4
    length = length + (1 << LENGTH_BITS[code])
  end
  LENGTHS[28], LENGTH_BITS[28] = 258, 0
  for code = 0, 29 do
    DISTANCES[code], DISTANCE_BITS[code] = distance, code < 4 and 0 or (code - 2) // 2
    distance = distance + (1 << DISTANCE_BITS[code])
  end
end

-- Where the lengths of the code lengths' codes stand (section 3.2.7).
local ORDER = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 }

-- A table from (length << 16 | code) to symbol, of the lengths of symbols 0 to count - 1
-- (section 3.2.2).
local function make_codes(lengths, count)
  local codes, code = {}, 0
  for length = 1, 15 do
    code = code << 1
    for symbol = 0, count - 1 do
      if lengths[symbol] == length then
        codes[length << 16 | code] = symbol
        code = code + 1
      end
    end
  end
  return codes
end

local FIXED_LITERALS, FIXED_DISTANCES
do
  local lengths, distances = {}, {}
  for symbol = 0, 287 do
    lengths[symbol] = symbol < 144 and 8 or symbol < 256 and 9 or symbol < 280 and 7 or 8
  end
  for symbol = 0, 29 do distances[symbol] = 5 end
  FIXED_LITERALS, FIXED_DISTANCES = make_codes(lengths, 288), make_codes(distances, 30)
end

local function read_bits(input, count)
  local value = 0
  for i = 0, count - 1 do
    local byte = input.data:byte((input.at >> 3) + 1)
    if not byte then error("compressed data is cut off", 0) end
    value = value | (byte >> (input.at & 7) & 1) << i
    input.at = input.at + 1
  end
  return value
end

local function read_symbol(input, codes)
  local code = 0
  for length = 1, 15 do
    code = code << 1 | read_bits(input, 1)
    local symbol = codes[length << 16 | code]
    if symbol then return symbol end
  end
  error("a code that stands for nothing", 0)
end

local function read_dynamic_codes(input)
  local literal_count, distance_count = 257 + read_bits(input, 5), 1 + read_bits(input, 5)
  local lengths = {}
  for i = 1, 4 + read_bits(input, 4) do lengths[ORDER[i]] = read_bits(input, 3) end
  local length_codes, all, at = make_codes(lengths, 19), {}, 0
  while at < literal_count + distance_count do
    local symbol, value, count = read_symbol(input, length_codes), 0, 1
    if symbol < 16 then value = symbol
    elseif symbol == 16 then value, count = all[at - 1], 3 + read_bits(input, 2)
    elseif symbol == 17 then count = 3 + read_bits(input, 3)
    else count = 11 + read_bits(input, 7) end
    for _ = 1, count do all[at], at = value, at + 1 end
  end
  local distances = {}
  for i = 0, distance_count - 1 do distances[i] = all[literal_count + i] end
  return make_codes(all, literal_count), make_codes(distances, distance_count)
end

local function copy(inflater, length, distance)
  local window = inflater.window
  if distance > inflater.size or distance > #window then error("a reference beyond the window", 0) end
  for _ = 1, length do window[#window + 1] = window[#window + 1 - distance] end
end

local function read_block(inflater, input, literals, distances)
  local window = inflater.window
  while true do
    local symbol = read_symbol(input, literals)
    if symbol == 256 then return end
    if symbol < 256 then
      window[#window + 1] = string.char(symbol)
    else
      local length = LENGTHS[symbol - 257] + read_bits(input, LENGTH_BITS[symbol - 257])
      local code = read_symbol(input, distances)
      copy(inflater, length, DISTANCES[code] + read_bits(input, DISTANCE_BITS[code]))
    end
  end
end

local function read_stored(inflater, input)
  input.at = (input.at + 7) & ~7
  local length, complement = read_bits(input, 16), read_bits(input, 16)
  if length ~ complement ~= 0xffff then error("a stored length belies itself", 0) end
  local start = (input.at >> 3) + 1
  if #input.data < start + length - 1 then error("compressed data is cut off", 0) end
  for i = start, start + length - 1 do inflater.window[#inflater.window + 1] = input.data:sub(i, i) end
  input.at = input.at + length * 8
end

-- bits: of the window; keeps_context: messages may refer to those before.
---@param bits integer
---@param keeps_context boolean
function inflate.new(bits, keeps_context)
  return setmetatable({ window = {}, size = 1 << bits, keeps_context = keeps_context }, Inflater)
end

-- Inflates the payload of a whole message (RFC 7692 section 7.2.2).
---@param payload string
---@return string
function Inflater:message(payload)
  local input = { data = payload .. "\0\0\xff\xff", at = 0 }
  if not self.keeps_context then self.window = {} end
  local before = #self.window
  while input.at < #input.data * 8 do
    read_bits(input, 1)  -- BFINAL means nothing here
    local kind = read_bits(input, 2)
    if kind == 0 then read_stored(self, input)
    elseif kind == 1 then read_block(self, input, FIXED_LITERALS, FIXED_DISTANCES)
    elseif kind == 2 then read_block(self, input, read_dynamic_codes(input))
    else error("a reserved block type", 0) end
  end
  local text = table.concat(self.window, "", before + 1)
  self.window = table.move(self.window, math.max(1, #self.window - self.size + 1), #self.window, 1, {})
  return text
end

return inflate
