-- Child processes: started with their output captured as lines, waited for,
-- and signalled by their own handle only.
local uv = require "luv"
local loop = require "support.loop"

local process = {}

local Process = {}
Process.__index = Process

local running = setmetatable({}, { __mode = "k" })

local function environment(extra)
  local all, list = uv.os_environ(), {}
  for name, value in pairs(extra or {}) do all[name] = value or nil end
  for name, value in pairs(all) do list[#list + 1] = name .. "=" .. value end
  return list
end

-- Collects a pipe's lines into `lines`; a last line without an end counts too.
local function collect(pipe, lines, on_end)
  local rest = ""
  pipe:read_start(loop.guard(function(err, chunk)
    if err or not chunk then
      if rest ~= "" then lines[#lines + 1] = rest end
      pipe:close()
      return on_end()
    end
    local start = 1
    local stop = chunk:find("\n", start, true)
    while stop do
      lines[#lines + 1] = rest .. chunk:sub(start, stop - 1)
      rest, start = "", stop + 1
      stop = chunk:find("\n", start, true)
    end
    rest = rest .. chunk:sub(start)
  end))
end

-- options: args, env (name -> value, false removes), cwd, ignores_err (nobody reads its standard
-- error before read_err).
---@param path string
---@param options table
function process.start(path, options)
  local self = setmetatable({ out = {}, err = {} }, Process)
  local out, err = uv.new_pipe(false), uv.new_pipe(false)
  local open_count = 3
  local function on_part_done()
    open_count = open_count - 1
    self.is_done = open_count == 0
  end
  local handle, pid
  handle, pid = uv.spawn(path, {
    args = options.args, env = environment(options.env), cwd = options.cwd, stdio = { nil, out, err },
  }, function(code, signal)
    self.code, self.signal = code, signal
    running[self] = nil
    handle:close()
    on_part_done()
  end)
  if not handle then error(("cannot start %s: %s"):format(path, pid), 0) end
  self.handle, self.pid = handle, pid
  running[self] = true
  collect(out, self.out, on_part_done)
  self.collect_err = function() collect(err, self.err, on_part_done) end
  if not options.ignores_err then self:read_err() end
  return self
end

-- For one that was started with ignores_err.
function Process:read_err()
  if self.collect_err then self.collect_err() end
  self.collect_err = nil
end

---@param signal string  "sigterm"
function Process:kill(signal)
  if not self.code then self.handle:kill(signal) end
end

-- Waits until it has ended and all its output is here. Returns its exit status,
-- 128 + the signal's number when one ended it.
function Process:wait(seconds)
  loop.wait(function() return self.is_done end, function()
    return ("end of the process; it said:\n%s"):format(self:tail())
  end, seconds)
  return self.signal ~= 0 and 128 + self.signal or self.code
end

-- The last lines of its standard error, for messages.
function Process:tail()
  return table.concat(self.err, "\n", math.max(1, #self.err - 40))
end

-- Runs to the end: { status, out, err } with the output as text.
---@param path string
---@param options table
function process.run(path, options)
  local self = process.start(path, options)
  local ok, status = pcall(self.wait, self)
  if not ok then
    self:kill "sigkill"
    error(status, 0)
  end
  return { status = status, out = table.concat(self.out, "\n"), err = table.concat(self.err, "\n") }
end

-- For the very end: nothing outlives the tests.
function process.kill_all()
  for self in pairs(running) do self:kill "sigkill" end
end

return process
