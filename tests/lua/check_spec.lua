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
    local message = run_script [[check.options("gate.ws", { opne = 1 }, { { name = "open" }, { name = "close" } })]]
    assert.equal('hello.lua:2: gate.ws: unknown option "opne" (known: close, open)', message)
  end)

  it("refuses option values that are not good for their row", function()
    local message = run_script [[check.options("f", { a = -1 }, { { name = "a", type = "seconds" } })]]
    assert.equal('hello.lua:2: f: option "a" must be a number of seconds, 0 or more (got -1)', message)
    message = run_script [[check.options("f", { a = -1 }, { { name = "a", type = "seconds", expected = "short" } })]]
    assert.equal('hello.lua:2: f: option "a" must be short (got -1)', message)
  end)

  it("refuses options without those that are needed", function()
    local message = run_script [[check.options("f", {}, { { name = "a", type = "text", needed = true } })]]
    assert.equal('hello.lua:2: f: option "a" is needed', message)
  end)

  it("completes options with the defaults of rows, false among them", function()
    local rows = { { name = "a", default = 1 }, { name = "b", default = false }, { name = "c" },
                   { name = "d", default = true } }
    local options = { a = 2, d = false }
    assert.same({ a = 2, b = false, d = false }, check.with_defaults(options, rows))
    assert.same({ a = 2, d = false }, options)
  end)

  it("keeps what is declared, for the reference", function()
    local rows = { { name = "a", type = "text" } }
    assert.equal(rows, check.declare("spec", rows))
    assert.equal(rows, check.declared.spec)
    check.declared.spec = nil
  end)

  local inner = { { name = "x", type = "boolean" } }
  local types = {
    { { type = "any", test = function(value) return value == 5 end }, { 5 }, { 6, "5" }, "something else" },
    { { type = "boolean" }, { true, false }, { 1, "true" }, "true or false" },
    { { type = "bytes" }, { 1, 4096.0 }, { 0, 1.5, -1, "1", math.huge }, "a whole number of bytes, 1 or more" },
    { { type = "choice", choices = { "a", "b" } }, { "a", "b" }, { "c", true }, '"a" or "b"' },
    { { type = "function" }, { print }, { 1, {} }, "a function" },
    { { type = "names" }, { {}, { "a", "b-c" } }, { "a", { "a b" }, { 1 }, { "a", x = "b" } }, "a list of names" },
    { { type = "names", least = 1 }, { { "a" } }, { {} }, "a list of names" },
    { { type = "number" }, { 0, -1.5 }, { "1", 0 / 0, math.huge, -math.huge }, "a number" },
    { { type = "number", least = 1, most = 2 }, { 1, 2 }, { 0.9, 2.1 }, "a number from 1 to 2" },
    { { type = "seconds" }, { 0, 0.5 }, { -1, "1", math.huge }, "a number of seconds, 0 or more" },
    { { type = "seconds", most = 9 }, { 0, 9 }, { -1, 9.5 }, "a number of seconds from 0 to 9" },
    { { type = "switch", inner = inner }, { true, false, {}, { x = true } }, { 1, { y = true }, { x = 1 }, { true } },
      "true, false or a table of options" },
    { { type = "text" }, { "a" }, { "", 1 }, "a non-empty string" },
    { { type = "whole", least = 1 }, { 1, 2.0 }, { 0, 1.5 }, "a whole number, 1 or more" },
  }
  for i, row in ipairs(types) do
    it(("tells good values from bad: %s (%d)"):format(row[1].type, i), function()
      local test = check.types[row[1].type].test
      for _, good in ipairs(row[2]) do assert.is_true(test(good, row[1])) end
      for _, bad in ipairs(row[3]) do assert.is_false(test(bad, row[1])) end
      assert.equal(row[4], check.expected(row[1]))
    end)
  end

  it("has a test of every type", function()
    local tested = {}
    for _, row in ipairs(types) do tested[row[1].type] = true end
    for name in pairs(check.types) do assert.is_true(tested[name], name) end
  end)
end)
