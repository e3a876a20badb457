-- Counts against those that are kept: pure, so that `run` can show on made-up
-- counts that it would notice.

local compare = {}

-- Percent that a count may be from the kept one.
local LIMIT = 5

---@class count.kept
---@field on string what they were counted on
---@field counts table<string, integer> by case

---The kept file: a line "# on: ..." and one line "name count" a case.
---@param text string
---@return count.kept
function compare.parse(text)
  local kept = { on = text:match "# on: ([^\n]*)" or "", counts = {} }
  for line in text:gmatch "[^\n]+" do
    local name, count = line:match "^([%w-]+) (%d+)$"
    if name then kept.counts[name] = tonumber(count) end
  end
  return kept
end

---@param on string
---@param results { name: string, count: integer }[]
---@return string
function compare.format(on, results)
  local lines = {
    "# Instructions of each case of bench_count: see tests/bench/README.md.",
    "# Written by `make bench-count UPDATE=1`.",
    "# on: " .. on,
  }
  for _, result in ipairs(results) do lines[#lines + 1] = result.name .. " " .. result.count end
  return table.concat(lines, "\n") .. "\n"
end

---@param kept integer|nil
---@param count integer
---@return string verdict "same", "grew", "shrank" or "new"
---@return number|nil change as a share: 0.1 is 10 % more
function compare.judge(kept, count)
  if not kept then return "new" end
  local change = count / kept - 1
  if count * 100 > kept * (100 + LIMIT) then return "grew", change end
  if count * 100 < kept * (100 - LIMIT) then return "shrank", change end
  return "same", change
end

---The kept cases that there are no more, sorted.
---@param kept count.kept
---@param results { name: string }[]
---@return string[]
function compare.gone(kept, results)
  local left, names = {}, {}
  for name in pairs(kept.counts) do left[name] = true end
  for _, result in ipairs(results) do left[result.name] = nil end
  for name in pairs(left) do names[#names + 1] = name end
  table.sort(names)
  return names
end

return compare
