-- A command line read by a table, one row an option:
--   name     --name; the row with `is_bare` takes the argument that has no name
--   value    what the help calls its value; none: the option has none and is true
--   help     what it is for
--   range    { least, most }: the value is a number; `is_whole`: without a fraction
--   words    a table whose names the value may be; `is_list`: several of them, with commas
local arguments = {}

local function names_of(words)
  local names = {}
  for name in pairs(words) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

local function read_number(row, text)
  local number, least, most = tonumber(text), table.unpack(row.range)
  if number and number >= least and number <= most and not (row.is_whole and number % 1 ~= 0) then return number end
  local kind = row.is_whole and "a whole number" or "a number"
  return nil, ("%s is not %s from %s to %s"):format(text, kind, least, most)
end

-- The value that the text stands for, or nil and why it is none.
local function read_value(row, text)
  if row.range then return read_number(row, text) end
  for word in text:gmatch(row.is_list and "[^,]+" or ".+") do
    if row.words and not row.words[word] then
      return nil, ("%s is not one of %s"):format(word, names_of(row.words))
    end
  end
  return text
end

local function find(rows, argument)
  for _, row in ipairs(rows) do
    if argument == "--" .. row.name or (row.is_bare and not argument:find "^%-") then return row end
  end
end

---@param rows table[]
---@param list string[]  the arguments
---@param chosen table  values by name that hold where nothing is said
---@return table|nil chosen
---@return string|nil wrong  what is wrong, when something is
function arguments.parse(rows, list, chosen)
  local at = 1
  while list[at] do
    local row = find(rows, list[at])
    if not row then return nil, "unknown option " .. list[at] end
    if row.value and not row.is_bare then at = at + 1 end
    if not list[at] then return nil, ("--%s needs a value"):format(row.name) end
    local value, wrong = true, nil
    if row.value then value, wrong = read_value(row, list[at]) end
    if wrong then return nil, ("%s: %s"):format(row.name, wrong) end
    chosen[row.name] = value
    at = at + 1
  end
  return chosen
end

---@param rows table[]
---@return string help  a line for each row
function arguments.describe(rows)
  local lines = {}
  for i, row in ipairs(rows) do
    local left = (row.is_bare and "" or "--" .. row.name .. " ") .. (row.value or "")
    local words = row.words and not row.is_bare and ": " .. names_of(row.words) or ""
    lines[i] = ("  %-15s %s%s\n"):format(left, row.help, words)
  end
  return table.concat(lines)
end

return arguments
