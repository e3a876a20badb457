-- What scripts do to the server while they load happens when they go live, once, and not at
-- all when the load fails.
local files = require "support.files"
local http = require "support.http"
local json = require "cjson"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

-- Tells what was published to "news" and whether a name was kept.
local APP = [[
local gate = require "tidegate"
gate.topic("news", { history = 100 })
gate.get("/news", function()
  local all = {}
  for i, message in ipairs(gate.history "news") do all[i] = message.data end
  return table.concat(all, " ")
end)
gate.get("/kept", function() return tostring(gate.keep("fresh", "none")) end)
local alive = gate.keep("alive")
gate.ws("/ws", { open = function(ws) alive.ws = ws end, message = function(ws, data) ws:send(data) end })
gate.sse("/sse", { open = function(stream) alive.stream = stream stream:send "open" end })
gate.get("/tick", function()
  alive.ticks = 0
  alive.timer = gate.every(0.005, function() alive.ticks = alive.ticks + 1 end)
  return "ticking"
end)
gate.get("/ticks", function() return tostring(alive.ticks) end)
]]

local FAILS = "\nerror 'on purpose'"

describe("what is published while scripts load", function()
  it("returns true, and is sent once when they go live, by the first of many workers", function()
    local server <close> = tidegate.start { workers = 4, scripts = { ["app.lua"] = APP,
      ["b.lua"] = "assert(require('tidegate').publish('news', 'first') == true)" } }
    assert.equal("first", http.get(server, "/news").body)
    assert.is_true(server:edit { ["b.lua"] = "require('tidegate').publish('news', 'second')" })
    assert.equal("first second", http.get(server, "/news").body)
  end)

  it("is not sent when the load fails", function()
    local server <close> = tidegate.start { workers = 2, scripts = APP }
    assert.is_false(server:edit { ["b.lua"] = "require('tidegate').publish('news', 'lost')" .. FAILS })
    assert.equal("", http.get(server, "/news").body)
    assert.is_true(server:edit { ["b.lua"] = "require('tidegate').publish('news', 'sent')" })
    assert.equal("sent", http.get(server, "/news").body)
  end)

  it("reaches the sessions and subscriptions that the scripts have then", function()
    local server <close> = tidegate.start { scripts = APP
      .. "gate.sse('/follow', function(stream) stream:join 'news' stream:send 'joined' end)" }
    local stream <close> = sse.connect(server, "/follow")
    assert.equal("joined", stream:receive().data)
    local mark = server:mark()
    assert.is_true(server:edit { ["b.lua"] = [[
      local gate = require "tidegate"
      gate.subscribe("news", function(_, data) gate.log.info("tapped " .. data) end)
      gate.publish("news", "hello")
    ]] })
    assert.equal("hello", stream:receive().data)
    server:wait_for_log("tapped hello", mark)
  end)

  it("obeys the rules that load with it", function()
    local server <close> = tidegate.start { scripts = APP }
    local mark = server:mark()
    assert.is_true(server:edit { ["b.lua"] = [[
      local gate = require "tidegate"
      gate.publish("small", ("x"):rep(20))
      gate.topic("small", { bytes = 10 })
    ]] })
    server:wait_for_log('b%.lua:2: publish: the message to "small" is too large', mark)
  end)

  it("is checked at once", function()
    local server <close> = tidegate.start { scripts = APP }
    assert.is_true(server:edit { ["b.lua"] = [[
      local gate = require "tidegate"
      local function code(...) return (select(3, ...)) end
      assert(code(gate.publish("", "x")) == "topic")
      assert(code(gate.publish("news", "\xff")) == "utf8")
      assert(code(gate.publish("news", "x", { event = "a\nb" })) == "event")
      assert(not pcall(gate.publish, "news"))
      assert(not pcall(gate.publish, "news", "x", { nonsense = 1 }))
    ]] })
    assert.equal("", http.get(server, "/news").body)
  end)

  it("has a bound, beyond which the load fails", function()
    local server <close> = tidegate.start { scripts = APP }
    local ok, reason = server:edit { ["b.lua"] =
      "local gate = require 'tidegate'\nfor i = 1, 10001 do gate.publish('news', 'x') end" }
    assert.is_false(ok)
    assert.matches("b%.lua:2: publish: at most 10000 messages", reason)
  end)

  it("is named by --check", function()
    local folder = files.new_folder()
    files.write(folder .. "/a.lua", "\nrequire('tidegate').publish('news', 'hello')")
    local result = tidegate.run { "--check", folder }
    files.remove_tree(folder)
    assert.equal(0, result.status, result.err)
    assert.matches('a%.lua:2: would publish 5 bytes to "news"\n', result.out)
  end)
end)

describe("a name first kept while scripts load", function()
  it("is dropped when the load fails", function()
    local server <close> = tidegate.start { scripts = APP }
    assert.is_false(server:edit { ["b.lua"] = "require('tidegate').keep('other', 'failed')" .. FAILS })
    assert.is_true(server:edit { ["b.lua"] = [[
      local kept = require("tidegate").keep("other", "mended")
      require("tidegate").get("/other", function() return kept .. " " .. require("tidegate").keep "other" end)
    ]] })
    assert.equal("mended mended", http.get(server, "/other").body)
  end)

  it("is one value for the whole load, and survives the next", function()
    local server <close> = tidegate.start { scripts = APP }
    local script = [[
      local gate = require "tidegate"
      local one, two = gate.keep "shared", gate.keep "shared"
      assert(one == two)
      one.loads = (one.loads or 0) + 1
      gate.get("/loads", function() return tostring(gate.keep("shared").loads) end)
    ]]
    for n = 1, 2 do
      assert.is_true(server:edit { ["b.lua"] = script .. ("-- %d"):format(n) })
      assert.equal(tostring(n), http.get(server, "/loads").body)
    end
  end)

  it("is not seen by the handlers of the live scripts", function()
    local server <close> = tidegate.start { scripts = APP }
    assert.is_false(server:edit { ["b.lua"] = "require('tidegate').keep('fresh', 'failed')" .. FAILS })
    assert.equal("none", http.get(server, "/kept").body)
  end)
end)

-- What a script can do while it loads to what lives already.
describe("while scripts load, raises and does nothing:", function()
  for _, call in ipairs { "ws:send 'x'", "ws:close()", "ws:join 'news'", "ws:leave 'news'", "ws:ping()" } do
    it(call, function()
      local server <close> = tidegate.start { scripts = APP }
      local client <close> = ws.connect(server, "/ws")
      assert.equal("a", client:ask "a")
      local ok, reason = server:edit { ["b.lua"] = "\nlocal ws = require('tidegate').keep('alive').ws " .. call }
      assert.is_false(ok)
      assert.matches("b%.lua:2: cannot act on a session or response while scripts load", reason)
      assert.equal("b", client:ask "b")
    end)
  end

  for _, call in ipairs { "stream:send 'x'", "stream:close()" } do
    it(call, function()
      local server <close> = tidegate.start { scripts = APP }
      local stream <close> = sse.connect(server, "/sse")
      assert.equal("open", stream:receive().data)
      local ok, reason = server:edit { ["b.lua"] =
        "\nlocal stream = require('tidegate').keep('alive').stream " .. call }
      assert.is_false(ok)
      assert.matches("b%.lua:2: cannot act on a session", reason)
    end)
  end
end)

describe("while scripts load", function()
  it("sessions can be asked, and reached from a timer once the scripts are live", function()
    local server <close> = tidegate.start { scripts = APP }
    local client <close> = ws.connect(server, "/ws")
    assert.equal("a", client:ask "a")
    assert.is_true(server:edit { ["b.lua"] = [[
      local gate = require "tidegate"
      local ws = gate.keep("alive").ws
      local id, topics = ws.id, ws:topics()
      gate.after(0, function() ws:send(gate.json.encode { id = id, topics = #topics }) end, { on = "all" })
    ]] })
    assert.equal(0, json.decode((client:receive())).topics)
  end)

  it("a timer of before is cancelled if the load succeeds, and only then", function()
    local server <close> = tidegate.start { scripts = APP }
    local cancel = "require('tidegate').keep('alive').timer:cancel()"
    local function ticks() return tonumber(http.get(server, "/ticks").body) end
    local function has_stopped()
      local before = ticks()
      http.get(server, "/kept")
      local again = ticks()
      for _ = 1, 100 do
        if again > before then return false end
        require("support.loop").run_for(0.002)
        again = ticks()
      end
      return true
    end
    http.get(server, "/tick")
    assert.is_false(server:edit { ["b.lua"] = cancel .. FAILS })
    assert.is_false(has_stopped())
    assert.is_true(server:edit { ["b.lua"] = cancel })
    assert.is_true(has_stopped())
  end)
end)
