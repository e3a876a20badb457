-- Hot reload: what changes for those who are connected when a script is saved,
-- and what stays when the new one is broken.
local http = require "support.http"
local loop = require "support.loop"
local spread = require "support.spread"
local sse = require "support.sse"
local tcp = require "support.tcp"
local tidegate = require "support.server"
local ws = require "support.ws"

local function version(number)
  return (([[
local gate = require "tidegate"
local kept = gate.keep("kept", { loads = 0, vm = gate.id() })
kept.loads = kept.loads + 1
local fresh = 0
gate.get("/version", function() return "v%d" end)
gate.get("/loads", function() fresh = fresh + 1 return kept.loads .. " " .. fresh end)
gate.get("/vm", function() return kept.vm .. " v%d" end)
gate.get("/slow", function() gate.log.info "slow begun" gate.sleep(0.5) return "slow v%d" end)
gate.ws("/ws", {
  open = function(ws) ws.data.opened = "v%d" end,
  message = function(ws, data)
    ws.data.count = (ws.data.count or 0) + 1
    ws:send { version = "v%d", opened = ws.data.opened, count = ws.data.count, data = data }
  end,
})
gate.ws("/vm", { open = function(ws) ws:send(kept.vm) end, message = function(ws) ws:send "v%d" end })
gate.ws("/task", function(ws) for data in ws:messages() do ws:send("v%d " .. data) end end)
gate.sse("/sse", { open = function(stream) stream:join "news" stream:send "open" end })
gate.post("/news", function(req) return gate.publish("news", req:body() .. " v%d") end)
]]):gsub("%%d", tostring(number)))
end

local function ask_json(client, text)
  return require("cjson").decode((client:ask(text)))
end

-- The log has a thread of its own: its line may come after the answer, and must not be taken for
-- the outcome of what is saved next.
local function ask_to_reload(server)
  local mark = server:mark()
  local result = tidegate.run { "reload", server.dir }
  server:wait_for_outcome(mark)
  return result
end

describe("saving a script", function()
  local server, number

  setup(function()
    server = tidegate.start { scripts = { ["app.lua"] = version(1) },
      args = { "--handler-time", loop.is_sanitized and "0.5" or "0.2" } }
  end)
  teardown(function() server:stop() end)
  before_each(function() number = (number or 1) + 1 end)

  local function save(changes)
    changes = changes or { ["app.lua"] = version(number) }
    local ok, reason = server:edit(changes)
    assert.is_true(ok, reason)
  end

  local function current() return "v" .. number end

  it("changes what an open connection gets, of every kind, and keeps their data", function()
    local connection <close> = http.connect(server)
    local client <close> = ws.connect(server, "/ws")
    local stream <close> = sse.connect(server, "/sse")
    assert.equal("open", stream:receive().data)
    local old = connection:get("/version").body
    assert.same({ version = old, opened = old, count = 1, data = "a" }, ask_json(client, "a"))
    save()
    assert.equal(current(), connection:get("/version").body)
    assert.same({ version = current(), opened = old, count = 2, data = "b" }, ask_json(client, "b"))
    http.post(server, "/news", "hello")
    assert.equal("hello " .. current(), stream:receive().data)
  end)

  it("in place, as simple editors do, works as well", function()
    local mark = server:mark()
    server:write_in_place("app.lua", version(number))
    assert.is_true(server:wait_for_outcome(mark))
    assert.equal(current(), http.get(server, "/version").body)
  end)

  it("in place does not lose a session while the file is empty", function()
    local own <close> = tidegate.start { args = { "--log-level", "debug" }, scripts = { ["app.lua"] = version(1) } }
    local client <close> = ws.connect(own, "/ws")
    ask_json(client, "a")
    local mark = own:mark()
    own:write_in_place("app.lua", "")
    own:wait_for_log("app.lua changed: waiting until it is complete", mark)
    own:write_in_place("app.lua", version(2))
    assert.is_true(own:wait_for_outcome(mark))
    assert.same({ version = "v2", opened = "v1", count = 2, data = "b" }, ask_json(client, "b"))
  end)

  it("takes up a file that stays empty", function()
    save { ["app.lua"] = version(number), ["empty.lua"] = "" }
    assert.equal(current(), http.get(server, "/version").body)
    save { ["empty.lua"] = false }
  end)

  it("says what is live now", function()
    local mark = server:mark()
    save()
    local PATTERN = " info  generation (%d+) is live: (%d+) scripts?, (%d+) routes?"
    local live, scripts, routes = server:wait_for_log(PATTERN, mark)
    assert.is_true(tonumber(live) >= 2)
    assert.same({ "1", "9" }, { scripts, routes })
  end)

  it("lets a waiting handler end on the code it began with", function()
    local connection <close> = http.connect(server)
    local task <close> = ws.connect(server, "/task")
    local old = http.get(server, "/version").body
    assert.equal(old .. " before", task:ask "before")
    local mark = server:mark()
    connection:send(http.format_request("GET", "/slow"))
    server:wait_for_log("slow begun", mark)
    save()
    assert.equal(current(), http.get(server, "/version").body)
    assert.equal("slow " .. old, connection:response().body)
    assert.equal(old .. " after", task:ask "after")
    local fresh <close> = ws.connect(server, "/task")
    assert.equal(current() .. " new", fresh:ask "new")
  end)

  it("keeps what gate.keep holds and nothing else", function()
    local loads, fresh = http.get(server, "/loads").body:match "(%d+) (%d+)"
    save()
    local loads_after, fresh_after = http.get(server, "/loads").body:match "(%d+) (%d+)"
    assert.equal(tonumber(loads) + 1, tonumber(loads_after))
    assert.equal("1", fresh_after)
    assert.is_true(tonumber(fresh) >= 1)
  end)

  -- A change that must not go live -> what the log must say.
  for name, case in pairs {
    ["does not compile"] = { "local gate = require 'tidegate'\n\nthis is not Lua\n", "broken%.lua:3:" },
    ["raises while it loads"] = { "local x = nil\nprint(x.field)\n", "broken%.lua:2: attempt to index" },
    ["registers a route twice"] = { "local gate = require 'tidegate'\ngate.get('/version', function() end)\n",
      "broken%.lua:2: .*/version.*already registered at .*app%.lua:%d+" },
    ["requires what is not there"] = { "require 'no_such_module'\n", "broken%.lua:1: .*no_such_module" },
    ["registers a bad pattern"] = { "local gate = require 'tidegate'\ngate.get('no-slash', function() end)\n",
      "broken%.lua:2:" },
    ["waits while it loads"] = { "require('tidegate').sleep(1)\n", "broken%.lua:1:" },
    ["never ends loading"] = { "while true do end\n", "broken%.lua:1:" },
  } do
    it(("that %s changes nothing and is named"):format(name), function()
      save()
      local client <close> = ws.connect(server, "/ws")
      ask_json(client, "a")
      local ok, reason = server:edit { ["broken.lua"] = case[1] }
      local body, seen = http.get(server, "/version").body, ask_json(client, "b")
      assert.is_true(server:edit { ["broken.lua"] = false })
      assert.is_false(ok)
      assert.matches(case[2], reason)
      assert.equal(current(), body)
      assert.same({ current(), 2 }, { seen.version, seen.count })
    end)
  end

  it("again, mended, goes live after a broken one", function()
    assert.is_false(server:edit { ["app.lua"] = "nonsense" })
    save()
    assert.equal(current(), http.get(server, "/version").body)
  end)

  it("takes up new files, also in new folders, and lets go of removed ones", function()
    save { ["more/deep.lua"] = "require('tidegate').get('/more', function() return 'more' end)" }
    assert.equal("more", http.get(server, "/more").body)
    save { ["more/deep.lua"] = "require('tidegate').get('/more', function() return 'changed' end)" }
    assert.equal("changed", http.get(server, "/more").body)
    save { ["more/deep.lua"] = false }
    assert.equal(404, http.get(server, "/more").status)
  end)

  it("that others require changes them too", function()
    save { ["_lib.lua"] = "return 'one'",
           ["user.lua"] = "local v = require '_lib' require('tidegate').get('/lib', function() return v end)" }
    assert.equal("one", http.get(server, "/lib").body)
    save { ["_lib.lua"] = "return 'two'" }
    assert.equal("two", http.get(server, "/lib").body)
    save { ["_lib.lua"] = false, ["user.lua"] = false }
  end)

  it("takes up a page that scripts read when they load, once it is asked to", function()
    local script = [[
      local gate = require "tidegate"
      local file = assert(io.open(gate.dir .. "/page.html"))
      local page = file:read "a"
      file:close()
      gate.get("/page", function() return 200, page, { ["Content-Type"] = "text/html" } end)
    ]]
    save { ["page.html"] = "<p>one", ["page.lua"] = script }
    assert.equal("<p>one", http.get(server, "/page").body)
    server:write("page.html", "<p>two")
    assert.equal("<p>one", http.get(server, "/page").body)
    assert.equal(0, ask_to_reload(server).status)
    assert.equal("<p>two", http.get(server, "/page").body)
    save { ["page.html"] = false, ["page.lua"] = false }
  end)

  it("ends sessions whose route has gone, and only those", function()
    local gone = "local gate = require 'tidegate' gate.ws('/gone', { message = function(ws, d) ws:send(d) end,"
      .. "close = function(ws, code) gate.log.info('gone told ' .. code) end })"
      .. "gate.sse('/gone-sse', { open = function(stream) stream:send 'open' end })"
      .. "gate.ws('/gone-task', function(ws) for d in ws:messages() do ws:send(d) end end)"
    save { ["gone.lua"] = gone }
    local client, task = ws.connect(server, "/gone"), ws.connect(server, "/gone-task")
    local stream = sse.connect(server, "/gone-sse")
    local staying <close> = ws.connect(server, "/ws")
    assert.equal("open", stream:receive().data)
    assert.equal("x", client:ask "x")
    assert.equal("x", task:ask "x")
    save { ["gone.lua"] = false }
    assert.equal(1012, (client:wait_close()))
    assert.equal(1012, (task:wait_close()))
    stream:wait_end()
    assert.equal("a", ask_json(staying, "a").data)
  end)

  it("replaces timers and topic rules", function()
    local function ticker(name, history)
      return ([[
        local gate = require "tidegate"
        gate.topic("ticked/*", { history = %d })
        gate.every(0.005, function() gate.publish("ticks", "%s") end)
        gate.sse("/ticks", function(stream) stream:join "ticks" end)
        gate.post("/fill", function() for i = 1, 10 do gate.publish("ticked/x", tostring(i)) end end)
        gate.sse("/filled", function(stream) stream:join("ticked/x", { since = "first" }) stream:send "end" end)
      ]]):format(history, name)
    end
    save { ["ticker.lua"] = ticker("old", 3) }
    local stream <close> = sse.connect(server, "/ticks")
    assert.equal("old", stream:receive().data)
    save { ["ticker.lua"] = ticker("new", 5) }
    local seen
    repeat seen = stream:receive().data until seen == "new"
    for _ = 1, 10 do assert.equal("new", stream:receive().data) end
    http.post(server, "/fill")
    local filled <close> = sse.connect(server, "/filled")
    local kept = {}
    loop.wait(function()
      for _, event in ipairs(filled.events) do
        if event.data ~= "end" then kept[#kept + 1] = event.data end
      end
      filled.events = {}
      return #kept == 5
    end, "five kept messages")
    assert.same({ "6", "7", "8", "9", "10" }, kept)
    save { ["ticker.lua"] = false }
  end)

  it("many times in one moment ends on the last", function()
    local mark = server:mark()
    for i = 1, 20 do server:write("app.lua", version(100 + i)) end
    server:wait_for_outcome(mark)
    loop.poll(function() return http.get(server, "/version").body == "v120" end, "last version")
    save()
  end)

  it("is not needed for SIGHUP to reload", function()
    local mark = server:mark()
    server:signal "sighup"
    assert.is_true(server:wait_for_outcome(mark))
  end)

  describe("and tidegate reload", function()
    it("tells the outcome and exits 0", function()
      local result = ask_to_reload(server)
      assert.equal(0, result.status, result.err)
      assert.matches("generation %d+ is live: %d+ scripts?, %d+ routes?", result.out .. result.err)
    end)

    it("tells the reason and exits 1 when scripts are broken", function()
      assert.is_false(server:edit { ["broken.lua"] = "\nnonsense" })
      local result = ask_to_reload(server)
      assert.equal(1, result.status)
      assert.matches("broken%.lua:2:", result.out .. result.err)
      assert.is_true(server:edit { ["broken.lua"] = false })
    end)
  end)
end)

describe("tidegate reload", function()
  it("exits 1 with one line where no server runs", function()
    local server <close> = tidegate.start { scripts = version(1) }
    local folder = server.dir
    server:signal "sigterm"
    server.process:wait()
    local result = tidegate.run { "reload", folder }
    assert.equal(1, result.status)
    assert.is_nil(result.err:find "\n")
    assert.is_true(#result.err > 0)
    server:wait_end()
  end)
end)

describe("a reload with two workers", function()
  local function connect_both(server)
    return spread.connect(2, function()
      local client = ws.connect(server, "/vm")
      return client, (client:receive())
    end)
  end

  it("switches both", function()
    local server <close> = tidegate.start { workers = 2, scripts = version(1) }
    local both = connect_both(server)
    for number = 2, 6 do
      assert.is_true(server:edit { ["app.lua"] = version(number) })
      for _, client in ipairs(both) do assert.equal("v" .. number, (client:ask "?")) end
    end
    tcp.close_all()
  end)

  it("switches none when one of them fails", function()
    local server <close> = tidegate.start { workers = 2, scripts = version(1) }
    local both = connect_both(server)
    -- The worker that removes the flag fails; the other loads without a fault.
    local script = version(2) .. [[
      local flag = io.open(gate.dir .. "/../flag")
      if flag then
        flag:close()
        if os.remove(gate.dir .. "/../flag") then error "the one that fails" end
      end
    ]]
    server:write("../flag", "")
    local ok, reason = server:edit { ["app.lua"] = script }
    assert.is_false(ok)
    assert.matches("the one that fails", reason)
    for _, client in ipairs(both) do assert.equal("v1", (client:ask "?")) end
    for _ = 1, 10 do assert.equal("v1", http.get(server, "/version").body) end
    assert.is_true(server:edit { ["app.lua"] = version(3) })
    for _, client in ipairs(both) do assert.equal("v3", (client:ask "?")) end
    tcp.close_all()
  end)
end)
