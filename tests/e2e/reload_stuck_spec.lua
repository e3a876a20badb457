-- Reloads that cannot go on: a worker is stuck in a handler, or the files cannot be read for
-- lack of descriptors. Nobody waits for ever, the old scripts go on, and what was saved is
-- taken up as soon as it can be.
local http = require "support.http"
local loop = require "support.loop"
local process = require "support.process"
local tcp = require "support.tcp"
local tidegate = require "support.server"
local uv = require "luv"

local function version(n)
  return ([[
    local gate = require "tidegate"
    gate.get("/", function() return "v%d" end)
    gate.get("/stuck", function()
      gate.log.info("stuck on " .. gate.stats().worker)
      local file <close> = io.popen("exec cat " .. gate.dir .. "/../pipe 2>/dev/null")
      return file:read "a"
    end)
  ]]):format(n)
end

-- Sets the soft limit of a running server's descriptors.
local function limit_files(server, soft)
  local result = process.run("/usr/bin/prlimit", { args = { "--pid", tostring(server.process.pid),
    ("--nofile=%d:"):format(soft) } })
  assert.equal(0, result.status, result.err)
end

-- How many descriptors a server has, and the highest.
local function descriptors(server)
  local scan, count, highest = uv.fs_scandir(("/proc/%d/fd"):format(server.process.pid)), 0, 0
  for name in function() return uv.fs_scandir_next(scan) end do
    count, highest = count + 1, math.max(highest, tonumber(name))
  end
  return count, highest
end

-- CPU time that it took, in hundredths of a second.
local function cpu_ticks(server)
  local file <close> = assert(io.open(("/proc/%d/stat"):format(server.process.pid)))
  local user, system = file:read "a":match "%) %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) (%d+)"
  return tonumber(user) + tonumber(system)
end

-- Leaves the server no descriptor: the limit is at its highest, and connections fill the gaps.
local function take_all(server)
  local _, highest = descriptors(server)
  limit_files(server, highest + 1)
  while descriptors(server) <= highest do
    local count = descriptors(server)
    tcp.connect(server)
    loop.poll(function() return descriptors(server) > count end, "one descriptor less")
  end
end

-- The other end of the pipe that a stuck handler reads.
local function release(server)
  local file = assert(io.open(server.folder .. "/pipe", "w"))
  file:close()
end

describe("a reload while a worker is stuck in a handler", function()
  local server, stuck
  before_each(function()
    server = tidegate.start { workers = 2, scripts = version(1), args = { "--handler-time", "2", "--watch", "off" } }
    assert.equal(0, process.run("/usr/bin/mkfifo", { args = { server.folder .. "/pipe" } }).status)
    stuck = http.connect(server)
    stuck:send(http.format_request("GET", "/stuck"))
    server:wait_for_log "stuck on"
  end)
  after_each(function() server:stop() end)

  it("is given up with a line that names the handler, and done when the worker is free", function()
    local mark = server:mark()
    server:write("app.lua", version(2))
    local begun = loop.now()
    local client = tidegate.run { "reload", server.dir }
    assert.equal(1, client.status)
    local named = loop.holds_signals and "" or "route=GET /stuck conn=%d+"
    assert.matches("reload failed, generation 1 stays: worker %d has not answered for %d+ s: " .. named, client.err)
    assert.is_true(loop.now() - begun < 25)
    local again = tidegate.run { "reload", server.dir }
    assert.equal(1, again.status)
    assert.matches("a worker is stuck, as the log says: the reload comes once it is free", again.err)
    server:wait_for_log("error reload failed, generation 1 stays: worker %d has not answered", mark)
    release(server)
    server:wait_for_log("generation 2 is live", mark)
    assert.equal(200, stuck:response().status)
    for _ = 1, 10 do assert.equal("v2", http.get(server, "/").body) end
  end)
end)

describe("a reload without descriptors", function()
  it("answers `tidegate reload` at once", function()
    -- The connections that take the descriptors ask for nothing for as long as a busy machine needs.
    local server <close> = tidegate.start { scripts = { ["app.lua"] = version(1) },
      args = { "--watch", "off", "--header-timeout", "600" } }
    local connection <close> = http.connect(server)
    assert.equal("v1", connection:get("/").body)
    take_all(server)
    local client = tidegate.run { "reload", server.dir }
    assert.equal(1, client.status)
    assert.matches("Too many open files", client.err)
    -- Meanwhile the server tries again, and may do so with the descriptor that the client has left.
    client = tidegate.run { "reload", server.dir }
    assert.is_true(client.status == 0 or client.err:find "Too many open files" ~= nil, client.err)
    limit_files(server, 1000)
    server:wait_for_log "generation 2 is live"
    assert.equal(0, tidegate.run({ "reload", server.dir }).status)
  end)

  it("does not spin while it cannot even accept the client", function()
    local server <close> = tidegate.start { scripts = { ["app.lua"] = version(1) }, args = { "--watch", "off" } }
    limit_files(server, 3)
    local client = process.start(tidegate.binary, { args = { "reload", server.dir } })
    loop.run_for(0.3)
    local before = cpu_ticks(server)
    loop.run_for(1)
    assert.is_true(cpu_ticks(server) - before < 30, "hundredths of a second in one second")
    limit_files(server, 1000)
    assert.equal(0, client:wait())
  end)

  it("is tried again until the files can be read, and said once", function()
    local server <close> = tidegate.start { scripts = { ["app.lua"] = version(1), ["sub/b.lua"] = "" } }
    local connection <close> = http.connect(server)
    assert.equal("v1", connection:get("/").body)
    local mark = server:mark()  -- a look at what the start has written may be due already
    limit_files(server, 3)
    server:write("app.lua", version(2))
    server:wait_for_log("for lack of descriptors or memory: trying again", mark)
    loop.run_for(1)
    assert.equal("v1", connection:get("/").body)
    local lines = 0
    for i = mark + 1, #server.log do
      if server.log[i]:find "lack of descriptors" then lines = lines + 1 end
    end
    assert.equal(1, lines)
    limit_files(server, 1000)
    server:wait_for_log("generation 2 is live: 2 scripts, 2 routes", mark)
    assert.equal("v2", connection:get("/").body)
  end)
end)

describe("scripts that do not end while they load", function()
  it("hold up one worker alone", function()
    local server <close> = tidegate.start { workers = 2, scripts = [[
      local gate = require "tidegate"
      gate.get("/", function() return tostring(gate.stats().worker) end)
    ]], args = { "--handler-time", loop.is_sanitized and "0.5" or "0.2" } }
    local connection
    loop.poll(function()
      connection = http.connect(server)
      return connection:get("/").body == "1"
    end, "a connection to the other worker")
    local mark = server:mark()
    server:write("loop.lua", "while true do end")
    server:wait_for_log("loading the scripts", mark)
    for _ = 1, 20 do assert.equal("1", connection:get("/").body) end
    assert.is_nil(server:find_log("reload failed", mark))
    server:wait_for_log("loop.lua:1: loading ran for longer than handler_time allows", mark)
  end)
end)
