-- Clients that ask for much do not keep one that behaves waiting: how many of their
-- messages are handled before it has its answer. Handlers compute for a millisecond, so a
-- server that handles all of them first fails this by seconds; no time is measured here.
-- tests/bench/fair measures it.
local frame = require "support.frame"
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local handled = 0
local function work()
  local over = os.clock() + 0.001
  while os.clock() < over do end
  handled = handled + 1
end
gate.get("/handled", function() return tostring(handled) end)
gate.get("/stats", function() return gate.stats() end)
gate.get("/work", function() work() return "done" end)
gate.ws("/work", { message = work, close = work })
gate.ws("/loop", function(ws) for _ in ws:messages() do work() end end)

-- Nothing is handled before /begin.
local has_begun = false
gate.post("/begin", function() has_begun = true return 204 end)
local function wait() while not has_begun do gate.sleep(0.01) end end
gate.ws("/wake", { message = function() wait() work() end })
gate.ws("/wake-loop", function(ws) wait() for _ in ws:messages() do work() end end)
gate.ws("/spawn", { message = function() gate.spawn(work) end })
gate.ws("/publish", { message = function() gate.publish("t", "x") end })
gate.subscribe("t", work)
gate.ws("/drain", function(ws)
  for _ = 1, 25 do ws:send "x" ws:drain() work() end
end)
gate.ws("/topics", { message = function()
  for i = 1, 500 do gate.publish("topics/" .. i % 50, "x") end
end })
for i = 0, 49 do gate.subscribe("topics/" .. i, work) end
gate.ws("/finalizers", { message = function()
  for _ = 1, 500 do setmetatable({}, { __gc = work }) end
  collectgarbage()
end })
]]

local COUNT = 500
local FEW = COUNT // 10  -- on a busy machine the server may run on before the test asks
local EMPTY = frame.encode_cheaply(frame.TEXT, "")

local function handled(server) return tonumber(http.get(server, "/handled").body) end

-- That all of them come in the end: nothing that was put off is lost.
local function wait_for_all(server, count)
  loop.poll(function() return handled(server) == count end, "end of the greedy work", 0.02)
end

-- begin(server) asks for COUNT milliseconds of work in one go.
local function check(begin, args)
  local server <close> = tidegate.start { scripts = SCRIPT, args = args }
  local polite = http.connect(server)
  polite:get "/handled"
  begin(server)
  loop.poll(function() return tonumber(polite:get("/handled").body) > 0 end, "the first message", 0.002)
  local before, fewest = tonumber(polite:get("/handled").body), COUNT
  for _ = 1, 10 do
    local after = tonumber(polite:get("/handled").body)
    if after < COUNT then fewest = math.min(fewest, after - before) end
    before = after
  end
  assert.is_true(fewest < FEW, ("at least %d were handled before each answer"):format(fewest))
  wait_for_all(server, COUNT)
  assert.is_true(http.get(server, "/stats"):json().put_off > 10)
end

local function send_all(path)
  return function(server) ws.connect(server, path):send_raw(EMPTY:rep(COUNT)) end
end

-- All have arrived, and none is handled, when the work begins.
local function send_first(path)
  return function(server)
    local client = ws.connect(server, path)
    client:send_raw(EMPTY:rep(COUNT))
    client:ping "all"
    http.post(server, "/begin", "")
  end
end

describe("a client that behaves, beside", function()
  it("empty messages", function() check(send_all "/work") end)
  it("empty messages to a task that receives them", function() check(send_all "/loop") end)
  it("messages that came while a handler waited", function() check(send_first "/wake") end)
  it("messages that came while the task that receives them waited", function() check(send_first "/wake-loop") end)
  it("tasks that were spawned", function() check(send_all "/spawn") end)
  it("messages to a subscriber in the server", function() check(send_all "/publish") end)
  it("messages to many subscribers in the server", function()
    check(function(server) ws.connect(server, "/topics"):send "go" end)
  end)
  it("tasks whose sends have gone out", function()
    check(function(server) ws.open_many(server, "/drain", COUNT // 25) end)
  end)
  it("finalizers", function()
    check(function(server) ws.connect(server, "/finalizers"):send "go" end)
  end)
  it("requests in a row", function()
    check(function(server) http.connect(server):send(http.format_request("GET", "/work"):rep(COUNT)) end)
  end)
  it("many connections with messages", function()
    check(function(server)
      local clients = ws.open_many(server, "/loop", 50)
      for _, client in ipairs(clients) do client:send_raw(EMPTY:rep(COUNT // 50)) end
    end)
  end)
  it("many that leave at once", function()
    check(function(server)
      local clients = ws.open_many(server, "/work", COUNT)
      for _, client in ipairs(clients) do client:drop() end
    end)
  end)
end)
