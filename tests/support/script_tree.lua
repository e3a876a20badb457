-- A script directory that shell commands change: links, swaps, replaced folders. The
-- script answers GET /version with the text that was written last.
local files = require "support.files"
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"

local script_tree = {}

local Tree = {}
Tree.__index = Tree

-- A script whose GET /version gives `text`.
function script_tree.script(text)
  return ("require('tidegate').get('/version', function() return '%s' end)"):format(text)
end

---@return table
function script_tree.new()
  return setmetatable({ root = files.new_folder() }, Tree)
end

-- Runs commands in the folder above the script directory. $N is `n`, $P the number before;
-- `put FILE` writes a script of version $N.
function Tree:sh(commands, n)
  local head = ([[cd '%s' && set -e; N=%d; P=%d
    put() {
      mkdir -p "$(dirname "$1")"
      echo "require('tidegate').get('/version', function() return 'v$N' end)" > "$1"
    }
  ]]):format(self.root, n or 1, (n or 1) - 1)
  assert(os.execute(head .. commands))
end

-- Starts the server of `dir` (app), a path below the root.
function Tree:start(options)
  options = options or {}
  options.dir = self.root .. "/" .. (options.dir or "app")
  self.dir = options.dir
  self.server = tidegate.start(options)
end

function Tree:version()
  local response = http.get(self.server, "/version")
  return response.status == 200 and response.body or response.status
end

function Tree:wait_for(version)
  loop.poll(function() return self:version() == version end, function()
    return ("%s, not %s; the log:\n%s"):format(version, self:version(), self.server.process:tail())
  end)
end

-- `tidegate reload` of a path below the root; of the script directory without one.
function Tree:reload(path)
  return tidegate.run { "reload", path and self.root .. "/" .. path or self.dir }
end

function Tree:__close()
  if self.server then self.server:stop() end
  assert(os.execute(("rm -rf '%s'"):format(self.root)))
end

return script_tree
