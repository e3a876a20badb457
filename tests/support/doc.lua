-- What holds for the documents beside their code blocks: every link leads
-- somewhere, and no name is missing in the list of names. What a check finds are
-- lines of text; none when all is well.
local files = require "support.files"
local markdown = require "support.markdown"
local shell = require "support.shell"
local uv = require "luv"

local doc = {}

-- Folders that hold no text of ours.
local SKIPPED = { build = true, node_modules = true, [".git"] = true }

local function find_in(root, folder, pattern, found)
  local scan = assert(uv.fs_scandir(root .. "/" .. folder))
  for name, kind in function() return uv.fs_scandir_next(scan) end do
    local path = folder == "" and name or folder .. "/" .. name
    if kind == "directory" and not SKIPPED[name] then
      find_in(root, path, pattern, found)
    elseif kind == "file" and name:find(pattern) then
      found[#found + 1] = path
    end
  end
  return found
end

-- The files below root/folder whose names match a Lua pattern, relative to root, sorted.
---@param root string
---@param folder string  "": all of root
---@param pattern string
---@return string[]
function doc.find(root, folder, pattern)
  local found = find_in(root, folder, pattern, {})
  table.sort(found)
  return found
end

-- Links --------------------------------------------------------------------------

-- path/../x and path/./x without the dots.
local function normalize(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do
    if part == ".." then table.remove(parts) elseif part ~= "." then parts[#parts + 1] = part end
  end
  return table.concat(parts, "/")
end

local function folder_of(path) return path:match "^(.*)/[^/]*$" or "" end

local function check_link(root, path, target)
  if target:find "^%a[%w+.-]*:" then return nil end -- https:, mailto:
  local to, anchor = target:match "^([^#]*)#?(.*)$"
  local file = to == "" and path or normalize(folder_of(path) .. "/" .. to)
  if not uv.fs_stat(root .. "/" .. file) then return ("%s is not there"):format(file) end
  if anchor == "" then return nil end
  if not file:find "%.md$" then return ("%s has no anchors"):format(file) end
  if not markdown.anchors(files.read(root .. "/" .. file))[anchor] then
    return ("%s has no anchor #%s"):format(file, anchor)
  end
end

-- The links of all documents below root that lead nowhere.
---@param root string
---@return string[] problems
function doc.check_links(root)
  local problems = {}
  for _, path in ipairs(doc.find(root, "", "%.md$")) do
    for _, link in ipairs(markdown.links(files.read(root .. "/" .. path))) do
      local problem = check_link(root, path, link.target)
      if problem then problems[#problems + 1] = ("%s:%d: %s"):format(path, link.line, problem) end
    end
  end
  return problems
end

-- Documents that files name, links or not, and that are not there, seen from the top or from the file's folder.
---@param root string
---@param folder string
---@return string[] problems
function doc.check_mentions(root, folder)
  local problems = {}
  for _, path in ipairs(doc.find(root, folder, "%.%l+$")) do
    for name in files.read(root .. "/" .. path):gmatch "[%w_./-]+%.md%f[%W]" do
      local is_there = uv.fs_stat(root .. "/" .. normalize(name))
        or uv.fs_stat(root .. "/" .. normalize(folder_of(path) .. "/" .. name))
      if not is_there then problems[#problems + 1] = ("%s: %s is not there"):format(path, name) end
    end
  end
  return problems
end

-- Names --------------------------------------------------------------------------

-- Holds a list of names (rows of `name` and [page](target)) against the names that are, and
-- against the text of the pages.
---@param text string
---@param names table<string, boolean>
---@param read_page fun(target: string): string
---@return string[] problems
function doc.check_names(text, names, read_page)
  local problems, seen, last = {}, {}, ""
  local function blame(...) problems[#problems + 1] = string.format(...) end
  for name, target in text:gmatch "\n| `([%w_.:]+)` | %[[^%]]+%]%(([^)]+)%) |" do
    if name <= last then blame("%s stands behind %s", name, last) end
    if not names[name] then blame("%s does not exist", name) end
    local page, short = read_page(target), name:match "[.:][%w_]+$"
    if not page:find(name, 1, true) and not page:find("`" .. short .. "`", 1, true) then
      blame("%s does not say what %s is", target, name)
    end
    seen[name], last = true, name
  end
  for name in pairs(names) do
    if not seen[name] then blame("%s is not in the list", name) end
  end
  table.sort(problems)
  return problems
end

-- Scripts ------------------------------------------------------------------------

-- What is wrong with the comment that a script opens with: it is one sentence.
---@param text string
---@return string|nil problem
function doc.check_opening(text)
  local comment = {}
  for line in text:gmatch "([^\n]*)\n" do
    local words = line:match "^%-%- (.*)$"
    if not words then break end
    comment[#comment + 1] = words
  end
  local sentence = table.concat(comment, " ")
  if not sentence:find "^%u.*%.$" then return "does not open with a sentence" end
  if sentence:find "%. %u" then return "opens with more than one sentence" end
end

-- Requests -----------------------------------------------------------------------

-- The request that curl makes: { method, path, headers, body }; nil when the command is another.
local function read_curl(words)
  if words[1] ~= "curl" then return nil end
  local request = { headers = {} }
  for at, word in ipairs(words) do
    local before = words[at - 1]
    if before == "-X" then request.method = word end
    if before == "-d" then request.body = word end
    if before == "-H" then request.headers[word:match "^[^:]+"] = word:match ": *(.*)$" end
    request.path = word:match "^http://127%.0%.0%.1:8080(/.*)$" or request.path
  end
  request.method = request.method or (request.body and "POST" or "GET")
  return request.path and request
end

-- The requests of the curl commands in a document.
---@param text string
function doc.find_requests(text)
  local requests = {}
  for _, block in ipairs(markdown.blocks(text)) do
    for _, words in ipairs(block.info == "sh" and shell.commands(block.text) or {}) do
      requests[#requests + 1] = read_curl(words)
    end
  end
  return requests
end

return doc
