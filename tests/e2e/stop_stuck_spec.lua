-- The end of a server whose scripts do not end: it comes after `grace` and a margin of 2 s
-- whatever runs, with status 1, and names it.
local http = require "support.http"
local loop = require "support.loop"
local process = require "support.process"
local tidegate = require "support.server"

-- CPU time of a handler that is a small part of the margin also on a busy machine.
local SHORT = loop.is_sanitized and "0.1" or "0.05"

local APP = [[
local gate = require "tidegate"
gate.get("/pattern", function() gate.log.info "begun" return tostring(("a"):rep(60):find(("a*"):rep(20) .. "b")) end)
gate.get("/popen", function() gate.log.info "begun" return io.popen("exec sleep 20 2>/dev/null"):read "a" end)
gate.get("/popen/short", function()
  gate.log.info "begun"
  return io.popen("exec sleep 1 2>/dev/null"):read "a" .. "done"
end)
gate.get("/popen/told", function()
  gate.log.info "begun"
  return io.popen("exec cat " .. gate.dir .. "/../pipe 2>/dev/null"):read "a"
end)
gate.get("/execute", function()
  gate.log.info "begun"
  return tostring(os.execute "exec sleep 1 2>/dev/null")
end)
local function work()
  local over = os.clock() + 0.001
  while os.clock() < over do end
end
gate.get("/finalizers", function()
  gate.log.info "begun"
  kept = {}
  for i = 1, 20000 do kept[i] = setmetatable({}, { __gc = work }) end
end)
gate.get("/timers", function()
  for _ = 1, 20000 do gate.spawn(work) end
  gate.log.info "begun"
  gate.sleep(3600)
end)
gate.get("/close", function()
  local guard <close> = setmetatable({}, { __close = function() while true do end end })
  gate.log.info "begun"
  gate.sleep(3600)
end)
]]

-- The end of a process that is stuck leaves threads that nobody joined.
local ENV = { TSAN_OPTIONS = (os.getenv "TSAN_OPTIONS" or "exitcode=99") .. ":report_thread_leaks=0" }

local function start(path, args)
  local server = tidegate.start { workers = 2, args = args or { "--grace", "0.3" }, scripts = APP, env = ENV }
  local connection = http.connect(server)
  connection:send(http.format_request("GET", path))
  server:wait_for_log "begun"
  return server, connection
end

-- Status 0 must come within 2 s of wall time, in which a busy machine may stand still: it has to
-- once in three times. `begin` returns a server, and `stop` has it end.
local function expect_good_end(begin, stop)
  for attempt = 1, 3 do
    local server <close> = begin()
    stop(server)
    local ok, message = pcall(server.wait_end, server, nil, 0)
    if ok then return end
    local is_late = message:find("status 1:", 1, true) and server:find_log "not stopped within"
    if attempt == 3 or not is_late then error(message, 0) end
  end
end

local function terminate(server) server:signal "sigterm" end

describe("the end of grace", function()
  for _, path in ipairs { "/pattern", "/popen" } do
    it("ends the process though it is in a long call of C: " .. path, function()
      local server <close> = start(path)
      local begun = loop.now()
      server:signal "sigterm"
      server:wait_end(20, 1)
      assert.is_true(loop.now() - begun >= 2, "the margin was given")
      local named = loop.holds_signals and "" or "route=GET " .. path .. " conn=%d+"
      assert.is_truthy(server:find_log("worker %d did not end: " .. named))
      assert.is_truthy(server:find_log "not stopped within `grace` and 2 s: ending now")
    end)
  end

  -- system(3) would have the process ignore both while the program runs.
  for _, signal in ipairs { "sigint", "sigquit" } do
    it("begins with " .. signal .. " also while a script waits in os.execute", function()
      expect_good_end(function() return start "/execute" end, function(server)
        server:signal(signal)
        server:wait_for_log "stopping within"
      end)
    end)
  end

  -- The finalizers run once the connection is idle, for handler_time of CPU together, which is far
  -- less than `grace` also on a busy machine. All of them would take 20 s, which is more.
  for path, grace in pairs { ["/finalizers"] = "10", ["/timers"] = "0.3" } do
    it("comes in time beside much to do: " .. path, function()
      expect_good_end(function() return start(path, { "--grace", grace, "--handler-time", "0.2" }) end, terminate)
    end)
  end

  it("comes also while a reload waits for the worker", function()
    local server <close> = start "/popen"
    server:write("other.lua", "")
    server:write("more.lua", "local a = 1")
    server:wait_for_log "loading the scripts"
    server:signal "sigterm"
    server:wait_end(20, 1)
  end)

  it("leaves a handler that ends within the margin its time, and the status 0", function()
    expect_good_end(function()
      return tidegate.start { args = { "--grace", "0" }, scripts = APP, env = ENV }
    end, function(server)
      assert.equal(0, process.run("/usr/bin/mkfifo", { args = { server.folder .. "/pipe" } }).status)
      http.connect(server):send(http.format_request("GET", "/popen/told"))
      server:wait_for_log "begun"
      server:signal "sigterm"
      server:wait_for_log "stopping within"
      assert(io.open(server.folder .. "/pipe", "w")):close()
    end)
  end)

  it("does not wait for a __close that loops", function()
    expect_good_end(function() return start("/close", { "--grace", "0.1", "--handler-time", SHORT }) end, terminate)
  end)

  it("is not waited for after a second signal", function()
    local server <close> = start("/pattern", { "--grace", "3600" })
    server:signal "sigterm"
    server:wait_for_log "stopping within"
    loop.poll(function()
      server:signal "sigquit"
      return server.process.is_done
    end, "end after a second signal")
    server:wait_end(nil, 128 + 3)
  end)

  it("is not cut short by SIGHUP", function()
    local server <close> = start("/popen/short", { "--grace", "5" })
    server:signal "sigterm"
    server:wait_for_log "stopping within"
    server:signal "sighup"
    server:wait_end(20, 0)
  end)
end)
