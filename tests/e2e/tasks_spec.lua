-- Handlers as tasks: waiting without blocking, events in order, timers, and what
-- becomes of handlers that fail, loop or eat memory.
local http = require "support.http"
local loop = require "support.loop"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.get("/ok", function() return "ok" end)
gate.get("/sleep", function(req)
  local before = gate.now()
  gate.sleep(tonumber(req.query.s))
  return tostring(gate.now() - before)
end)
gate.ws("/recv", function(ws)
  while true do
    local data, why = ws:recv(0.03)
    if data then ws:send("got " .. data)
    elseif why == "timeout" then ws:send "timeout"
    else return end
  end
end)
gate.ws("/slow", { message = function(ws, data)
  gate.sleep(0.002)
  ws:send(data)
end })
gate.ws("/slow-open", {
  open = function(ws) gate.sleep(0.05) ws:send "open" end,
  message = function(ws, data) ws:send("message " .. data) end,
  close = function(ws) gate.log.info("slow-open closed " .. ws.data.n) end,
  upgrade = function(req) return { n = req.query.n } end,
})
gate.ws("/stalled", function(ws)
  gate.sleep(0.3)
  local count, bytes = 0, 0
  for data in ws:messages() do
    count, bytes = count + 1, bytes + #data
    if data == "last" then ws:send(count .. " " .. bytes) end
  end
end)
gate.get("/spawn", function()
  gate.spawn(function(text) gate.sleep(0.02) gate.log.info("spawned " .. text) end, "with argument")
  return "answered"
end)
gate.get("/spawn-fails", function()
  gate.spawn(function() error "spawned boom" end)
  return "answered"
end)
gate.get("/after", function()
  gate.after(0.01, function() gate.log.info "after ran" end)
  gate.after(0.01, function() gate.log.info "cancelled timer ran" end):cancel()
  gate.after(0.03, function() gate.log.info "after: all through" end)
  return "ok"
end)
gate.get("/every", function()
  local n, timer = 0
  timer = gate.every(0.01, function()
    n = n + 1
    if n == 3 then timer:cancel() gate.after(0.05, function() gate.log.info("every ran " .. n) end) end
  end)
  return "ok"
end)

gate.get("/fail/{how}", function(req)
  if req.params.how == "table" then error { code = 1 } end
  if req.params.how == "deep" then local function inner() local x = nil; return x.field end inner() end
  error "secret boom"
end)
gate.get("/fail-late", function(req, res)
  res:write "begun"
  gate.sleep(0.01)
  error "late boom"
end)
gate.get("/bad-return", function() return true end)
gate.ws("/fail", {
  upgrade = function(req) return { where = req.query.where } end,
  open = function(ws) if ws.data.where == "open" then error "open boom" end end,
  message = function(ws, data) if data == "fail" then error "message boom" end ws:send(data) end,
  close = function(ws) if ws.data.where == "close" then error "close boom" end end,
})
gate.ws("/fail-task", function(ws) ws:recv() error "task boom" end)

gate.get("/loop", function() while true do end end)
gate.get("/loop-protected", function() while true do pcall(function() while true do end end) end end)
gate.get("/loop-coroutine", function() coroutine.wrap(function() while true do end end)() end)
gate.ws("/loop", { message = function() while true do end end })
gate.get("/memory", function()
  local kept = {}
  for i = 1, 1e9 do kept[i] = ("x"):rep(1000) .. i end
end)
gate.get("/memory-string", function() return #(("x"):rep(1 << 28)) end)
]]

describe("a handler", function()
  local server
  setup(function()
    server = tidegate.start { scripts = SCRIPT, args = { "--handler-time", "0.3", "--vm-memory", "33554432" } }
  end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  describe("that waits", function()
    it("sleeps as long as it says, and keeps nobody else waiting", function()
      local connection <close> = http.connect(server)
      connection:send(http.format_request("GET", "/sleep?s=0.2"))
      for _ = 1, 10 do assert.equal("ok", http.get(server, "/ok").body) end
      local slept = tonumber(connection:response().body)
      assert.is_true(slept >= 0.195, "slept " .. slept)
    end)

    it("sleeps beside many others", function()
      local connections, started = {}, loop.now()
      for i = 1, 50 do
        connections[i] = http.connect(server)
        connections[i]:send(http.format_request("GET", "/sleep?s=0.2"))
      end
      for i = 1, 50 do assert.equal(200, connections[i]:response().status) end
      assert.is_true(loop.now() - started < 50 * 0.2 / 2, "one after the other")
    end)

    it("hears from recv that time is up, and then the message", function()
      local client <close> = ws.connect(server, "/recv")
      assert.equal("timeout", (client:receive()))
      client:send "hello"
      local seen
      repeat seen = client:receive() until seen ~= "timeout"
      assert.equal("got hello", seen)
    end)

    it("gets the messages that came meanwhile, one at a time and in order", function()
      local client <close> = ws.connect(server, "/slow")
      for i = 1, 100 do client:send("n" .. i) end
      for i = 1, 100 do assert.equal("n" .. i, (client:receive())) end
    end)

    it("in open gets no message before open is through", function()
      local client <close> = ws.connect(server, "/slow-open?n=1")
      client:send "early"
      assert.equal("open", (client:receive()))
      assert.equal("message early", (client:receive()))
    end)

    it("in open is told of a close only afterwards", function()
      ws.connect(server, "/slow-open?n=gone"):drop()
      server:wait_for_log "slow%-open closed gone"
    end)

    it("holds back a sender beyond a bound, and loses nothing", function()
      local client <close> = ws.connect(server, "/stalled")
      local text = ("x"):rep(10000)
      for _ = 1, 1000 do client:send(text) end
      client:send "last"
      assert.equal("1001 10000004", (client:receive()))
    end)
  end)

  describe("may start other tasks:", function()
    it("spawn", function()
      local mark = server:mark()
      assert.equal("answered", http.get(server, "/spawn").body)
      server:wait_for_log("spawned with argument", mark)
    end)

    it("after, which can be cancelled", function()
      local mark = server:mark()
      http.get(server, "/after")
      server:wait_for_log("after: all through", mark)
      assert.truthy(server:find_log("after ran", mark))
      assert.is_nil(server:find_log("cancelled timer ran", mark))
    end)

    it("every, until it is cancelled", function()
      local mark = server:mark()
      http.get(server, "/every")
      server:wait_for_log("every ran 3", mark)
    end)

    it("whose failure is logged", function()
      local mark = server:mark()
      assert.equal("answered", http.get(server, "/spawn-fails").body)
      server:wait_for_log(" error .*app%.lua:%d+: spawned boom", mark)
    end)
  end)

  describe("that fails", function()
    it("is 500 without its secrets, and logged with place, traceback and route", function()
      local mark = server:mark()
      local connection <close> = http.connect(server)
      local response = connection:get "/fail/plain"
      assert.equal(500, response.status)
      assert.is_nil(response.body:find "boom")
      server:wait_for_log(" error .*app%.lua:%d+: secret boom", mark)
      server:wait_for_log("stack traceback", mark)
      assert.equal("GET /fail/{how}", (server:wait_for_log("route=(.*) conn=%d+", mark)))
      assert.equal("ok", connection:get("/ok").body)
    end)

    it("with any value or deep below is 500 as well", function()
      assert.equal(500, http.get(server, "/fail/table").status)
      local mark = server:mark()
      assert.equal(500, http.get(server, "/fail/deep").status)
      server:wait_for_log("attempt to index a nil value", mark)
    end)

    it("after its response has begun cuts the connection", function()
      local connection <close> = http.connect(server)
      connection:send(http.format_request("GET", "/fail-late"))
      local ok, message = pcall(connection.response, connection)
      assert.is_false(ok)
      assert.matches("closed", message)
    end)

    it("by returning what is no response is 500", function()
      local mark = server:mark()
      assert.equal(500, http.get(server, "/bad-return").status)
      server:wait_for_log(" error .*this handler returned true", mark)
    end)

    it("in a WebSocket session closes it with 1011 and no other", function()
      local mark = server:mark()
      local other <close> = ws.connect(server, "/fail")
      local failing = ws.connect(server, "/fail")
      failing:send "fail"
      assert.equal(1011, (failing:wait_close()))
      server:wait_for_log(" error .*app%.lua:%d+: message boom", mark)
      assert.equal("ws /fail", (server:wait_for_log("route=(.*) conn=%d+", mark)))
      assert.equal(1011, (ws.connect(server, "/fail?where=open"):wait_close()))
      local task = ws.connect(server, "/fail-task")
      task:send "go"
      assert.equal(1011, (task:wait_close()))
      assert.equal("still here", other:ask "still here")
    end)

    it("in a close callback is only logged", function()
      local mark = server:mark()
      assert.equal(1000, (ws.connect(server, "/fail?where=close"):close(1000)))
      server:wait_for_log("close boom", mark)
    end)
  end)

  describe("that never ends", function()
    for path, place in pairs {
      ["/loop"] = "app%.lua:%d+: ", ["/loop-protected"] = "app%.lua:%d+: ", ["/loop-coroutine"] = "",
    } do
      it("is stopped: " .. path, function()
        local mark = server:mark()
        local other <close> = http.connect(server)
        assert.equal(500, http.get(server, path).status)
        server:wait_for_log(" error .*" .. place .. ".*handler_time", mark)
        assert.equal("ok", other:get("/ok").body)
      end)
    end

    it("is stopped in a session with 1011", function()
      local other <close> = ws.connect(server, "/fail")
      local client = ws.connect(server, "/loop")
      client:send "go"
      assert.equal(1011, (client:wait_close()))
      assert.equal("still here", other:ask "still here")
    end)
  end)

  describe("that eats the memory of its worker", function()
    it("gets an error, and the server lives on", function()
      local other <close> = ws.connect(server, "/fail")
      for _ = 1, 3 do
        local mark = server:mark()
        assert.equal(500, http.get(server, "/memory").status)
        server:wait_for_log(" error .*", mark)
        assert.equal(500, http.get(server, "/memory-string").status)
        assert.equal("ok", http.get(server, "/ok").body)
      end
      assert.equal("still here", other:ask "still here")
    end)
  end)
end)

describe("with --dev", function()
  it("the client sees why a handler failed", function()
    local server <close> = tidegate.start { scripts = SCRIPT, args = { "--dev" } }
    local response = http.get(server, "/fail/plain")
    assert.equal(500, response.status)
    assert.matches("app%.lua:%d+: secret boom", response.body)
    assert.matches("app%.lua:58: %(error object is a table value%)$", http.get(server, "/fail/table").body)
  end)
end)

describe("gate.every while scripts load", function()
  it("runs on one worker only, unless all are asked for", function()
    local server <close> = tidegate.start { workers = 2, scripts = [[
      local gate = require "tidegate"
      local vm = gate.keep("vm", { id = gate.id() })
      gate.every(0.01, function() gate.publish("ticks/one", vm.id) end)
      gate.every(0.01, function() gate.publish("ticks/all", vm.id) end, { on = "all" })
      gate.sse("/{which}", function(stream) stream:join("ticks/" .. stream.params.which) end)
    ]] }
    local function ids(which)
      local stream <close> = sse.connect(server, "/" .. which)
      local seen, count = {}, 0
      for _ = 1, 20 do
        local id = stream:receive().data
        if not seen[id] then seen[id], count = true, count + 1 end
      end
      return count
    end
    assert.equal(1, ids "one")
    assert.equal(2, ids "all")
  end)

  it("logs an error in a tick and goes on", function()
    local server <close> = tidegate.start { scripts = [[
      local gate = require "tidegate"
      local n = 0
      gate.every(0.01, function() n = n + 1 gate.log.info("tick " .. n) if n == 2 then error "tick boom" end end)
    ]] }
    server:wait_for_log "tick boom"
    server:wait_for_log "tick 5"
  end)
end)
