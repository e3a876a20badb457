-- A server whose standard output or error goes where a shell's redirection says: to a pipe that
-- nobody reads, a full disk, nowhere.
local files = require "support.files"
local http = require "support.http"
local loop = require "support.loop"
local process = require "support.process"
local tcp = require "support.tcp"
local tidegate = require "support.server"

local redirected = {}

local Server = {}
Server.__index = Server

---@class redirected.Options
---@field workers integer|nil 1 if nil
---@field env table<string, string>|nil
---@field ignores_err boolean|nil nobody reads its standard error until `process:read_err()`

-- Starts one with `script`. In `redirect`, $folder is its folder, with two fifos: `fifo`, which is
-- open and which nobody reads, and `gone`.
---@param script string
---@param redirect string
---@param options redirected.Options
function redirected.start(script, redirect, options)
  local folder = files.new_folder()
  files.write(folder .. "/scripts/app.lua", script)
  local self = setmetatable({ folder = folder, address = "unix:" .. folder .. "/gate.sock" }, Server)
  self.process = process.start("/bin/sh", { ignores_err = options.ignores_err, env = options.env, args = {
    "-c", ("folder=%s; mkfifo $folder/fifo $folder/gone; exec 9<>$folder/fifo; " ..
      'exec setpriv --pdeathsig KILL "$0" "$@" %s'):format(folder, redirect),
    tidegate.binary, "--listen", self.address, "--workers", tostring(options.workers or 1), folder .. "/scripts",
  } })
  loop.poll(function() return (tcp.try_connect(self)) end, "listening server"):close()
  return self
end

function Server:get(path) return http.get(self, path).body end

function Server:__close()
  self.process:kill "sigkill"
  self.process:read_err()
  pcall(self.process.wait, self.process)
  tcp.close_all()
  files.remove_tree(self.folder)
end

return redirected
