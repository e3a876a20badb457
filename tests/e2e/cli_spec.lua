-- The command line: wrong usage, things that are not there, --check, and where
-- settings come from. A failure is one clear line.
local files = require "support.files"
local http = require "support.http"
local process = require "support.process"
local tidegate = require "support.server"
local uv = require "luv"

local HELLO = [[
local gate = require "tidegate"
gate.get("/hello/{name}", function(req) return "hello " .. req.params.name end)
gate.post("/x", function() end)
gate.ws("/chat/{room}", { message = function() end })
gate.sse("/clock", function() end)
]]

describe("the command line", function()
  local folder
  before_each(function()
    folder = files.new_folder()
    files.write(folder .. "/app.lua", HELLO)
  end)
  after_each(function() files.remove_tree(folder) end)

  -- The run failed with one line on standard error that has all of `parts`.
  local function assert_fails(status, parts, args, options)
    local result = tidegate.run(args, options)
    assert.equal(status, result.status, result.err)
    assert.is_nil(result.err:find "\n", "one line: " .. result.err)
    for _, part in ipairs(parts) do assert.matches(part, result.err, 1, true) end
  end

  describe("used wrongly exits 2:", function()
    it("an unknown flag", function() assert_fails(2, { "--nonsense" }, { "--nonsense", folder }) end)
    it("a flag without its value", function() assert_fails(2, { "--workers" }, { folder, "--workers" }) end)
    it("a value that is none", function() assert_fails(2, { "--workers", "many" }, { "--workers", "many", folder }) end)
    it("a value out of range", function() assert_fails(2, { "--workers", "0" }, { "--workers", "0", folder }) end)
    it("two folders", function() assert_fails(2, { "other" }, { folder, "other" }) end)
    it("no folder", function() assert_fails(2, { "DIR" }, {}) end)
  end)

  describe("exits 1:", function()
    it("a folder that is not there", function()
      assert_fails(1, { folder .. "/missing" }, { "--listen", "127.0.0.1:0", folder .. "/missing" })
    end)

    it("a folder that is a file", function()
      assert_fails(1, { folder .. "/app.lua" }, { "--listen", "127.0.0.1:0", folder .. "/app.lua" })
    end)

    it("a script that cannot be read", function()
      assert(uv.fs_symlink(folder .. "/nowhere", folder .. "/unreadable.lua"))
      assert_fails(1, { "unreadable.lua" }, { "--listen", "127.0.0.1:0", folder })
    end)

    it("a port in use, of another server too", function()
      local server <close> = tidegate.start { scripts = HELLO }
      local address = server.address:match "http://(.+)"
      assert_fails(1, { address }, { "--listen", address, folder })
      assert.equal("hello x", http.get(server, "/hello/x").body)
    end)

    it("an address that is none, with --check, too", function()
      for _, address in ipairs { "nonsense", "127.0.0.1:99999", "::1:80", "unix:" } do
        assert_fails(1, { address }, { "--listen", address, folder })
        assert_fails(1, { address }, { "--listen", address, "--check", folder })
      end
      files.write(folder .. "/config.lua", "return { listen = 'nonsense' }")
      assert_fails(1, { "nonsense" }, { "--check", folder })
    end)

    for name, case in pairs {
      ["does not compile"] = { "\n\nthis is not Lua", "broken%.lua:3:" },
      ["raises"] = { "\nerror 'on purpose'", "broken%.lua:2: on purpose" },
      ["registers a route again"] = { "require('tidegate').post('/x', function() end)", "broken%.lua:1: .*app%.lua:3" },
    } do
      it("a script that " .. name .. ", with file and line", function()
        files.write(folder .. "/broken.lua", case[1])
        for _, args in ipairs { { "--listen", "127.0.0.1:0", folder }, { "--check", folder } } do
          local result = tidegate.run(args)
          assert.equal(1, result.status)
          assert.matches(case[2], result.err)
          assert.is_nil(result.err:find " ready: ")
        end
      end)
    end
  end)

  it("--version", function()
    local result = tidegate.run { "--version" }
    assert.equal(0, result.status)
    assert.matches("^tidegate %d+%.%d+%.%d+$", result.out)
  end)

  it("--help names every flag", function()
    local result = tidegate.run { "--help" }
    assert.equal(0, result.status)
    for _, flag in ipairs { "listen", "workers", "grace", "check", "version", "help", "dev", "lua-path", "log-level",
                            "header-bytes", "max-message", "handler-time", "vm-memory" } do
      assert.matches("--" .. flag, result.out, 1, true)
    end
  end)

  it("--check loads everything, prints the routes and exits", function()
    files.write(folder .. "/timer.lua", "require('tidegate').every(0.001, function() error 'must not run' end)")
    local result = tidegate.run { "--check", folder }
    assert.equal(0, result.status, result.err)
    for _, route in ipairs { "GET +/hello/{name} +.*app%.lua:2", "POST +/x +.*app%.lua:3",
                             "[wW][sS] +/chat/{room} +.*app%.lua:4", "[sS][sS][eE] +/clock +.*app%.lua:5" } do
      assert.matches(route, result.out)
    end
    assert.is_nil((result.out .. result.err):find "must not run")
  end)

  -- Which signal comes while the scripts load, and what the shell that starts the run ignores.
  for name, case in pairs {
    ["a hang-up"] = { "HUP", "", 129 }, ["an interrupt"] = { "INT", "", 130 },
    ["no hang-up that is ignored (nohup)"] = { "HUP", "trap '' HUP; ", 0 },
    ["no interrupt that is ignored (a job in the background)"] = { "INT", "trap '' INT QUIT; ", 0 },
    ["a stop, whatever else is ignored"] = { "TERM", "trap '' HUP INT QUIT; ", 143 },
  } do
    it("--check is ended by " .. name, function()
      files.write(folder .. "/app.lua", ("os.execute 'kill -%s $PPID'"):format(case[1]))
      local result = process.run("/bin/sh", { args = { "-c", case[2] .. 'exec "$0" "$@"', tidegate.binary, "--check",
        folder } })
      assert.equal(case[3], result.status, result.err)
    end)
  end

  it("--check of a folder without routes prints none", function()
    files.write(folder .. "/app.lua", "")
    local result = tidegate.run { "--check", folder }
    assert.same({ 0, "1 scripts, 0 routes", "" }, { result.status, result.out, result.err })
  end)

  it("runs from anywhere: the framework is in the binary", function()
    local binary = assert(uv.fs_realpath(tidegate.binary))
    local result = process.run(binary, { args = { "--check", folder }, cwd = "/", env = { LUA_PATH = false } })
    assert.equal(0, result.status, result.err)
  end)

  it("--lua-path takes the framework from a folder", function()
    local server <close> = tidegate.start { scripts = HELLO, args = { "--lua-path", "lua" } }
    assert.equal("hello x", http.get(server, "/hello/x").body)
    assert_fails(1, { folder .. "/none" }, { "--lua-path", folder .. "/none", "--check", folder })
  end)

  it("an empty folder is served: everything is 404", function()
    local server <close> = tidegate.start { scripts = { ["README.md"] = "" } }
    assert.equal(404, http.get(server, "/").status)
  end)
end)

describe("settings", function()
  local function longest_url(server)
    for _, size in ipairs { 400, 300, 200, 100 } do
      local response = http.get(server, "/" .. ("x"):rep(size - 1))
      if response.status ~= 414 then return size end
    end
  end

  local CONFIG = "return { url_bytes = 200, workers = 2, listen = { '127.0.0.1:0' } }"

  it("come from config.lua", function()
    local server <close> = tidegate.start { scripts = { ["app.lua"] = HELLO, ["config.lua"] = CONFIG }, workers = false,
                                            listen = {} }
    assert.equal(200, longest_url(server))
    assert.truthy(server:find_log "ready: .*2 workers")
    assert.matches("^http://127%.0%.0%.1:", server.address)
  end)

  it("may be grouped in config.lua", function()
    local server <close> = tidegate.start { scripts = { ["app.lua"] = HELLO,
      ["config.lua"] = "return { url = { bytes = 300 } }" } }
    assert.equal(300, longest_url(server))
  end)

  it("come from the environment before config.lua", function()
    local server <close> = tidegate.start { scripts = { ["app.lua"] = HELLO, ["config.lua"] = CONFIG },
                                            env = { TIDEGATE_URL_BYTES = "300" } }
    assert.equal(300, longest_url(server))
  end)

  it("come from flags before all", function()
    local server <close> = tidegate.start { scripts = { ["app.lua"] = HELLO, ["config.lua"] = CONFIG },
                                            env = { TIDEGATE_URL_BYTES = "300" }, args = { "--url-bytes=400" } }
    assert.equal(400, longest_url(server))
  end)

  it("reach scripts as gate.env", function()
    local server <close> = tidegate.start { env = { SPEC_VALUE = "seen" }, scripts = [[
      local gate = require "tidegate"
      gate.get("/", function() return tostring(gate.env.SPEC_VALUE) .. " " .. tostring(gate.env.SPEC_NOTHING) end)
    ]] }
    assert.equal("seen nil", http.get(server, "/").body)
  end)

  -- What is wrong with a config.lua -> what the line names.
  for name, case in pairs {
    ["an unknown key"] = { "return { no_such_key = 1 }", "no_such_key" },
    ["an unknown key of a group"] = { "return { hub = { max_tides = 1 } }", "hub_max_tides" },
    ["a group in a group"] = { "return { hub = { max = { bytes = 1 } } }", "hub_max" },
    ["a value that is none"] = { "return { workers = 'many' }", "workers" },
    ["a value out of range"] = { "return { header_bytes = 1 }", "header_bytes" },
    ["a value of a wrong type"] = { "return { workers = {} }", "workers" },
    ["no table"] = { "return 5", "config.lua" },
    ["a fault"] = { "\n\nnonsense", "config.lua:3" },
  } do
    it("with " .. name .. " are refused by name", function()
      local folder = files.new_folder()
      files.write(folder .. "/config.lua", case[1])
      local result = tidegate.run { "--listen", "127.0.0.1:0", folder }
      files.remove_tree(folder)
      assert.equal(1, result.status)
      assert.is_nil(result.err:find "\n", "one line: " .. result.err)
      assert.matches("config.lua", result.err, 1, true)
      assert.matches(case[2], result.err, 1, true)
    end)
  end

  it("of a bad environment variable are refused by name", function()
    local folder = files.new_folder()
    local result = tidegate.run({ "--listen", "127.0.0.1:0", folder }, { env = { TIDEGATE_WORKERS = "many" } })
    files.remove_tree(folder)
    assert.is_true(result.status == 1 or result.status == 2)
    assert.matches("TIDEGATE_WORKERS", result.err, 1, true)
  end)
end)
