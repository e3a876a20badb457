-- The promise of the hub, held against a plain model over real connections: random lives
-- on two workers (support.hub_life), each of another seed. SEED=n runs one again.
local hub_life = require "support.hub_life"
local loop = require "support.loop"
local tidegate = require "support.server"
local uv = require "luv"

local RUNS = loop.preset == "tsan" and 50 or loop.is_sanitized and 100 or 300

describe("a random life of the hub", function()
  local server, total
  setup(function()
    server = tidegate.start { scripts = hub_life.SCRIPT, workers = 2, listen = { "127.0.0.1:0", "unix:./socket" } }
    total = {}
  end)
  teardown(function() server:stop() end)

  local function run_seeds(first, last)
    local life = hub_life.start(server)
    for seed = first, last do life:run_seed(seed) end
    for what, count in pairs(life:finish()) do total[what] = (total[what] or 0) + count end
  end

  local seed = tonumber(os.getenv "SEED")
  if seed then
    it("is as the model says, seed " .. seed, function() run_seeds(seed, seed) end)
    return
  end
  for first = 1, RUNS, 25 do
    it(("is as the model says, seeds %d to %d"):format(first, first + 24), function() run_seeds(first, first + 24) end)
  end

  it("had everything in it", function()
    local parts = {}
    for what, count in pairs(total) do parts[#parts + 1] = ("%s %d"):format(what, count) end
    table.sort(parts)
    io.stderr:write("\nthe hub and its model: ", table.concat(parts, ", "), "\n")
    for what, count in pairs(total) do assert.is_true(count >= RUNS // 20, what .. " hardly ever happened") end
  end)

  it("lasts as long as a test wants, beside a server that reloads for other reasons", function()
    local life, mark = hub_life.start(server, { steps = 700, reloads = false }), server:mark()
    local beside = uv.new_timer()
    beside:start(0, 100, function() server:signal "sighup" end)
    local next_seed = life:run(1, 1000)
    loop.close(beside)
    local tally = life:finish()
    assert.equal(next_seed - 1000, tally.lives)
    assert.equal(0, tally.reloads)
    assert.is_true(tally.messages > 0)
    assert.is_truthy(server:find_log("generation %d+ is live", mark))
  end)
end)
