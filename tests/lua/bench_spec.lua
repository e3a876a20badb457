-- The bench's runner as it is called: what it refuses, and how it ends. It measures
-- nothing here: the folder of its build is empty.
local files = require "support.files"
local process = require "support.process"
local uv = require "luv"

local RUN = uv.cwd() .. "/tests/bench/run"

-- Arguments, and what is said of them.
local WRONG = {
  { { "--repeat", "1" }, "unknown option --repeat" },
  { { "--repeats" }, "--repeats needs a value" },
  { { "--repeats", "x" }, "repeats: x is not a whole number from 1 to 1000" },
  { { "--repeats", "0" }, "repeats: 0 is not a whole number from 1 to 1000" },
  { { "--repeats", "1.5" }, "repeats: 1.5 is not a whole number from 1 to 1000" },
  { { "--seconds", "abc" }, "seconds: abc is not a number from 0.1 to 60" },
  { { "--seconds", "1e999" }, "seconds: 1e999 is not a number from 0.1 to 60" },
  { { "--plot", "nosuch" }, "plot: nosuch is not one of fanout, latency" },
  { { "--servers", "raw,nosuch" }, "servers: nosuch is not one of capp, nchan, nginx_lua, raw," },
  { { "--only", "nosuch" }, "no case matches" },
  { { "--only", "handshake", "--servers", "capp" }, "no case matches" },
  { { "nosuch" }, "set: nosuch is not one of full, short" },
}

describe("tests/bench/run", function()
  local folder
  setup(function() folder = files.new_folder() end)
  teardown(function() files.remove_tree(folder) end)

  local function run(args) return process.run(RUN, { args = args, cwd = "/", env = { BENCH_BUILD = folder } }) end

  for _, row in ipairs(WRONG) do
    it("refuses " .. table.concat(row[1], " "), function()
      local result = run(row[1])
      assert.equal(2, result.status)
      assert.matches("bench: " .. row[2], result.err, 1, true)
      assert.matches("usage: tests/bench/run", result.err, 1, true)
      assert.is_nil(uv.fs_stat(folder .. "/results.json"))
    end)
  end

  it("tells its options, and takes each of them", function()
    local result = run { "--help" }
    assert.equal(0, result.status)
    local count = 0
    for option in result.out:gmatch "\n  (%-%-%l+) %u" do
      assert.matches(option .. " needs a value", run({ option }).err, 1, true)
      count = count + 1
    end
    assert.equal(5, count)
  end)

  it("ends with 1 when a column failed, and tells which", function()
    local result = run { "short", "--only", "hello", "--servers", "raw", "--repeats", "1", "--seconds", "0.1" }
    assert.equal(1, result.status)
    assert.matches("raw epoll: the server ended:", result.err, 1, true)
    assert.matches("| HTTP hello, keep-alive, 100 connections | failed |", result.out, 1, true)
  end)
end)
