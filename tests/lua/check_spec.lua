-- check: errors that point at the script.
local check = require "tidegate.check"

-- A script that calls the framework, under its own name.
local function run_script(text)
  local chunk = assert(load("local check = ...\n" .. text, "@hello.lua"))
  local ok, message = pcall(chunk, check)
  assert.is_false(ok)
  return message
end

describe("check", function()
  it("opens a message with the script's position", function()
    assert.equal("hello.lua:2: gate.x: no 5", run_script('check.fail("gate.x", "no %d", 5)'))
  end)

  it("looks past frames of files that hide themselves", function()
    local framework = [[
      local check = ...
      check.hide_file()
      return function() check.fail("f", "bad") end]]
    local fn = load(framework, "@tidegate/other.lua")(check)
    local ok, message = pcall(load("local fn = ...\nfn()", "@tidegate/hello.lua"), fn)
    assert.is_false(ok)
    assert.equal("tidegate/hello.lua:2: f: bad", message)
  end)

  it("looks past its own frames", function()
    assert.equal("hello.lua:3: gate.x: pattern must be a string (got nil)",
      run_script('\ncheck.type("gate.x", "pattern", nil, "string")'))
  end)

  it("names the line of a helper that the script itself wrote", function()
    local message = run_script('local function helper()\ncheck.fail("f", "bad")\nend\nlocal _ = helper()')
    assert.equal("hello.lua:3: f: bad", message)
  end)

  it("gives a message without position when no script is running", function()
    local ok, message = pcall(coroutine.wrap(check.fail), "f", "bad")
    assert.is_false(ok)
    assert.equal("f: bad", message)
  end)

  it("tells where a function was written", function()
    local fn = load("return function() end", "@a/b.lua")()
    assert.equal("a/b.lua:1", check.origin(fn))
    assert.equal("a C function", check.origin(print))
  end)

  it("describes values without showing text", function()
    assert.equal("nil", check.describe(nil))
    assert.equal("an empty string", check.describe(""))
    assert.equal("a string", check.describe("secret"))
    assert.equal("5", check.describe(5))
    assert.equal("true", check.describe(true))
    assert.equal("a table", check.describe({}))
  end)

  it("refuses unknown options and names the known ones", function()
    local message = run_script('check.options("gate.ws", { opne = 1 }, { open = 1, close = 1 })')
    assert.equal('hello.lua:2: gate.ws: unknown option "opne" (known: close, open)', message)
  end)

  it("refuses option values that their row refuses", function()
    local message = run_script('check.options("f", { a = -1 }, { a = check.is_seconds })')
    assert.equal('hello.lua:2: f: option "a" must be a number of seconds, 0 or more (got -1)', message)
  end)

  local rows = {
    { "is_function", { print }, { 1, {} } },
    { "is_string", { "a" }, { "", 1 } },
    { "is_number", { 0, -1.5 }, { "1", 0 / 0, math.huge, -math.huge } },
    { "is_seconds", { 0, 0.5 }, { -1, "1", math.huge } },
    { "is_bytes", { 1, 4096.0 }, { 0, 1.5, -1, "1", math.huge } },
  }
  for _, row in ipairs(rows) do
    it(row[1] .. " tells good values from bad", function()
      for _, good in ipairs(row[2]) do assert.is_nil(check[row[1]](good)) end
      for _, bad in ipairs(row[3]) do assert.is_string(check[row[1]](bad)) end
    end)
  end
end)
