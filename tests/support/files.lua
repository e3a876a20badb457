-- Temporary folders: a tree of files given as a table, written, changed and
-- removed again.
local uv = require "luv"

local files = {}

---@return string
function files.new_folder()
  local root = os.getenv "TMPDIR" or "/tmp"
  return assert(uv.fs_mkdtemp(root .. "/tidegate-e2e-XXXXXX"))
end

local function make_parents(path)
  local at = 1
  while true do
    at = path:find("/", at + 1, true)
    if not at then return end
    uv.fs_mkdir(path:sub(1, at - 1), tonumber("755", 8))
  end
end

---@param path string
---@return string
function files.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- Writes in place, as a simple editor does.
function files.write(path, text)
  make_parents(path)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
end

-- Writes at `staging` and renames, as most editors do. Staging stands outside the
-- watched folder: a slow machine must not see the half of the change.
function files.replace(path, text, staging)
  make_parents(path)
  files.write(staging, text)
  assert(os.rename(staging, path))
end

function files.remove_tree(path)
  local scan = uv.fs_scandir(path)
  if scan then
    for name, kind in function() return uv.fs_scandir_next(scan) end do
      local child = path .. "/" .. name
      if kind == "directory" then files.remove_tree(child) else os.remove(child) end
    end
  end
  uv.fs_rmdir(path)
end

return files
