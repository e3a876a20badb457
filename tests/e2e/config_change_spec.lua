-- config.lua that changes under a running server: the log says what a restart would change, and
-- what is wrong with the file; the server runs on with what it has.
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"

local APP = "require('tidegate').get('/', function() return 'here' end)"

-- A line that begins with the path of the file.
local LINE = "^%S+ %a+ +%S+/config%.lua"

local function start(config, options)
  options = options or {}
  options.scripts = { ["app.lua"] = APP, ["config.lua"] = config }
  return tidegate.start(options)
end

-- Saves config.lua and returns the first line about it.
local function save(server, text)
  local mark = server:mark()
  server:write("config.lua", text)
  local line = server:wait_for_log(LINE .. "(.+)$", mark)
  assert.equal("here", http.get(server, "/").body)
  return line, mark
end

describe("a changed config.lua", function()
  it("names the keys that need a restart", function()
    local server <close> = start "return { max_message = 1000, heartbeat = 5 }"
    local line = save(server,
      "return { max_message = 2000, keepalive = 3, watch = 'poll', hub = { max_bytes = 1048576 } }")
    local keys = line:match "restart the server to change (.+)$"
    local named = {}
    for key in keys:gmatch "[%w_]+" do named[key] = true end
    assert.same({ max_message = true, heartbeat = true, keepalive = true, watch = true, hub_max_bytes = true }, named)
  end)

  it("names the keys that a flag or the environment overrides", function()
    local server <close> = start("return {}", {
      args = { "--max-message", "1000" }, env = { TIDEGATE_HEARTBEAT = "7" } })
    local line = save(server, "return { max_message = 2000, heartbeat = 8 }")
    assert.matches("overridden", line)
    assert.matches("max_message %(by a flag%)", line)
    assert.matches("heartbeat %(by the environment%)", line)
  end)

  it("that says what the server runs with says so", function()
    local server <close> = start "return { max_message = 1000 }"
    assert.matches("no setting in it", (save(server, "return { max_message = 500 * 2 } -- the same")))
  end)

  for text, said in pairs {
    ["return { max_message = 'many' }"] = ": max_message: \"many\" is not a number",
    ["return { worker = 1 }"] = ": unknown key \"worker\"",
    ["return {\n\n"] = ":3: unexpected symbol",
    ["return { listen = 8080 }"] = ": listen: ",
    ["\nwhile true do end"] = ":2: ran for longer than handler_time",
    ["local over = os.clock() + 0.6 while os.clock() < over do end return {}"] = ":1: ran for longer than handler_time",
    ["os.exit(0)"] = ":1: os.exit would stop the server",
    ["os.setlocale 'C'"] = ":1: attempt to call a nil value (field 'setlocale')",
    ["return { grace = io.read('a') }"] = ": grace: \"\" is not a number",
  } do
    it(("that is invalid is named, and the server runs on: %q"):format(text), function()
      local server <close> = start("return { max_message = 1000 }", { args = { "--handler-time", "0.2" } })
      local line, mark = save(server, text)
      assert.equal(said, line:sub(1, #said))
      assert.matches("the server keeps the settings that it has", line)
      server:wait_for_log("generation 2 is live", mark)
    end)
  end

  it("is told of once for each change", function()
    local server <close> = start "return { max_message = 1000 }"
    save(server, "return { max_message = 2000 }")
    local mark = server:mark()
    assert.is_true(server:edit { ["app.lua"] = APP .. " -- saved" })
    assert.is_nil(server:find_log(LINE, mark))
  end)

  for name, text in pairs {
    pattern = 'string.find(("a"):rep(60), ("a*"):rep(20) .. "b")',
    program = 'os.execute "exec sleep 60 >/dev/null 2>&1" return {}',
  } do
    it("that does not end holds up neither a reload nor the stop: " .. name, function()
      local server <close> = start "return {}"
      local mark = server:mark()
      server:write("config.lua", text)
      server:wait_for_log("generation 2 is live", mark)
      assert.is_true(server:edit { ["app.lua"] = APP .. " -- saved" })
      server:signal "sigterm"
      server:wait_end(20, 0)
    end)
  end

  it("may come and go", function()
    local server <close> = tidegate.start { scripts = { ["app.lua"] = APP } }
    assert.matches("restart the server to change max_message", (save(server, "return { max_message = 2000 }")))
    local mark = server:mark()
    server:remove "config.lua"
    server:wait_for_log(LINE .. " has changed, but no setting in it", mark)
  end)
end)

describe("config.lua", function()
  it("may run for handler_time, also that of the environment", function()
    local files = require "support.files"
    local folder = files.new_folder()
    files.write(folder .. "/config.lua", "while true do end")
    local result = tidegate.run({ "--check", folder }, { env = { TIDEGATE_HANDLER_TIME = "0.1" } })
    files.remove_tree(folder)
    assert.equal(1, result.status)
    assert.matches("config%.lua:1: ran for longer than handler_time allows", result.err)
  end)

  local unless_held = loop.holds_signals and pending or it
  unless_held("that does not end, in a function of C, ends the start", function()
    local files = require "support.files"
    local folder = files.new_folder()
    files.write(folder .. "/config.lua", 'string.find(("a"):rep(60), ("a*"):rep(20) .. "b")')
    local result = tidegate.run { "--check", "--handler-time", "0.1", folder }
    files.remove_tree(folder)
    assert.equal(1, result.status)
    assert.matches("config%.lua does not end, in a function of C %(handler_time%)", result.err)
  end)
end)
