-- Results as Markdown tables.
local servers = require "servers"

local report = {}

-- Three significant digits, thousands with commas.
---@param value number|nil
function report.number(value)
  if not value then return "" end
  local size = math.abs(value)
  if size < 1 then return ("%.3f"):format(value) end
  if size < 10 then return ("%.2f"):format(value) end
  if size < 100 then return ("%.1f"):format(value) end
  local text = ("%.0f"):format(value)
  return (text:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^(%-?),", "%1"))
end

local function target_text(result)
  if result.limit then return "at most " .. report.number(result.limit) end
  if result.at_least then return ("at least %.2f x"):format(result.at_least) end
  return result.target and ("%.2f x"):format(result.target) or ""
end

local function verdict_text(result)
  if result.ok == nil then return "" end
  return result.ok and "yes" or "**no**"
end

-- "1.08 (1.02 to 1.11)": the median and the extremes.
local function ratio_text(result)
  if not result.ratio then return "" end
  local all = result.ratios
  return ("%.2f (%.2f to %.2f)"):format(result.ratio, all[1], all[#all])
end

local function row(cells) return "| " .. table.concat(cells, " | ") .. " |\n" end

local function head(cells)
  local rules = {}
  for i = 1, #cells do rules[i] = i == 1 and "---" or "---:" end
  return row(cells) .. row(rules)
end

local function cell(column) return column.failure and "failed" or report.number(column.median) end

local ORDER = { "raw", "tidegate", "nchan", "nginx_lua", "ws", "socketio" }

-- Servers as columns.
local function limit_table(results)
  local cells = { "case" }
  for _, name in ipairs(ORDER) do cells[#cells + 1] = servers[name].label end
  local text = head(table.move({ "ratio", "target", "met" }, 1, 3, #cells + 1, cells))
  for _, result in ipairs(results) do
    local by_label = {}
    for _, column in ipairs(result.columns) do by_label[column.label] = column end
    cells = { result.name }
    for _, name in ipairs(ORDER) do
      local column = by_label[servers[name].label]
      cells[#cells + 1] = column and cell(column) or ""
    end
    for _, last in ipairs { ratio_text(result), target_text(result), verdict_text(result) } do
      cells[#cells + 1] = last
    end
    text = text .. row(cells)
  end
  return text
end

local function itself_table(results)
  local text = head { "case", "first", "second", "ratio", "target", "met" }
  for _, result in ipairs(results) do
    text = text .. row {
      result.name, cell(result.columns[1]), cell(result.columns[2]),
      ratio_text(result), target_text(result), verdict_text(result),
    }
  end
  return text
end

local function group(results, name)
  local chosen = {}
  for _, result in ipairs(results) do
    if result.group == name then chosen[#chosen + 1] = result end
  end
  return chosen
end

---@param run table  { machine, results }
---@return string
function report.markdown(run)
  local machine = {}
  for _, fact in ipairs(run.machine) do machine[#machine + 1] = ("%s: %s"):format(fact[1], fact[2]) end
  local parts = { table.concat(machine, "; ") .. ".\n" }
  local limits, itself = group(run.results, "limit"), group(run.results, "itself")
  if #limits > 0 then parts[#parts + 1] = limit_table(limits) end
  if #itself > 0 then parts[#parts + 1] = "Tidegate against itself:\n\n" .. itself_table(itself) end
  return table.concat(parts, "\n")
end

return report
