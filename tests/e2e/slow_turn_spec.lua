-- What keeps a whole worker waiting is in the log with its name: calls that block, which no
-- limit ends, and handlers that compute.
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local function block() os.execute "sleep 0.15" end
gate.get("/blocks/{n}", function() block() return "blocked" end)
gate.ws("/ws", { message = function(ws, text) block() ws:send(text) end })
gate.post("/timer", function() gate.spawn(block) return 204 end)
gate.subscribe("t", function() block() end)
gate.post("/publish", function() gate.publish("t", "x") return 204 end)
gate.get("/waits", function() gate.sleep(0.15) return "waited" end)
gate.get("/stats", function() return gate.stats() end)
]]

local LINE = " warn  a turn of worker 0 took (%d+) ms, (%d+) of them in one handler: "

local function start(args) return tidegate.start { scripts = SCRIPT, args = args } end

-- Calls act(server) until a turn is logged with the name that took as long as what blocks: on a busy
-- machine others are slow, too, and after the line of one there is none for a second.
local function wait_for_name(server, name, act)
  local function has_line()
    for _, line in ipairs(server.log) do
      local took, longest = line:match(LINE .. name)
      if took and tonumber(took) >= tonumber(longest) and tonumber(longest) >= 150 then return true end
    end
  end
  loop.poll(function()
    act(server)
    return has_line()
  end, function() return ("150 ms of %s in the log:\n%s"):format(name, server.process:tail()) end)
end

local function slow_turns(server) return http.get(server, "/stats"):json().slow_turns end

describe("a turn that takes longer than slow_turn", function()
  local BLOCKERS = {
    { "a request", "route=GET /blocks/{n} conn=%d+", function(server) http.get(server, "/blocks/1") end },
    { "a message", "route=ws /ws conn=%d+", function(server) ws.connect(server, "/ws"):ask "x" end },
    { "a timer", "timer=.*/app.lua:5", function(server) http.post(server, "/timer", "") end },
    { "a subscriber", "subscribe=t", function(server) http.post(server, "/publish", "") end },
  }
  for _, row in ipairs(BLOCKERS) do
    it("names the handler of " .. row[1], function()
      local server <close> = start()
      wait_for_name(server, row[2], row[3])
    end)
  end

  it("is logged once a second, and always counted", function()
    local server <close> = start()
    for i = 1, 4 do http.get(server, "/blocks/" .. i) end
    assert.is_true(slow_turns(server) >= 4)
    local mark = server:mark()
    loop.poll(function()
      http.get(server, "/blocks/1")
      return server:find_log("; %d+ more were not logged", mark)
    end, "the line that counts the others")
  end)

  it("names the loading of a script", function()
    local server <close> = start()
    local n = 0
    wait_for_name(server, "%(loading a script%)", function()
      n = n + 1
      assert.is_true(server:edit { ["slow.lua"] = "os.execute 'sleep 0.15' -- " .. n })
    end)
  end)

  it("is not one in which handlers wait", function()
    local server <close> = start()
    loop.poll(function()
      local before = slow_turns(server)
      assert.equal("waited", http.get(server, "/waits").body)
      return slow_turns(server) == before
    end, "wait without a slow turn")
  end)

  it("is of no interest when slow_turn is 0", function()
    local server <close> = start { "--slow-turn", "0" }
    http.get(server, "/blocks/1")
    assert.equal(0, slow_turns(server))
    assert.is_nil(server:find_log "a turn of worker")
  end)
end)
