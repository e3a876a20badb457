-- The parts of the documents and of the types for editors that are written from the
-- rows which declare options and metrics: tables between markers in lua/doc/, classes
-- between markers in lua/tidegate/types.lua. Pure: rows and text in, text out.
local cjson = require "cjson"

local reference = {}

-- A script that prints all rows as JSON, those of C and those of Lua: run by `--check`.
reference.SCRIPT = [[
require "tidegate"
local check, core = require "tidegate.check", require "tidegate.core"

local function plain(rows)
  local out = {}
  for i, row in ipairs(rows) do
    out[i] = { luals = check.types[row.type].luals }
    for key, value in pairs(row) do
      if type(value) ~= "function" then out[i][key] = key == "inner" and plain(value) or value end
    end
  end
  return out
end

local tables = {}
for _, name in ipairs(core.options()) do tables[name] = plain(core.options(name, true)) end
for name, rows in pairs(check.declared) do tables[name] = plain(rows) end
print("options " .. core.json.encode(tables))
print("metrics " .. core.json.encode(core.metrics()))
]]

---@class support.metric
---@field name string
---@field kind "counter"|"gauge"
---@field help string

-- From what the script printed: tables of rows by name, and the rows of all metrics.
---@param output string
---@return table<string, tidegate.option[]> tables, support.metric[] metrics
function reference.parse(output)
  local options = assert(output:match "options ({[^\n]*})", output)
  local metrics = assert(output:match "metrics (%[[^\n]*%])", output)
  return cjson.decode(options), cjson.decode(metrics)
end

-- ---- what a row says -------------------------------------------------------

local function list_of(values)
  local quoted = {}
  for i, value in ipairs(values) do quoted[i] = "`" .. value .. "`" end
  return quoted[1] and table.concat(quoted, ", ") or "none"
end

-- The default as the reference writes it; "" when nothing is to be said.
local function default_of(row)
  local default = row.default
  if row.fallback then return row.fallback end
  if row.setting then return ("`%s` of the configuration"):format(row.setting) end
  if type(default) == "table" then return list_of(default) end
  if type(default) == "string" then return ('`"%s"`'):format(default) end
  if type(default) == "boolean" then return ("`%s`"):format(default) end
  return default and ("%.14g"):format(default) or ""
end

local function type_of(row)
  if row.luals then return row.luals end
  if row.choices then return '"' .. table.concat(row.choices, '"|"') .. '"' end
  if row.inner then return ("boolean|tidegate.%s_options"):format(row.inner_name) end
  error("option " .. row.name .. " has no type")
end

-- `heartbeat`, or `close(conn, code, reason)`.
local function title_of(row)
  local arguments = row.type == "function" and type_of(row):match "^fun%((.-)%)"
  if not arguments then return "`" .. row.name .. "`" end
  return ("`%s(%s)`"):format(row.name, (arguments:gsub(":[^,]*", "")))
end

-- Rows link from the top of the repository, pages from where they are; to the page itself without its name.
local function link_from(page, help)
  local up = page:gsub("[^/]+", ".."):gsub("%.%.$", "")
  return (help:gsub("%]%(lua/doc/([%w/-]+%.md)", function(target)
    return "](" .. (target == page and "" or up .. target)
  end))
end

-- ---- tables ------------------------------------------------------------------

-- The kinds of sessions, when rows are for one of them alone.
local function kinds_of(rows)
  for _, row in ipairs(rows) do
    if row.only then return { "ws", "sse" } end
  end
  return {}
end

local function has_defaults(rows)
  for _, row in ipairs(rows) do
    if default_of(row) ~= "" then return true end
  end
  return false
end

local function line_of(cells)
  return (("| " .. table.concat(cells, " | ") .. " |"):gsub("|  |", "| |"):gsub("|  |", "| |"))
end

-- The table of Markdown for a page below lua/doc/.
---@param rows tidegate.option[]
---@param page string "topics.md"
---@return string
function reference.table(rows, page)
  local kinds, is_complete = kinds_of(rows), has_defaults(rows)
  local head = { "option", table.unpack(kinds) }
  if is_complete then head[#head + 1] = "default" end
  head[#head + 1] = ""
  local lines = { line_of(head), "|" .. ("---|"):rep(#head) }
  for _, row in ipairs(rows) do
    local cells = { title_of(row) }
    for _, kind in ipairs(kinds) do cells[#cells + 1] = (not row.only or row.only == kind) and "yes" or "" end
    if is_complete then cells[#cells + 1] = default_of(row) end
    cells[#cells + 1] = link_from(page, row.help)
    lines[#lines + 1] = line_of(cells)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- A page with its tables as the rows have them, and the names of these tables. A table
-- stands between <!-- options: NAME --> and <!-- end of options -->.
---@param text string
---@param page string its path below lua/doc/
---@param tables table<string, tidegate.option[]>
---@return string text, string[] names
function reference.update_page(text, page, tables)
  local names = {}
  text = text:gsub("(<!%-%- options: ([%w_]+) %-%->\n)(.-)(<!%-%- end of options %-%->)", function(head, name, _, tail)
    names[#names + 1] = name
    local rows = tables[name] or error(page .. ": there is no table of options " .. name, 0)
    return head .. reference.table(rows, page) .. tail
  end)
  return text, names
end

-- The table of Markdown of all metrics, by name.
---@param metrics support.metric[]
---@return string
function reference.metrics_table(metrics)
  local sorted = { table.unpack(metrics) }
  table.sort(sorted, function(a, b) return a.name < b.name end)
  local lines = { "| name | kind | |", "|---|---|---|" }
  for _, row in ipairs(sorted) do
    lines[#lines + 1] = line_of { "`" .. row.name .. "`", row.kind, row.help }
  end
  return table.concat(lines, "\n") .. "\n"
end

-- A page with its table of metrics, and how many it has: between <!-- metrics --> and
-- <!-- end of metrics -->.
---@param text string
---@param metrics support.metric[]
---@return string text, integer count
function reference.update_metrics(text, metrics)
  return text:gsub("(<!%-%- metrics %-%->\n)(.-)(<!%-%- end of metrics %-%->)", function(head, _, tail)
    return head .. reference.metrics_table(metrics) .. tail
  end)
end

-- ---- types -------------------------------------------------------------------

local CONNECTIONS = { ws = "tidegate.WebSocket", sse = "tidegate.Stream" }

local function field_of(row, kind)
  local luals = type_of(row):gsub("tidegate%.Connection", CONNECTIONS[kind] or "%0")
  local help, default = row.help:gsub("%[(.-)%]%(.-%)", "%1"), default_of(row)
  if default ~= "" then help = ("%s (default: %s)"):format(help, default) end
  return ("---@field %s%s %s %s\n"):format(row.name, row.needed and "" or "?", luals, help)
end

local function add_class(lines, name, rows, kind)
  lines[#lines + 1] = ("\n---@class tidegate.%s_options\n"):format(name)
  for _, row in ipairs(rows) do
    if not kind or not row.only or row.only == kind then lines[#lines + 1] = field_of(row, kind) end
  end
end

-- The classes of all tables, by name; one a kind where rows are for one kind alone.
---@param tables table<string, tidegate.option[]>
---@return string
function reference.classes(tables)
  local names, lines = {}, {}
  for name in pairs(tables) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local kinds = kinds_of(tables[name])
    for _, kind in ipairs(kinds) do add_class(lines, kind, tables[name], kind) end
    if #kinds == 0 then add_class(lines, name, tables[name]) end
  end
  return table.concat(lines)
end

-- The file of types with its classes of options as the rows have them.
---@param text string
---@param tables table<string, tidegate.option[]>
---@return string
function reference.update_types(text, tables)
  local _, first = text:find "\n%-%- Options, [^\n]*\n"
  local last = text:find("\n-- End of options.\n", 1, true)
  assert(first and last, "the file has no place for options")
  return text:sub(1, first) .. reference.classes(tables) .. text:sub(last)
end

return reference
