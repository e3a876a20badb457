-- Markdown as the documents use it, taken apart: code blocks, links, and the
-- anchors that links can lead to. Pure: text in, tables out.

local markdown = {}

-- The lines of a text with their numbers.
local function lines_of(text)
  local number = 0
  local next_line = text:gmatch "([^\n]*)\n?"
  return function()
    local line = next_line()
    number = number + 1
    if line then return number, line end
  end
end

---@class support.block
---@field line integer where it begins
---@field info string what follows the opening fence
---@field text string
---@field is_indented boolean indented by four spaces instead of fenced
---@field is_open boolean the closing fence is missing

-- Calls on_block(block) for every code block, and on_line(number, line) for all other lines.
local function walk(text, on_block, on_line)
  local block, lines, indent, before = nil, {}, "", ""
  for number, line in lines_of(text) do
    local margin, info = line:match "^(%s*)```+%s*(.-)%s*$"
    if block and info == "" then
      block.text, block.is_open = table.concat(lines, "\n"), false
      on_block(block)
      block = nil
    elseif block then
      lines[#lines + 1] = line:gsub("^" .. indent, "")
    elseif info then
      block, lines, indent = { line = number, info = info, text = "", is_open = true }, {}, margin
    elseif line:find "^    %S" and before == "" then
      on_block { line = number, info = "", text = line, is_indented = true }
    else
      on_line(number, line)
    end
    before = line
  end
  if block then on_block(block) end
end

local function ignore() end

---@param text string
---@return support.block[]
function markdown.blocks(text)
  local blocks = {}
  walk(text, function(block) blocks[#blocks + 1] = block end, ignore)
  return blocks
end

-- The links of a text outside of code: array of { line, target }.
---@param text string
function markdown.links(text)
  local links = {}
  walk(text, ignore, function(number, line)
    for target in line:gsub("`[^`]*`", ""):gmatch "%]%(([^%s)]+)[^)]*%)" do
      links[#links + 1] = { line = number, target = target }
    end
    local defined = line:match "^%[[^%]]+%]:%s*(%S+)"
    if defined then links[#links + 1] = { line = number, target = defined } end
  end)
  return links
end

-- The anchor that hosting sites make of a heading: lower case, dashes for spaces,
-- without punctuation.
local function slug_of(heading)
  local text = heading:gsub("%[([^%]]*)%]%([^)]*%)", "%1")
  return (text:lower():gsub("[^%w%s_\128-\255-]", ""):gsub("%s", "-"))
end

-- The set of the anchors of a text: its headings, and its <a name="...">.
---@param text string
---@return table<string, boolean>
function markdown.anchors(text)
  local anchors = {}
  walk(text, ignore, function(_, line)
    local heading = line:match "^#+%s+(.-)%s*$"
    if heading then
      local slug, count = slug_of(heading), 0
      local anchor = slug
      while anchors[anchor] do
        count = count + 1
        anchor = slug .. "-" .. count
      end
      anchors[anchor] = true
    end
    for name in line:gmatch '<a name="([^"]+)">' do anchors[name] = true end
  end)
  return anchors
end

return markdown
