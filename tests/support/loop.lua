-- Waiting for conditions: tests read like blocking code while libuv moves all
-- sockets and processes. Nothing sleeps for a fixed time; every wait has a
-- deadline and says in its error what it waited for.
local uv = require "luv"

local loop = {}

-- Sanitized servers are several times slower than the release build.
loop.preset = os.getenv "TIDEGATE_PRESET" or "release"
loop.is_sanitized = loop.preset == "asan" or loop.preset == "tsan"
-- ThreadSanitizer runs the handler of a signal at the thread's next call that it intercepts, which one
-- that is stuck in C never makes; and it waits for output that nobody reads when the process ends.
loop.holds_signals = loop.preset == "tsan"
-- Only a failure takes that long, so it allows for a machine that is busy with others.
loop.deadline = loop.is_sanitized and 60 or 30

local failure
local is_running = false

local function run(mode)
  is_running = true
  uv.run(mode)
  is_running = false
end

-- Closes a handle for good. luv crashes when the program ends before the loop
-- has let go of a closed handle.
function loop.close(handle)
  if not handle:is_closing() then handle:close() end
  if not is_running then run "nowait" end
end

-- Wraps a libuv callback. luv ends the process when a callback raises, so the
-- first error is kept here and raised by whoever waits.
---@param fn function
---@return function
function loop.guard(fn)
  return function(...)
    local ok, message = xpcall(fn, debug.traceback, ...)
    if not ok then failure = failure or message end
  end
end

-- Records a failure to be raised by the current or next wait.
---@param message string
function loop.fail(message)
  failure = failure or message
end

function loop.raise_failure()
  local message = failure
  failure = nil
  if message then error(message, 0) end
end

---@return number seconds, monotonic
function loop.now()
  return uv.hrtime() / 1e9
end

local function describe(what)
  if type(what) == "function" then what = what() end
  return what or "a condition"
end

-- Runs the loop until condition() is true and returns what it returned, or
-- raises after `seconds` (loop.deadline when nil) with `what` in the message.
---@param condition fun(): any
---@param what string|fun(): string|nil
---@param seconds number|nil
function loop.wait(condition, what, seconds)
  loop.raise_failure()
  local value = condition()
  if value then return value end
  seconds = seconds or loop.deadline
  local is_late = false
  local timer = uv.new_timer()
  uv.update_time()
  timer:start(math.ceil(seconds * 1000), 0, function() is_late = true end)
  repeat
    run "once"
    value = condition()
  until value or is_late or failure
  loop.close(timer)
  loop.raise_failure()
  if not value then error(("no %s within %g s"):format(describe(what), seconds), 0) end
  return value
end

-- Lets the loop handle what is ready right now.
function loop.turn()
  run "nowait"
  loop.raise_failure()
end

-- Lets the loop run for `seconds`: for load that is paced by timers, never as
-- a substitute for waiting on a condition.
---@param seconds number
function loop.run_for(seconds)
  local ends = loop.now() + seconds
  local tick = uv.new_timer()
  -- It repeats, because it may be early by a fraction of a millisecond.
  tick:start(math.ceil(seconds * 1000), 1, function() end)
  while loop.now() < ends do
    run "once"
    loop.raise_failure()
  end
  loop.close(tick)
end

-- Calls check() again and again, `pause` seconds apart, until it returns a true
-- value: for states that can only be polled over the network.
---@param check fun(): any
---@param what string|nil
---@param pause number|nil
function loop.poll(check, what, pause)
  local ends = loop.now() + loop.deadline
  while true do
    local value = check()
    if value then return value end
    if loop.now() > ends then error(("no %s within %g s"):format(describe(what), loop.deadline), 0) end
    loop.run_for(pause or 0.01)
  end
end

return loop
