-- Scripts that would never end, or that reach for what is not theirs: the one worker goes on, and the
-- log says what happened.
local http = require "support.http"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"
local function forever() while true do end end
local function closing() return setmetatable({}, { __close = forever }) end

gate.get("/ok", function() return "ok" end)
gate.get("/close", function() local _ <close> = closing() forever() end)
gate.get("/sort", function() local _ <close> = closing() table.sort({ 3, 2, 1 }, forever) end)
gate.get("/pcall", function() while true do pcall(forever) end end)
local function recurse() return 1 + recurse() end
gate.get("/recursion", function() while true do pcall(recurse) end end)
gate.get("/overflow", function() return recurse() end)
gate.get("/handler", function() xpcall(forever, forever) return "went on" end)
gate.get("/coroutine", function() coroutine.wrap(function() local _ <close> = closing() forever() end)() end)
gate.get("/finalizer", function()
  setmetatable({}, { __gc = forever })
  collectgarbage() collectgarbage()
  return "answered"
end)

gate.get("/finish", function(_, res)
  setmetatable({}, { __gc = function() res:finish() end })
  collectgarbage() collectgarbage()
  return { ("x"):rep(1000) }
end)
gate.get("/cookie", function(_, res)
  res:cookie("a", "b", setmetatable({}, { __index = function() res:finish() end }))
  return "baked"
end)
local sleeper, was_tried
gate.get("/sleep", function()
  sleeper = coroutine.running()
  repeat gate.sleep(0.01) until was_tried
  return "woke"
end)
gate.get("/wake", function()
  while not sleeper do gate.sleep(0.01) end
  was_tried = true
  return { coroutine.resume(sleeper) }
end)
gate.get("/metatable", function(_, res) return tostring(getmetatable(res)) end)
]]

describe("a script", function()
  local server

  before_each(function()
    server = tidegate.start { scripts = SCRIPT, workers = 1, env = { TIDEGATE_HANDLER_TIME = "0.25" } }
  end)
  after_each(function() server:stop() end)

  for _, path in ipairs { "/close", "/sort", "/pcall", "/recursion", "/handler", "/coroutine" } do
    it("that loops is ended in " .. path, function()
      assert.equal(500, http.get(server, path).status)
      assert.equal("ok", http.get(server, "/ok").body)
      server:wait_for_log "the handler ran for longer than handler_time"
    end)
  end

  it("that overflows the stack is answered at once, and named", function()
    local mark = server:mark()
    assert.equal(500, http.get(server, "/overflow").status)
    server:wait_for_log("app%.lua:9: [st]", mark)  -- a slow machine needs handler_time to get there
    assert.equal("ok", http.get(server, "/ok").body)
  end)

  it("that loops in a finalizer is ended after its answer", function()
    assert.equal("answered", http.get(server, "/finalizer").body)
    server:wait_for_log "the handler ran for longer than handler_time"
    assert.equal("ok", http.get(server, "/ok").body)
  end)

  it("cannot end an answer from a finalizer or a metamethod", function()
    for _ = 1, 20 do
      assert.equal(1000, #http.get(server, "/finish"):json()[1])
      assert.equal("baked", http.get(server, "/cookie").body)
    end
  end)

  it("cannot resume the coroutine of another handler", function()
    local sleeping = http.connect(server)
    sleeping:send(http.format_request("GET", "/sleep"))
    local woken = http.get(server, "/wake"):json()
    assert.is_false(woken[1])
    assert.matches("cannot resume a coroutine of the server", woken[2])
    assert.equal("woke", sleeping:response().body)
  end)

  it("cannot change the metatable of what it is given", function()
    assert.equal("false", http.get(server, "/metatable").body)
  end)
end)
