-- The servers that the bench starts, one row each:
--   label    heading of its column
--   argv     function(port, options) -> the command line
--   env      function() -> environment variables, or nil
--   paths    where its paths differ from those of scripts/app.lua
--   args     further arguments of the load generator
--   missing  function() -> what to do to have it, or nil when it is there
local uv = require "luv"
local files = require "support.files"

local BENCH = "tests/bench"
local BUILD = os.getenv "BENCH_BUILD" or "build/bench"
local PEERS = "build/peers"  -- where `.ci/setup bench` unpacks nginx
local SETUP = "run .ci/setup bench"

local servers = { build = BUILD, load = BUILD .. "/tests/bench/bench_load" }

local function exists(path) return uv.fs_stat(path) ~= nil end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

-- ---- nginx and its modules, unpacked below PEERS or installed ---------------

local NGINX = { { root = uv.cwd() .. "/" .. PEERS }, { root = "" } }

local function find_nginx(module)
  for _, place in ipairs(NGINX) do
    local modules = place.root .. "/usr/lib/nginx/modules"
    local binary = place.root .. "/usr/sbin/nginx"
    if exists(binary) and exists(("%s/%s.so"):format(modules, module)) then
      return binary, modules, place.root
    end
  end
end

local function nginx_env()
  local root = NGINX[1].root
  return { LD_LIBRARY_PATH = ("%s/usr/lib/x86_64-linux-gnu:%s/lib/x86_64-linux-gnu"):format(root, root) }
end

local function nginx(label, config, module)
  return {
    label = label,
    env = nginx_env,
    missing = function() return not find_nginx(module) and SETUP or nil end,
    argv = function(port)
      local binary, modules, root = find_nginx(module)
      local dir = uv.cwd() .. "/" .. BUILD .. "/nginx"
      local values = { PORT = port, MODULES = modules, DIR = dir, LUA = root .. "/usr/share/lua/5.1" }
      files.write(dir .. "/nginx.conf", (read(BENCH .. "/peers/" .. config):gsub("@(%u+)@", values)))
      return { binary, "-p", dir, "-e", "stderr", "-c", dir .. "/nginx.conf" }
    end,
  }
end

-- ---- node ------------------------------------------------------------------

local function node(label, script, package, more)
  local row = {
    label = label,
    missing = function() return not exists("tests/node_modules/" .. package) and SETUP or nil end,
    argv = function(port) return { "node", ("%s/peers/%s"):format(BENCH, script), tostring(port) } end,
  }
  for key, value in pairs(more or {}) do row[key] = value end
  return row
end

local function socketio_path(role)
  return "/socket.io/?EIO=4&transport=websocket&role=" .. role
end

-- ---- the rows --------------------------------------------------------------

servers.raw = {
  label = "raw epoll",
  argv = function(port) return { BUILD .. "/tests/bench/bench_raw", tostring(port) } end,
}

servers.tidegate = {
  label = "Tidegate",
  argv = function(port, options)
    return {
      os.getenv "TIDEGATE_BIN" or BUILD .. "/tidegate", "--workers", tostring(options.workers or 1),
      "--listen", "127.0.0.1:" .. port, BENCH .. "/scripts",
    }
  end,
}

servers.capp = {
  label = "C app",
  argv = function(port) return { BUILD .. "/tests/bench/bench_capp", "127.0.0.1:" .. port } end,
}

servers.nchan = nginx("Nchan", "nchan.conf", "ngx_nchan_module")
servers.nginx_lua = nginx("nginx Lua", "nginx-lua.conf", "ngx_http_lua_module")
servers.ws = node("node ws", "ws.mjs", "ws")
servers.socketio = node("Socket.IO", "socketio.mjs", "socket.io", {
  args = { dialect = "socketio" },
  paths = {
    ["/ws/sub"] = socketio_path "sub",
    ["/ws/pub"] = socketio_path "pub",
    ["/ws/echo"] = socketio_path "echo",
  },
})

return servers
