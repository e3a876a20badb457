-- The phase in which scripts load: what does not end is ended and named, at the start, with
-- --check and in a reload; and signals that come meanwhile do what they say.
local files = require "support.files"
local http = require "support.http"
local loop = require "support.loop"
local process = require "support.process"
local tidegate = require "support.server"

local LIMIT = { "--handler-time", loop.is_sanitized and "0.5" or "0.2" }

-- What never ends -> where the error says that it is.
local ENDLESS = {
  ["a loop at the top"] = { { ["x.lua"] = "\nwhile true do end" }, "x%.lua:2: loading ran for longer" },
  ["a loop that catches errors"] = {
    { ["x.lua"] = "while true do\npcall(function() while true do end end) end" }, "x%.lua:%d: loading ran for longer" },
  ["a loop in a module"] = {
    { ["_lib/a.lua"] = "\n\nwhile true do end", ["x.lua"] = "require '_lib.a'" }, "_lib/a%.lua:3: loading ran" },
  ["a loop in what gate.keep calls"] = {
    { ["x.lua"] = "require('tidegate').keep('x', function()\nwhile true do end end)" }, "x%.lua:2: loading ran" },
  ["a loop in a coroutine"] = {
    { ["x.lua"] = "\ncoroutine.wrap(function() while true do end end)()" }, "x%.lua:2: loading ran" },
  ["a loop in a comparison"] = {
    { ["x.lua"] = "table.sort({ 1, 2, 3 }, function()\nwhile true do end end)" }, "x%.lua:2: loading ran" },
  ["a loop in a metamethod"] = {
    { ["x.lua"] = "local t = setmetatable({}, { __index = function()\nwhile true do end end })\nreturn t.x" },
    "x%.lua:2: loading ran" },
  ["a loop in __close"] = {
    { ["x.lua"] = "do local x <close> = setmetatable({}, { __close = function()\nwhile true do end end }) end" },
    "x%.lua:2: loading ran" },
}

local function write_all(folder, scripts)
  for name, text in pairs(scripts) do files.write(folder .. "/" .. name, text) end
end

describe("while scripts load", function()
  local folder
  before_each(function() folder = files.new_folder() end)
  after_each(function() files.remove_tree(folder) end)

  local function run(...)
    return tidegate.run { LIMIT[1], LIMIT[2], "--listen", "127.0.0.1:0", ... }
  end

  for name, case in pairs(ENDLESS) do
    it(name .. " is ended and named", function()
      write_all(folder, case[1])
      for _, result in ipairs { run(folder), run("--check", folder) } do
        assert.equal(1, result.status)
        assert.matches(case[2], result.err)
      end
    end)
  end

  it("a stack that overflows is named", function()
    files.write(folder .. "/x.lua", "local function f(n) return 1 + f(n + 1) end\nf(1)")
    local result = run("--check", folder)
    assert.equal(1, result.status)
    assert.matches("x%.lua:1: [sl]", result.err)  -- or handler_time, on a slow machine
  end)

  -- Sanitizers take a while for what is to be counted in handler_time.
  it("what cannot be cut short ends the start, with the name of the file", function()
    files.write(folder .. "/x.lua", "local _ = ('a'):rep(60):find(('a*'):rep(20) .. 'b')")
    local result = run("--check", folder)
    assert.equal(1, result.status)
    assert.matches("x%.lua: loading does not end", result.err)
  end)

  it("a finalizer that loops holds up neither the load nor its failure", function()
    local loops = "setmetatable({}, { __gc = function() while true do end end }) collectgarbage()"
    files.write(folder .. "/x.lua", loops)
    assert.equal(0, run("--check", folder).status)
    files.write(folder .. "/x.lua", loops .. " error 'on purpose'")
    local result = run("--check", folder)
    assert.equal(1, result.status)
    assert.matches("on purpose", result.err)
  end)

  it("a lack of memory names the file and the setting", function()
    files.write(folder .. "/x.lua", "local t = {} while true do t[#t + 1] = ('x'):rep(1e5) end")
    local result = tidegate.run { "--vm-memory", "16777216", "--listen", "127.0.0.1:0", folder }
    assert.equal(1, result.status)
    assert.matches("x%.lua: not enough memory to load: vm_memory is 16777216 bytes", result.err)
  end)

  -- What scripts raise beside text with a place -> what is said.
  for raised, said in pairs {
    ["error()"] = "x%.lua:1: %(error object is a nil value%)",
    ["error('no place', 0)"] = "x%.lua:1: no place",
  } do
    it(raised .. " names the file", function()
      files.write(folder .. "/x.lua", raised)
      assert.matches(said, run(folder).err)
    end)
  end

  describe("a signal", function()
    local function wait_for_line(server, text)
      loop.wait(function()
        return server.is_done or table.concat(server.err, "\n"):find(text, 1, true)
      end, text)
    end

    -- A server that loads until it is told to go on.
    local function start_slowly()
      files.write(folder .. "/x.lua", [[
        io.stderr:write "loading\n"
        local file
        repeat file = io.open(require("tidegate").dir .. "/go") until file
        file:close()
      ]])
      local server = process.start("/bin/sh", { args = { "-c", 'exec setpriv --pdeathsig KILL "$0" "$@"',
        tidegate.binary, "--handler-time", "600", "--workers", "1", "--listen", "127.0.0.1:0", folder } })
      wait_for_line(server, "loading")
      return server
    end

    for name, number in pairs { sigterm = 15, sigint = 2, sigquit = 3 } do
      it(name .. " ends the process at once", function()
        local server = start_slowly()
        server:kill(name)
        assert.equal(128 + number, server:wait(10))
      end)
    end

    it("sighup while config.lua runs is kept, too", function()
      files.write(folder .. "/app.lua", "")
      files.write(folder .. "/config.lua", ([[
        io.stderr:write "loading\n"
        local file
        repeat file = io.open "%s/go" until file
        file:close()
        return { workers = 1, listen = "127.0.0.1:0" }
      ]]):format(folder))
      local server = process.start("/bin/sh", { args = { "-c", 'exec setpriv --pdeathsig KILL "$0" "$@"',
        tidegate.binary, "--handler-time", "600", folder } })
      wait_for_line(server, "loading")
      server:kill "sighup"
      loop.run_for(0.05)
      assert.is_nil(server.code)
      files.write(folder .. "/go", "")
      wait_for_line(server, "generation 2 is live")
      server:kill "sigterm"
      assert.equal(0, server:wait())
    end)

    -- Whoever starts it has signals blocked, so that it waits for the very first moment.
    it("sighup that came before the program began is kept", function()
      files.write(folder .. "/app.lua", "")
      local server = process.start("/usr/bin/env", { args = { "--block-signal=HUP", "/bin/sh", "-c",
        'kill -HUP $$; exec setpriv --pdeathsig KILL "$0" "$@"', tidegate.binary, "--listen", "127.0.0.1:0", folder } })
      wait_for_line(server, "generation 2 is live")
      server:kill "sigterm"
      assert.equal(0, server:wait())
    end)

    it("sighup is kept for when the server runs", function()
      local server = start_slowly()
      server:kill "sighup"
      loop.run_for(0.05)
      assert.is_nil(server.code)
      files.write(folder .. "/go", "")
      wait_for_line(server, "generation 2 is live")
      server:kill "sigterm"
      assert.equal(0, server:wait())
    end)
  end)
end)

describe("a reload", function()
  for name, case in pairs(ENDLESS) do
    it("with " .. name .. " fails, and the old scripts stay", function()
      local server <close> = tidegate.start { args = LIMIT,
        scripts = { ["app.lua"] = "require('tidegate').get('/', function() return 'old' end)" } }
      local ok, reason = server:edit(case[1])
      assert.is_false(ok)
      assert.matches(case[2], reason)
      assert.equal("old", http.get(server, "/").body)
    end)
  end
end)
