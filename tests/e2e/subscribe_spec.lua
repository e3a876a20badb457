-- Subscribers in the server: each message once, on one worker, one at a time and
-- in order, whatever the handler does and however often scripts are reloaded.
local cjson = require "cjson"
local http = require "support.http"
local loop = require "support.loop"
local spread = require "support.spread"
local tidegate = require "support.server"
local ws = require "support.ws"

-- What a handler does, it tells on the topic "told/NAME": clients see that in order.
local SCRIPT = [[
local gate = require "tidegate"
local vm = gate.keep("vm", { id = gate.id() })
local function tell(name, value) assert(gate.publish("told/" .. name, value)) end

gate.subscribe("plain/*", function(topic, data, info)
  tell("plain", { topic = topic, data = info.kind == "text" and data or #data, info = info, vm = vm.id })
end)
gate.subscribe("deep/**", function(topic) tell("deep", { topic = topic }) end)
gate.subscribe("waits", function(_, data)
  tell("waits", { step = "begin", data = data, version = VERSION })
  gate.sleep(0.002)
  tell("waits", { step = "end", data = data, version = VERSION })
end)
gate.subscribe("raises", function(_, data)
  if data == "bad" then error("cannot handle bad") end
  if data == "worse" then gate.sleep(0.001) error({}) end
  tell("raises", { data = data })
end)
gate.subscribe("counted", function(_, data, info)
  tell("counted", { n = tonumber(data), id = info.id, vm = vm.id, version = VERSION, missed = info.missed })
end)
gate.subscribe("loop", function(_, data)
  local n = tonumber(data)
  if n > 0 then gate.publish("loop", tostring(n - 1)) end
  tell("loop", { n = n })
end)

-- Holds on to its first message until told to go on.
local held = gate.keep("held")
gate.subscribe("held", function(_, data, info)
  if data == "hold" then
    held.is_free, held.count, held.missed = false, 0, 0
    tell("held", { holds = true })
    while not held.is_free do gate.sleep(0.005) end
  end
  held.count, held.missed = held.count + 1, held.missed + (info.missed or 0)
  if data == "end" then tell("held", { count = held.count, missed = held.missed }) end
end)
gate.subscribe("free", function() held.is_free = true end)

gate.ws("/told/{name}", { open = function(ws)
  ws:join("told/" .. ws.params.name)
  ws:send { open = true }
end })
gate.post("/publish/{topic...}", function(req)
  local q = req.query
  return assert(gate.publish(req.params.topic, req:body(), { kind = q.kind, key = q.key, event = q.event }))
end)
gate.post("/burst/{topic...}", function(req)
  for i = tonumber(req.query.from), tonumber(req.query.to) do gate.publish(req.params.topic, tostring(i)) end
end)
gate.get("/vm", function() return vm.id end)
gate.get("/count/{topic...}", function(req) return tostring(gate.count(req.params.topic)) end)
gate.get("/late", function() gate.subscribe("x", function() end) end)
]]

local function script(version, extra)
  return SCRIPT:gsub("VERSION", version) .. (extra or "")
end

describe("a subscriber in the server", function()
  local server
  setup(function() server = tidegate.start { scripts = script(1), workers = 2 } end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  local function publish(topic, text, query)
    local response = http.post(server, ("/publish/%s%s"):format(topic, query or ""), text)
    assert.equal(200, response.status)
    return response.body
  end

  -- Follows what a handler tells; next() is the next of it.
  local function follow(name)
    local client = ws.connect(server, "/told/" .. name)
    client:receive()
    return { client = client, next = function() return cjson.decode((client:receive(loop.deadline * 2))) end }
  end

  local function burst(connection, topic, from, to)
    connection:send(http.format_request("POST", ("/burst/%s?from=%d&to=%d"):format(topic, from, to), { body = "" }))
  end

  local function connect_both()
    return spread.connect(2, function()
      local connection = http.connect(server)
      return connection, connection:get("/vm").body
    end)
  end

  it("gets what was published, and how", function()
    local told = follow "plain"
    local id = publish("plain/x", "hello", "?event=greeting&key=k")
    local seen = told.next()
    assert.same({ "plain/x", "hello" }, { seen.topic, seen.data })
    assert.same({ id = id, kind = "text", event = "greeting", key = "k" }, seen.info)
    id = publish("plain/y", "\0\255", "?kind=binary")
    seen = told.next()
    assert.same({ "plain/y", 2 }, { seen.topic, seen.data })
    assert.same({ id = id, kind = "binary" }, seen.info)
    publish("plain/z", "")
    assert.equal("", told.next().data)
  end)

  it("gets the topics that match, and no others", function()
    local plain, deep = follow "plain", follow "deep"
    for _, topic in ipairs { "plain/a/b", "plainx", "deep", "deep/a", "deep/a/b", "plain/last" } do
      publish(topic, "x")
    end
    assert.equal("plain/last", plain.next().topic)
    assert.equal("deep/a", deep.next().topic)
    assert.equal("deep/a/b", deep.next().topic)
  end)

  it("is none of the topic's subscribers, and keeps no message for others", function()
    local told = follow "counted"
    publish("counted", "0")
    assert.equal(0, told.next().n)  -- not left for the next test
    assert.equal("0", http.get(server, "/count/counted").body)
  end)

  it("gets each message once and in order on one worker, whichever publishes", function()
    local told, both, each = follow "counted", connect_both(), 1500
    for from = 1, each, 100 do
      burst(both[1], "counted", from, from + 99)
      burst(both[2], "counted", 1000000 + from, 1000000 + from + 99)
    end
    local last, last_seq, worker = { [0] = 0, [1] = 1000000 }, 0, nil
    for _ = 1, 2 * each do
      local seen = told.next()
      local from, seq = seen.n // 1000000, tonumber(seen.id:match "%d+$")
      assert.equal(last[from] + 1, seen.n)
      assert.is_true(seq > last_seq)
      last[from], last_seq, worker = seen.n, seq, worker or seen.vm
      assert.equal(worker, seen.vm)
      assert.is_nil(seen.missed)
    end
    publish("counted", "-1")
    assert.equal(-1, told.next().n)
  end)

  it("gets the next message when it is done with one", function()
    local told, both = follow "waits", connect_both()
    for _, connection in ipairs(both) do burst(connection, "waits", 1, 25) end
    for _ = 1, 50 do
      local first, second = told.next(), told.next()
      assert.same({ "begin", "end", first.data }, { first.step, second.step, second.data })
    end
  end)

  it("that waits does not hold up another", function()
    local held, told = follow "held", follow "raises"
    publish("held", "hold")
    assert.is_true(held.next().holds)
    publish("raises", "fine")
    assert.equal("fine", told.next().data)
    publish("free", "")
    publish("held", "end")
    assert.is_number(held.next().count)
  end)

  it("that raises is logged, and gets the next message", function()
    local told, mark = follow "raises", server:mark()
    for _, text in ipairs { "bad", "worse", "good" } do publish("raises", text) end
    assert.equal("good", told.next().data)
    server:wait_for_log("app.lua:%d+: cannot handle bad", mark)
    server:wait_for_log("subscribe=raises", mark)
  end)

  it("may publish what it gets itself", function()
    local told = follow "loop"
    publish("loop", "100")
    for n = 100, 0, -1 do assert.equal(n, told.next().n) end
  end)

  it("that is too slow is told exactly how much it missed", function()
    local told, total, mark = follow "held", 70000, server:mark()
    publish("held", "hold")
    assert.is_true(told.next().holds)
    local connection <close> = http.connect(server)
    for from = 1, total, 5000 do
      local target = ("/burst/held?from=%d&to=%d"):format(from, from + 4999)
      assert.equal(204, connection:request("POST", target, { body = "" }).status)
    end
    publish("free", "")
    server:wait_for_log("subscribe=held is too slow", mark)
    publish("held", "end")
    local seen = told.next()
    assert.is_true(seen.missed > 0)
    assert.equal(total + 2, seen.count + seen.missed)
  end)

  it("is registered only while scripts load", function()
    local mark = server:mark()
    assert.equal(500, http.get(server, "/late").status)
    server:wait_for_log("gate.subscribe can only be called while scripts load", mark)
  end)

  for what, row in pairs {
    ["a pattern that is none"] = { "gate.subscribe({}, print)", "string" },
    ["an empty pattern"] = { "gate.subscribe('', print)", "1 to 255 bytes" },
    ["a handler that is none"] = { "gate.subscribe('x', {})", "function" },
    ["too many"] = { "for i = 1, 65 do gate.subscribe('n' .. i, print) end", "64 subscriptions" },
  } do
    it("is refused with " .. what, function()
      local ok, reason = server:edit { ["app.lua"] = script(1, row[1]) }
      assert.is_false(ok)
      assert.matches("app.lua:%d+: .*" .. row[2], reason)
      -- For the next test, and to show that the old scripts are still there.
      assert.is_true((server:edit { ["app.lua"] = script(1) }))
    end)
  end

  describe("over reloads", function()
    it("loses and doubles nothing", function()
      local told, both, each = follow "counted", connect_both(), loop.is_sanitized and 1000 or 3000
      local reloads = 20
      local step = each // reloads
      local versions, last = {}, { [0] = 0, [1] = 1000000 }
      for i = 1, reloads do
        burst(both[1], "counted", (i - 1) * step + 1, i * step)
        burst(both[2], "counted", 1000000 + (i - 1) * step + 1, 1000000 + i * step)
        local is_broken = i % 5 == 0
        local ok = server:edit { ["app.lua"] = is_broken and "this is not Lua" or script(100 + i) }
        assert.equal(not is_broken, ok)
      end
      for _ = 1, 2 * each do
        local seen = told.next()
        local from = seen.n // 1000000
        assert.equal(last[from] + 1, seen.n)
        last[from], versions[seen.version] = seen.n, true
        assert.is_nil(seen.missed)
      end
      publish("counted", "-1")
      local seen = told.next()
      assert.same({ -1, 100 + reloads - 1 }, { seen.n, seen.version })
      versions[seen.version] = nil
      assert.is_truthy(next(versions), "more than one version had messages")
    end)

    it("ends a message on the code that began, and gives the next to the new code", function()
      assert(server:edit { ["app.lua"] = script(1) })
      local told = follow "waits"
      local versions = {}
      for i = 2, 9 do
        for _ = 1, 10 do publish("waits", "m") end
        assert(server:edit { ["app.lua"] = script(i) })
      end
      for _ = 1, 80 do
        local first, second = told.next(), told.next()
        assert.same({ "begin", "end" }, { first.step, second.step })
        assert.equal(first.version, second.version)
        versions[first.version] = true
      end
      assert.is_true(versions[1])
    end)

    it("keeps what waits for a handler that holds", function()
      local told = follow "held"
      publish("held", "hold")
      assert.is_true(told.next().holds)
      for _ = 1, 5 do publish("held", "x") end
      assert(server:edit { ["app.lua"] = script(50) })
      publish("held", "x")
      publish("free", "")
      publish("held", "end")
      assert.is_number(told.next().count)
    end)

    it("ends with its declaration, and starts anew with a later one", function()
      local told, other = follow "deep", follow "plain"
      local without = script(1):gsub('gate.subscribe%("deep[^\n]+\n', "")
      publish("deep/before", "x")
      assert.equal("deep/before", told.next().topic)
      assert(server:edit { ["app.lua"] = without })
      publish("deep/while-away", "x")
      publish("plain/fence", "x")
      assert.equal("plain/fence", other.next().topic)
      assert(server:edit { ["app.lua"] = script(1) })
      publish("deep/after", "x")
      assert.equal("deep/after", told.next().topic)
    end)

    it("is one of two where the pattern stands twice", function()
      local TWIN = 'gate.subscribe("deep/**", function() tell("deep", { topic = "twin" }) end)\n'
      assert(server:edit { ["app.lua"] = script(1, TWIN) })
      local told = follow "deep"
      for _ = 1, 3 do
        publish("deep/x", "x")
        local seen = { told.next().topic, told.next().topic }
        table.sort(seen)
        assert.same({ "deep/x", "twin" }, seen)
        assert(server:edit { ["app.lua"] = script(1, TWIN .. "-- again\n") })
      end
      assert(server:edit { ["app.lua"] = script(1) })
      publish("deep/last", "x")
      publish("deep/fence", "x")
      local seen = { told.next().topic, told.next().topic }
      assert.same({ "deep/last", "deep/fence" }, seen)
    end)
  end)

  it("that waits does not keep the server from stopping", function()
    local other <close> = tidegate.start { scripts = [[
      local gate = require "tidegate"
      gate.subscribe("x", function() gate.log.info "it waits" gate.sleep(1000) end)
      gate.post("/", function() gate.publish("x", "1") gate.publish("x", "2") end)
    ]] }
    http.post(other, "/")
    other:wait_for_log "it waits"
  end)
end)
