-- The program under test: started on a temporary script folder and a port the
-- system picks, watched through its log, and stopped with a check that it ended
-- cleanly and that no sanitizer had anything to report.
local files = require "support.files"
local loop = require "support.loop"
local process = require "support.process"
local tcp = require "support.tcp"

local tidegate = {}

tidegate.binary = os.getenv "TIDEGATE_BIN" or "build/release/tidegate"

local Server = {}
Server.__index = Server

-- Reports of a sanitizer decide a test whatever the exit status is.
local REPORTS = { "ERROR: %w+Sanitizer", "WARNING: ThreadSanitizer", "runtime error:" }

-- What makes a run of any sanitizer stop at its first finding.
local SANITIZER_ENV = {
  ASAN_OPTIONS = "abort_on_error=0:detect_leaks=1:exitcode=99",
  UBSAN_OPTIONS = "print_stacktrace=1:halt_on_error=1:exitcode=99",
  TSAN_OPTIONS = "halt_on_error=1:exitcode=99:second_deadlock_stack=1",
}

local function child_env(extra)
  -- Clients that stall do so for as long as a busy machine takes to look after them.
  -- The variables of the tests are no settings, of which the program warns.
  local env = { TIDEGATE_WRITE_TIMEOUT = "600", TIDEGATE_BIN = false, TIDEGATE_PRESET = false }
  for name, value in pairs(SANITIZER_ENV) do env[name] = os.getenv(name) or value end
  -- Code under a sanitizer is slow enough to be taken for an endless loop.
  if loop.preset == "asan" or loop.preset == "tsan" then env.TIDEGATE_HANDLER_TIME = "20" end
  for name, value in pairs(extra or {}) do env[name] = value end
  return env
end

local function find_report(lines)
  for _, line in ipairs(lines) do
    for _, pattern in ipairs(REPORTS) do
      if line:find(pattern) then return line end
    end
  end
end

-- Runs the program to its end: { status, out, err }.
---@param args string[]
---@param options table|nil  env, cwd
function tidegate.run(args, options)
  options = options or {}
  local result = process.run(tidegate.binary, { args = args, env = child_env(options.env), cwd = options.cwd })
  assert(not find_report { result.err }, result.err)
  return result
end

local function server_args(options, folder)
  local args = {}
  for _, address in ipairs(options.listen or { "127.0.0.1:0" }) do
    args[#args + 1] = "--listen"
    args[#args + 1] = (address:gsub("^unix:%.", "unix:" .. folder))
  end
  if options.workers ~= false then
    args[#args + 1] = "--workers"
    args[#args + 1] = tostring(options.workers or 1)
  end
  for _, arg in ipairs(options.args or {}) do args[#args + 1] = arg end
  args[#args + 1] = options.dir or folder .. "/scripts"
  return args
end

-- What starts the program: setpriv, so that it dies with the tests however they
-- end, and a shell where the limit of open files is to be lower. Both end in
-- exec, so signals and status are the program's own.
local function wrap_command(limit, args)
  local script = 'exec setpriv --pdeathsig KILL "$0" "$@"'
  if limit then script = ("ulimit -n %d && "):format(limit) .. script end
  return "/bin/sh", table.move(args, 1, #args, 4, { "-c", script, tidegate.binary })
end

local function has_ended(server)
  return server.process.code ~= nil
end

-- Ready, and listening on all `count` addresses.
local function wait_until_ready(server, count)
  server:wait_for_log " ready: generation 1"
  local mark = 0
  for i = 1, count do
    server.addresses[i], mark = server:wait_for_log(" listening on (.+)$", mark)
  end
  server.address = server.addresses[1]
end

-- Starts the program. options: scripts (file name -> text, or the text of
-- app.lua), workers (1; false: not said), listen (array; "unix:./NAME" stands in the temporary
-- folder), args, env, dir, cwd, open_files (the hard limit of the process).
---@param options table
function tidegate.start(options)
  local folder = files.new_folder()
  local server = setmetatable({ folder = folder, dir = folder .. "/scripts", addresses = {} }, Server)
  local scripts = options.scripts
  if type(scripts) == "string" then scripts = { ["app.lua"] = scripts } end
  for name, text in pairs(scripts or {}) do files.write(server.dir .. "/" .. name, text) end
  local path, args = wrap_command(options.open_files, server_args(options, folder))
  server.process = process.start(path, { args = args, env = child_env(options.env), cwd = options.cwd })
  server.log = server.process.err
  local ok, message = pcall(wait_until_ready, server, math.max(1, #(options.listen or {})))
  if not ok then
    server:kill()
    error("the server did not start: " .. message, 2)
  end
  return server
end

-- ---- the log ---------------------------------------------------------------

-- A place in the log, to look only at what comes later.
function Server:mark()
  loop.turn()
  return #self.log
end

-- The captures of the first line after `mark` that matches.
function Server:find_log(pattern, mark)
  for at = (mark or 0) + 1, #self.log do
    if self.log[at]:find(pattern) then return self.log[at]:match(pattern) end
  end
end

-- Waits for a line of the log; returns what the pattern captures, and then
-- the line's place.
---@param pattern string
---@param mark integer|nil
function Server:wait_for_log(pattern, mark)
  local at, found = mark or 0, nil
  loop.wait(function()
    while not found and at < #self.log do
      at = at + 1
      if self.log[at]:find(pattern) then found = self.log[at] end
    end
    return found or self.process.is_done
  end, function() return ("log line %q; the log:\n%s"):format(pattern, self.process:tail()) end)
  if not found then error(("the server ended without %q:\n%s"):format(pattern, self.process:tail()), 0) end
  local captures = table.pack(found:match(pattern))
  captures[captures.n + 1] = at
  return table.unpack(captures, 1, captures.n + 1)
end

-- ---- scripts ---------------------------------------------------------------

function Server:write(name, text)
  files.replace(self.dir .. "/" .. name, text, self.folder .. "/staging")
end

function Server:write_in_place(name, text)
  files.write(self.dir .. "/" .. name, text)
end

function Server:remove(name)
  assert(os.remove(self.dir .. "/" .. name))
end

-- Writes files and waits until the outcome of a reload is logged: true, or false
-- and the reason.
---@param changes table<string, string|false>  false removes a file
function Server:edit(changes)
  local mark = self:mark()
  for name, text in pairs(changes) do
    if text then self:write(name, text) else self:remove(name) end
  end
  return self:wait_for_outcome(mark)
end

-- The outcome of the first reload after `mark`: as edit() returns it.
function Server:wait_for_outcome(mark)
  local line = self:wait_for_log("(.*generation %d+ .+)", mark)
  local reason = line:match "reload failed, generation %d+ stays: (.+)$"
  return reason == nil, reason
end

-- ---- what it uses -----------------------------------------------------------

-- Bytes of memory it holds.
---@return integer
function Server:memory()
  local file = assert(io.open(("/proc/%d/smaps_rollup"):format(self.process.pid)))
  local kilobytes = file:read "a":match "Rss:%s+(%d+) kB"
  file:close()
  return tonumber(kilobytes) * 1024
end

-- ---- the end ---------------------------------------------------------------

function Server:signal(name)
  self.process:kill(name)
end

local function check_end(server, status, expected)
  local report = find_report(server.log)
  if report or status ~= expected then
    error(("the server ended with status %d%s:\n%s"):format(status, report and ", " .. report or "",
      server.process:tail()), 0)
  end
end

-- Waits until the server has ended by itself or by a signal sent before, and
-- checks that it ended well: with status 0, or the one given.
function Server:wait_end(seconds, expected)
  self.is_checked = true
  local ok, status = pcall(self.process.wait, self.process, seconds)
  if not ok then self:kill() end
  tcp.close_all()
  files.remove_tree(self.folder)
  if not ok then error(status, 0) end
  check_end(self, status, expected or 0)
end

-- Closes the test's sockets and stops the server.
function Server:stop()
  tcp.close_all()
  if not has_ended(self) then self:signal "sigterm" end
  self:wait_end()
end

-- For tests that have failed already.
function Server:kill()
  tcp.close_all()
  self.process:kill "sigkill"
  pcall(self.process.wait, self.process)
  files.remove_tree(self.folder)
end

-- `local server <close> = tidegate.start {...}`. The error that unwinds the test
-- comes as nil from busted, whose handler swallows it; but then the caller is
-- the C function xpcall, and not the test whose block ends.
function Server:__close()
  local is_unwinding = debug.getinfo(2, "S").what == "C"
  if is_unwinding and not self.is_checked then
    io.stderr:write("\nlog of the server:\n", self.process:tail(), "\n")
    self:kill()
  elseif not self.is_checked then
    self:stop()
  end
end

return tidegate
