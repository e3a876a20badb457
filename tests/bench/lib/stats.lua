-- Medians, and the verdict over a case.
local stats = {}

---@param values number[]
---@return number|nil
function stats.median(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local middle = #sorted // 2
  if #sorted == 0 then return nil end
  if #sorted % 2 == 1 then return sorted[middle + 1] end
  return (sorted[middle] + sorted[middle + 1]) / 2
end

-- The ratios of each round, sorted: the two of a round ran one after the other,
-- so what else the machine did touched both.
---@param over (number|false)[]  by round; false where it failed
---@param under (number|false)[]
---@return number[]
function stats.ratios(over, under)
  local ratios = {}
  for round = 1, math.min(#over, #under) do
    if over[round] and under[round] and under[round] ~= 0 then
      ratios[#ratios + 1] = over[round] / under[round]
    end
  end
  table.sort(ratios)
  return ratios
end

---@param values (number|false)[]
function stats.known(values)
  local known = {}
  for _, value in ipairs(values) do known[#known + 1] = value or nil end
  return known
end

-- Whether a case meets its target; nil when it has none or was not measured.
---@param case table
---@param value number|nil  of the second column
---@param ratio number|nil
function stats.verdict(case, value, ratio)
  if case.limit then return value and value <= case.limit end
  if case.at_least then return ratio and ratio >= case.at_least end
  if case.target then return ratio and ratio <= case.target end
end

return stats
