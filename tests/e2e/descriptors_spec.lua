-- File descriptors that run out: the start says so in one line, and a running server serves those it
-- has, reloads, answers `tidegate reload`, and takes up new connections when it may again.
local files = require "support.files"
local http = require "support.http"
local loop = require "support.loop"
local process = require "support.process"
local tcp = require "support.tcp"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"
gate.get("/", function() return "before" end)
gate.get("/pauses", function() return tostring(gate.stats().accept_pauses) end)
]]

-- Seconds of CPU that the process has used.
local function cpu_seconds(server)
  local file <close> = assert(io.open(("/proc/%d/stat"):format(server.process.pid)))
  local user, system = file:read("a"):match "%) %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) (%d+)"
  return (user + system) / 100
end

describe("a server without a file descriptor to spare", function()
  local server, early, held
  before_each(function()
    -- Those that hold the descriptors ask for nothing for as long as a busy machine needs.
    server = tidegate.start { scripts = SCRIPT, workers = 2, open_files = 96, args = { "--header-timeout", "600" } }
    early, held = http.connect(server), {}
    assert.equal("before", early:get("/").body)
    for i = 1, 100 do held[i] = tcp.connect(server) end
    server:wait_for_log " warn  new connections wait for file descriptors"
  end)
  after_each(function() server:stop() end)

  it("takes up what is saved, and answers `tidegate reload`", function()
    assert.is_true((server:edit { ["app.lua"] = SCRIPT:gsub("before", "after") }))
    assert.equal("after", early:get("/").body)
    for i = 1, 5 do
      local result = tidegate.run { "reload", server.dir }
      assert.equal(0, result.status, result.err)
      assert.matches("generation " .. i + 2, result.out)
    end
  end)

  it("does not spin, and takes new connections as soon as old ones close", function()
    local before = cpu_seconds(server)
    loop.run_for(1)
    assert.is_true(cpu_seconds(server) - before < 0.5, "busy while there is nothing to do")
    assert.is_true(tonumber(early:get("/pauses").body) > 0)
    local late <close> = http.connect(server)
    late:send(http.format_request("GET", "/"))
    for _, socket in ipairs(held) do socket:close() end
    assert.equal("before", late:response().body)
  end)
end)

describe("a server whose scripts keep every file descriptor", function()
  it("answers `tidegate reload`, does not spin, and reloads when there are some again", function()
    local server <close> = tidegate.start { open_files = 96, scripts = [[
      local gate = require "tidegate"
      local kept = gate.keep("kept", { files = {} })
      gate.get("/take", function()
        local file
        repeat
          file = io.open "/dev/null"
          kept.files[#kept.files + 1] = file
        until not file
        return "taken"
      end)
      gate.get("/give", function()
        for _, file in ipairs(kept.files) do file:close() end
        kept.files = {}
        return "given"
      end)
    ]] }
    local client <close> = http.connect(server)
    assert.equal("taken", client:get("/take").body)
    local result = tidegate.run { "reload", server.dir }
    assert.equal(1, result.status)
    assert.matches("Too many open files", result.err)
    -- Each holds a descriptor until its reload has an outcome.
    local before = cpu_seconds(server)
    local idle = {}
    for i = 1, 3 do idle[i] = process.start(tidegate.binary, { args = { "reload", server.dir } }) end
    loop.run_for(1)
    assert.is_true(cpu_seconds(server) - before < 0.5, "busy while there is nothing to do")
    assert.equal("given", client:get("/give").body)
    for i = 1, 3 do idle[i]:wait() end
    assert.equal(0, tidegate.run({ "reload", server.dir }).status)
  end)
end)

describe("the start", function()
  local folder
  setup(function()
    folder = files.new_folder()
    files.write(folder .. "/app.lua", SCRIPT)
  end)
  teardown(function() files.remove_tree(folder) end)

  -- Starts with a limit and stops if it comes to that: "served", or the line that says why not.
  local function try(limit, workers)
    local child = process.start("/bin/sh", { args = {
      "-c", limit .. ' && exec setpriv --pdeathsig KILL "$0" "$@"', tidegate.binary,
      "--workers", tostring(workers), "--listen", "127.0.0.1:0", folder,
    } })
    local function last() return child.err[#child.err] or "" end
    loop.wait(function() return child.is_done or last():find "listening on" end, "start or its failure")
    local address = last():match "listening on (.+)"
    if address then assert.equal("before", http.get(address, "/").body) end
    child:kill "sigterm"
    local status = child:wait()
    assert.equal(address and 0 or 1, status, limit .. ": " .. child:tail())
    for _, line in ipairs(child.err) do
      assert.equal(not address and line == last(), line:find "^tidegate: " ~= nil, line)
    end
    return address and "served" or last()
  end

  it("raises the limit of open files first", function()
    assert.equal("served", try("ulimit -Sn 256", 40))
    assert.equal("served", try("ulimit -Sn 32", 3))
  end)

  it("that may not says in one line what there is too little of", function()
    local said = try("ulimit -n 256", 40)
    assert.matches("cannot start worker %d+ of 40.*Too many open files.*256.*ulimit", said)
  end)

  if not loop.is_sanitized then  -- these need descriptors and address space of their own
    it("never crashes, whatever the limit of open files is", function()
      for limit = 6, 60, 3 do
        local said = try(("ulimit -n %d"):format(limit), 3)
        if said ~= "served" then assert.matches("open files", said) end
      end
    end)

    it("without memory for threads says so", function()
      local said = try("ulimit -v 60000", 16)
      assert.matches("cannot start worker %d+ of 16, no thread: Resource temporarily unavailable", said)
    end)
  end
end)
