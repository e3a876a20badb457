-- Slips on the command line, in config.lua and in the environment: one line says what and where, and
-- what was probably meant.
local files = require "support.files"
local http = require "support.http"
local tidegate = require "support.server"

local HELLO = [[require("tidegate").get("/", function() return "hello" end)]]

describe("a slip", function()
  local folder
  before_each(function()
    folder = files.new_folder()
    files.write(folder .. "/app.lua", HELLO)
  end)
  after_each(function() files.remove_tree(folder) end)

  local function assert_said(status, text, args, env)
    local result = tidegate.run(args, { env = env })
    assert.equal(status, result.status, result.err)
    assert.equal("tidegate: " .. text, result.err)
  end

  it("in a flag", function()
    assert_said(2, "unknown flag --wrokers; did you mean --workers? See tidegate --help", { "--wrokers", "2", folder })
    assert_said(2, "unknown flag --nonsense; see tidegate --help", { "--nonsense", folder })
  end)

  it("in a command", function()
    assert_said(2, "unknown command relaod; did you mean reload? See tidegate --help", { "relaod", folder })
    assert_said(2, "unknown command Reload; did you mean reload? See tidegate --help", { "Reload" })
    assert_said(2, "unknown command check; did you mean --check? See tidegate --help", { "check", folder })
    assert_said(2, "unknown command help; did you mean --help? See tidegate --help", { "help" })
    assert_said(1, folder .. "/relaod: No such file or directory", { folder .. "/relaod" })
    assert_said(2, "one DIR is served, not nonsense and " .. folder .. "; see tidegate --help", { "nonsense", folder })
  end)

  it("in the number of words of a command", function()
    for _, args in ipairs { { "reload" }, { "reload", folder, folder }, { "reload", "--check" } } do
      assert_said(2, "reload takes one DIR and nothing else; see tidegate --help", args)
    end
  end)

  it("in a key of config.lua", function()
    local path = folder .. "/config.lua"
    files.write(path, "return { wrokers = 2 }")
    assert_said(1, path .. ': unknown key "wrokers"; did you mean "workers"?', { "--check", folder })
    files.write(path, "return { hub = { max_byte = 2 } }")
    assert_said(1, path .. ': unknown key "hub_max_byte"; did you mean "hub_max_bytes"?', { "--check", folder })
    files.write(path, "return { nonsense = 2 }")
    assert_said(1, path .. ': unknown key "nonsense"', { "--check", folder })
  end)

  it("in an address, wherever it is given", function()
    local hint = '"8080" is not HOST:PORT: 127.0.0.1:8080 serves this machine, 0.0.0.0:8080 all'
    assert_said(1, "--listen: " .. hint, { "--listen", "8080", folder })
    assert_said(1, "environment variable TIDEGATE_LISTEN: " .. hint, { folder }, { TIDEGATE_LISTEN = "8080" })
    files.write(folder .. "/config.lua", "return { listen = 8080 }")
    assert_said(1, folder .. "/config.lua: listen: " .. hint, { folder })
  end)

  it("in an environment variable is a warning", function()
    local env = { TIDEGATE_WROKERS = "2", TIDEGATE_OF_A_SCRIPT = "x" }
    local result = tidegate.run({ "--check", folder }, { env = env })
    assert.equal(0, result.status)
    assert.matches(" warn  environment variable TIDEGATE_WROKERS is no setting; did you mean TIDEGATE_WORKERS",
      result.err)
    assert.matches(" warn  environment variable TIDEGATE_OF_A_SCRIPT is no setting", result.err)
    env.TIDEGATE_LOG_LEVEL = "error"
    assert.equal("", tidegate.run({ "--check", folder }, { env = env }).err)
  end)
end)

describe("an empty environment variable", function()
  it("counts as unset", function()
    local empty = { TIDEGATE_WORKERS = "", TIDEGATE_URL_BYTES = "", TIDEGATE_DEV = "", TIDEGATE_WROKERS = "" }
    local scripts = { ["app.lua"] = HELLO, ["config.lua"] = "return { workers = 2 }" }
    local server <close> = tidegate.start { scripts = scripts, workers = false, env = empty }
    assert.equal("hello", http.get(server, "/").body)
    assert.truthy(server:find_log " ready: .* 2 workers")
    assert.is_nil(server:find_log " warn  environment")
  end)
end)
