-- One measurement: starts a server on its core, points the load generator at it
-- from another, and returns what that reports.
local cjson = require "cjson"
local uv = require "luv"
local loop = require "support.loop"
local process = require "support.process"
local servers = require "servers"

local measure = {}

-- The server's core and the load's. "all" is for a server with several workers.
local CPUS = {
  server = os.getenv "BENCH_SERVER_CPU" or "0",
  load = os.getenv "BENCH_LOAD_CPU" or "1",
}
CPUS.all = CPUS.server .. "," .. CPUS.load

-- Raises the limit of open files, pins to a core, and lets nothing outlive us.
local WRAP = 'ulimit -n "$(ulimit -Hn)"; exec setpriv --pdeathsig KILL taskset -c "$@"'

local function start(cpus, argv, env)
  local args = { "-c", WRAP, "sh", cpus }
  return process.start("/bin/sh", { args = table.move(argv, 1, #argv, #args + 1, args), env = env })
end

local function free_port()
  local socket = uv.new_tcp()
  assert(socket:bind("127.0.0.1", 0))
  local port = socket:getsockname().port
  loop.close(socket)
  return port
end

local function accepts(port)
  local socket, answer = uv.new_tcp(), nil
  socket:connect("127.0.0.1", port, function(err) answer = err or true end)
  loop.wait(function() return answer end, "an answer of connect")
  loop.close(socket)
  return answer == true
end

-- The first column that a server lacks something for says so, once.
local told = {}

---@param name string  of servers.lua
---@return boolean
function measure.has(name)
  local missing = servers[name].missing and servers[name].missing()
  if missing and not told[name] then
    io.stderr:write(("%s is not here and left out: %s\n"):format(servers[name].label, missing))
  end
  told[name] = missing
  return not missing
end

local function load_argv(server, args, port, pid)
  local all = { port = port, pid = pid }
  for _, more in ipairs { args, server.args or {} } do
    for name, value in pairs(more) do all[name] = value end
  end
  for _, name in ipairs { "path", "sse", "publish" } do
    local default = ({ path = "/ws/sub", sse = "/sse/sub", publish = "/ws/pub" })[name]
    local path = all[name] or default
    all[name] = server.paths and server.paths[path] or path
  end
  local argv = { servers.load }
  for name, value in pairs(all) do
    argv[#argv + 1] = "--" .. name
    argv[#argv + 1] = tostring(value)
  end
  return argv
end

local function run_load(argv)
  local load = start(CPUS.load, argv)
  local status = load:wait(120)
  if status ~= 0 then error(load:tail(), 0) end
  return cjson.decode(table.concat(load.out))
end

local function ask(port, path)
  local curl = process.start("curl", { args = { "-sSf", ("http://127.0.0.1:%d%s"):format(port, path) } })
  if curl:wait(60) ~= 0 then error(curl:tail(), 0) end
end

-- column: see cases.lua. Returns the fields of the load's report, or nil and
-- what went wrong.
---@param column table
---@param args table  of the load generator
function measure.run(column, args)
  local server, port = servers[column.server], free_port()
  local cpus = column.cpus == "all" and CPUS.all or CPUS.server
  local child = start(cpus, server.argv(port, column), server.env and server.env())
  local ok, result = pcall(function()
    loop.poll(function() return child.code or accepts(port) end, "server that accepts")
    if child.code then error("the server ended: " .. child:tail(), 0) end
    if column.setup then ask(port, column.setup) end
    return run_load(load_argv(server, args, port, child.pid))
  end)
  child:kill "sigkill"
  child:wait()
  if ok then return result end
  return nil, result
end

return measure
