-- WebSocket frames by hand (RFC 6455 section 5.2): writing any frame, right or
-- wrong, and reading what a server may send, strictly.
local frame = {}

frame.CONTINUATION, frame.TEXT, frame.BINARY = 0, 1, 2
frame.CLOSE, frame.PING, frame.PONG = 8, 9, 10

local function mask_data(data, key)
  local whole = #data // 4
  local out = {}
  local word = string.unpack(">I4", key)
  for i = 1, whole do
    out[i] = string.pack(">I4", string.unpack(">I4", data, i * 4 - 3) ~ word)
  end
  for i = whole * 4 + 1, #data do
    out[#out + 1] = string.char(data:byte(i) ~ key:byte((i - 1) % 4 + 1))
  end
  return table.concat(out)
end

local function encode_length(length, mask_bit, form)
  form = form or (length < 126 and 7 or length < 65536 and 16 or 64)
  if form == 7 then return string.char(mask_bit | length) end
  if form == 16 then return string.pack(">BI2", mask_bit | 126, length) end
  return string.pack(">BI8", mask_bit | 127, length)
end

-- Fields, all but data optional: opcode (TEXT), data, fin (true), rsv (0 to 7),
-- mask (4 bytes, or false for an unmasked frame), length (what the header claims),
-- length_form (7, 16 or 64 bits).
---@param fields table
---@return string
function frame.encode(fields)
  local data = fields.data or ""
  local first = (fields.fin == false and 0 or 0x80) | (fields.rsv or 0) << 4 | (fields.opcode or frame.TEXT)
  local key = fields.mask
  if key == nil then key = "\x37\xfa\x21\x3d" end
  local head = string.char(first) .. encode_length(fields.length or #data, key and 0x80 or 0, fields.length_form)
  if not key then return head .. data end
  return head .. key .. mask_data(data, key)
end

-- A masked frame whose key is zero: valid, and cheap for load.
function frame.encode_cheaply(opcode, data)
  return string.char(0x80 | opcode) .. encode_length(#data, 0x80) .. "\0\0\0\0" .. data
end

-- What a message is as a compressed payload, in stored blocks: DEFLATE by hand
-- (RFC 1951 section 3.2.4), without the tail that RFC 7692 section 7.2.1 takes off.
---@param data string
---@return string
function frame.deflate(data)
  local blocks = {}
  for at = 1, #data, 0xffff do
    local text = data:sub(at, at + 0xfffe)
    blocks[#blocks + 1] = string.pack("<BI2I2", 0, #text, ~#text & 0xffff) .. text
  end
  return table.concat(blocks) .. "\0"
end

-- The same for 1 + 258 * `runs` times "x", in 13 bits for each run (fixed codes, RFC 1951
-- section 3.2.6). is_cut: only the beginning, so that more may follow.
---@param runs integer
---@param is_cut boolean|nil
---@return string
function frame.deflate_runs(runs, is_cut)
  -- No last block, fixed codes, "x"; the end of the block, and the head of an empty one.
  local bits = "01010101000" .. ("1100010100000"):rep(runs) .. (is_cut and "" or "0000000" .. "000")
  if not is_cut then bits = bits .. ("0"):rep(-#bits % 8) end
  return (bits:sub(1, #bits // 8 * 8):gsub("........", function(byte)
    return string.char(tonumber(byte:reverse(), 2))
  end))
end

-- Reads the server frame at position `at`. Returns opcode, data, fin, the
-- position after it and whether it is marked as compressed, or nothing when it is
-- not whole yet. Raises for what a server must not send: a mask, reserved bits
-- (RSV1 unless `admits_rsv1`), a length not in its shortest form, long or
-- fragmented control frames.
---@param input string
---@param at integer
---@param admits_rsv1 boolean|nil
function frame.decode(input, at, admits_rsv1)
  local first, second = input:byte(at, at + 1)
  if not second then return end
  local length, start = second & 0x7f, at + 2
  if second & 0x80 ~= 0 then error("the server sent a masked frame", 0) end
  if first & (admits_rsv1 and 0x30 or 0x70) ~= 0 then error("the server sent a frame with reserved bits", 0) end
  if length == 126 then
    if #input < at + 3 then return end
    length, start = string.unpack(">I2", input, start)
    if length < 126 then error("a frame length is not in its shortest form", 0) end
  elseif length == 127 then
    if #input < at + 9 then return end
    length, start = string.unpack(">I8", input, start)
    if length < 65536 then error("a frame length is not in its shortest form", 0) end
  end
  local opcode, fin = first & 0x0f, first & 0x80 ~= 0
  if opcode > 2 and opcode < 8 or opcode > 10 then error(("unknown opcode %d"):format(opcode), 0) end
  if opcode >= 8 and (length > 125 or not fin) then error("a control frame that is long or fragmented", 0) end
  if #input < start + length - 1 then return end
  return opcode, input:sub(start, start + length - 1), fin, start + length, first & 0x40 ~= 0
end

return frame
