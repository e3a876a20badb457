-- Servers that start and stop beside each other: who has the address, whose the socket file is.
local files = require "support.files"
local http = require "support.http"
local loop = require "support.loop"
local process = require "support.process"
local tcp = require "support.tcp"
local tidegate = require "support.server"
local uv = require "luv"

local SCRIPT = [[
local gate = require "tidegate"
gate.get("/pid", function() return tostring(gate.env.SPEC_NAME) end)
gate.get("/sleep", function() gate.log.info "sleeping" gate.sleep(3600) end)
]]

local PAIRS = tonumber(os.getenv "PAIRS" or 25)

-- A TCP address that was free a moment ago. The clients of other tests connect from 127.0.0.1, each
-- from a port that the system picks: on an address of their own, servers do not meet them.
local function free_address()
  local socket = uv.new_tcp()
  local host = ("127.%d.%d.%d"):format(math.random(64, 191), math.random(0, 255), math.random(1, 254))
  assert(socket:bind(host, 0))
  local address = host .. ":" .. socket:getsockname().port
  loop.close(socket)
  return address
end

describe("of two servers that start at once", function()
  local folder
  setup(function()
    folder = files.new_folder()
    files.write(folder .. "/app.lua", SCRIPT)
  end)
  teardown(function() files.remove_tree(folder) end)

  local function start_pair(address)
    local pair = {}
    for i = 1, 2 do
      pair[i] = process.start("/bin/sh", { args = {
        "-c", 'exec setpriv --pdeathsig KILL "$0" "$@"', tidegate.binary, "--workers", "2", "--listen", address, folder,
      } })
    end
    return pair
  end

  local function listens(child) return (child.err[#child.err] or ""):find " listening on " end

  local function assert_one_serves(address)
    local pair = start_pair(address)
    local function decided(child) return child.is_done or listens(child) end
    loop.wait(function() return decided(pair[1]) and decided(pair[2]) end, "start of one")
    local winner, loser = pair[1], pair[2]
    if winner.is_done then winner, loser = loser, winner end
    assert.truthy(loser.is_done, "both listen")
    assert.truthy(not winner.is_done, winner:tail() .. loser:tail())
    assert.equal(1, loser:wait())
    assert.matches("cannot listen on " .. address .. ": Address already in use", loser:tail(), 1, true)
    winner:kill "sigterm"
    assert.equal(0, winner:wait())
  end

  it("one has the port", function()
    local address = free_address()
    for _ = 1, PAIRS do assert_one_serves(address) end
  end)

  it("one has the unix socket", function()
    for _ = 1, PAIRS do assert_one_serves("unix:" .. folder .. "/gate.sock") end
    assert.is_nil(uv.fs_stat(folder .. "/gate.sock"))
  end)
end)

describe("a unix socket", function()
  local function start(path, name, args)
    return tidegate.start { scripts = SCRIPT, listen = { "unix:" .. path }, env = { SPEC_NAME = name }, args = args }
  end

  it("of a server that takes its time to stop goes to its successor, and stays", function()
    local folder = files.new_folder()
    local path = folder .. "/gate.sock"
    local old = start(path, "old", { "--grace", "0.5" })
    local busy = http.connect(old)
    busy:send(http.format_request("GET", "/sleep"))
    old:wait_for_log "sleeping"
    old:signal "sigterm"
    loop.poll(function()
      local socket = tcp.try_connect(old)
      if socket then socket:close() end
      return not socket
    end, "end of listening")
    local new <close> = start(path, "new")
    assert.equal("new", http.get(new, "/pid").body)
    old.process:wait()
    assert.equal("new", http.get(new, "/pid").body)
    old:wait_end()
    new:stop()
    assert.is_nil(uv.fs_stat(path))
    files.remove_tree(folder)
  end)

  it("that was deleted and made again by another server stays", function()
    local folder = files.new_folder()
    local path = folder .. "/gate.sock"
    local old = start(path, "old")
    assert(os.remove(path))
    local new <close> = start(path, "new")
    old:stop()
    assert.equal("new", http.get(new, "/pid").body)
    new:stop()
    files.remove_tree(folder)
  end)

  it("does not replace a file that is none", function()
    local folder = files.new_folder()
    files.write(folder .. "/gate.sock", "mine")
    local result = tidegate.run { "--listen", "unix:" .. folder .. "/gate.sock", folder }
    assert.equal(1, result.status)
    assert.matches("cannot listen on unix:.*: File exists", result.err)
    assert.equal("mine", files.read(folder .. "/gate.sock"))
    files.remove_tree(folder)
  end)
end)

describe("workers", function()
  it("are by default as many as processors that the server may use", function()
    local folder = files.new_folder()
    files.write(folder .. "/app.lua", SCRIPT)
    local command = 'exec taskset -c "$(taskset -pc $$ | grep -o "[0-9]*$")" setpriv --pdeathsig KILL "$0" "$@"'
    local child = process.start("/bin/sh", { args = {
      "-c", command, tidegate.binary, "--listen", "127.0.0.1:0", folder,
    } })
    loop.wait(function() return child.is_done or child:tail():find "listening on" end, "start")
    assert.matches(" ready: .* 1 workers", child:tail())
    child:kill "sigterm"
    assert.equal(0, child:wait())
    files.remove_tree(folder)
  end)
end)
