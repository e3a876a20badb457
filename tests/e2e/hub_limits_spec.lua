-- Bounds of the server that joins meet: `max_topics`, `max_subscriptions`, and what members may
-- take of `hub_max_bytes`. A refused join says which it was, is counted, and changes nothing;
-- the log says so once, however many there are.
local cjson = require "cjson"
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("**", { presence = { grace = 0 } })
gate.ws("/join/{count}", { message = function(ws, options)
  local joined, message, code = 0
  for i = 1, tonumber(ws.params.count) do
    local fields = gate.json.decode(options)
    if fields.info then fields.info, fields.as = ("x"):rep(fields.info), "user" .. i end
    local ok, why, what = ws:join((fields.as and "members/" or "plain/") .. i,
      { as = fields.as, info = fields.info })
    if ok then joined = joined + 1 else message, code = why, what end
  end
  ws:send { joined = joined, message = message, code = code, topics = #ws:topics() }
end })
gate.get("/stats", function() return gate.stats() end)
gate.post("/publish", function(req) return assert(gate.publish("members/1", req:body())) end)
]]

describe("a bound that joins meet", function()
  local server
  setup(function()
    server = tidegate.start { scripts = SCRIPT, args = { "--max-topics", "40", "--max-subscriptions", "60",
      "--hub-max-bytes", "1000000" } }
  end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  local function stats() return http.get(server, "/stats"):json() end

  local function join(count, options)
    local client = ws.connect(server, "/join/" .. count)
    return cjson.decode((client:ask(cjson.encode(options or cjson.decode "{}"))))
  end

  local function count_log(pattern)
    local count = 0
    loop.turn()
    for _, line in ipairs(server.log) do
      if line:find(pattern) then count = count + 1 end
    end
    return count
  end

  for _, row in ipairs {
    { "max_topics", 1, 100, {}, 40 },
    { "max_subscriptions", 2, 40, {}, 20 },
    { "half of hub_max_bytes", 1, 40, { info = 16000 }, 29 },
  } do
    local what, clients, count, options, expected = table.unpack(row)
    it("is " .. what, function()
      loop.poll(function() return stats().presence_bytes == 0 end, "no members")
      local refused, answer = stats().joins_refused, nil
      for _ = 1, clients do answer = join(count, options) end
      assert.same({ expected, "limit", expected }, { answer.joined, answer.code, answer.topics })
      assert.matches(what, answer.message)
      assert.equal(refused + count - expected, stats().joins_refused)
      join(count, options)
      server:wait_for_log('a join failed with "limit": .*' .. what)
      assert.equal(1, count_log('a join failed with "limit": .*' .. what))
    end)
  end

  it("leaves room for messages", function()
    join(40, { info = 16000 })
    assert.is_true(stats().presence_bytes <= 500000)
    assert.equal(200, http.post(server, "/publish", ("x"):rep(100000)).status)
  end)
end)
