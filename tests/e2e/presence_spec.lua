-- Presence: who is in a topic, over workers, reconnects and reloads, and the
-- diffs that tell of it.
local cjson = require "cjson"
local http = require "support.http"
local loop = require "support.loop"
local spread = require "support.spread"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

-- The grace period is none at all or longer than any test, except where its end is the matter.
local SCRIPT = [[
local gate = require "tidegate"
local vm = gate.keep("vm", { id = gate.id() })
gate.topic("now/*", { presence = { grace = 0 } })
gate.topic("soon/*", { presence = { grace = 0.05 } })
gate.topic("long/*", { presence = { grace = 10000 } })
gate.topic("off/*", { presence = false })
gate.topic("seen", { history = 1000 })

local commands = {
  join = function(ws, c) return ws:join(c.topic, { as = c.as, info = c.info, since = c.since }) end,
  leave = function(ws, c) return ws:leave(c.topic) end,
  close = function(ws) return ws:close(1000, "asked") end,
  vm = function() return vm.id end,
  -- As one after the other, in one turn.
  many = function(ws, c)
    for i = 1, c.count do assert(ws:join(c.topic, { as = "m" .. i })) end
    return true
  end,
}
gate.ws("/ws", { message = function(ws, line)
  local c = gate.json.decode(line)
  local ok, message, code = commands[c.what](ws, c)
  ws:send { reply = ok or false, message = message, code = code }
end })
gate.sse("/sse/{topic...}", { open = function(stream)
  stream:join(stream.params.topic, { as = stream.query.as })
  stream:send { event = "open", data = "" }
end })
gate.get("/members/{topic...}", function(req)
  return 200, gate.json.encode { list = gate.presence(req.params.topic) }
end)
gate.get("/count/{topic...}", function(req) return tostring(gate.count(req.params.topic)) end)
gate.on_presence("**", function(topic, diff)
  if topic:find "waits$" then gate.sleep(0.001) end
  if topic:find "raises$" then
    gate.publish("seen", { topic = topic, vm = vm.id, diff = diff })
    error "raised by the handler"
  end
  gate.publish("seen", { topic = topic, vm = vm.id, diff = diff })
end)
gate.get("/now", function() return tostring(gate.now()) end)
gate.get("/late", function() gate.on_presence("x", function() end) end)
]]

describe("presence", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT, workers = 2 } end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  -- ---- clients -------------------------------------------------------------------

  local function connect()
    local client = { diffs = {}, replies = {} }
    client.ws = ws.connect(server, "/ws", { on_message = function(data)
      local told = cjson.decode(data)
      table.insert(told.reply ~= nil and client.replies or client.diffs, told)
    end })
    function client.close() client.ws.socket:close() end
    return client
  end

  local function ask(client, fields)
    client.ws:send(cjson.encode(fields))
    loop.wait(function() return client.replies[1] or client.ws.socket.is_ended end, "reply")
    return table.remove(client.replies, 1)
  end

  local function join(topic, as, info, client)
    client = client or connect()
    local answer = ask(client, { what = "join", topic = topic, as = as, info = info })
    assert.is_table(answer.reply, answer.message)
    return client
  end

  local function join_on_both(topic, as)
    local both = spread.connect(2, function()
      local client = connect()
      return client, ask(client, { what = "vm" }).reply
    end)
    for _, client in ipairs(both) do join(topic, as, nil, client) end
    return both[1], both[2]
  end

  local function members(topic)
    return http.get(server, "/members/" .. topic):json().list
  end

  local function ids(topic)
    local list = {}
    for i, member in ipairs(members(topic)) do list[i] = member.id end
    return table.concat(list, " ")
  end

  local function wait_for_ids(topic, expected)
    loop.poll(function() return ids(topic) == expected end, "members " .. expected)
  end

  -- ---- followers of diffs -----------------------------------------------------------

  -- Takes a diff into follower.now, an array of members in order of joining. Who leaves
  -- may be unknown: somebody else has seen it in the list. Who joins is new or has new info.
  local function apply(follower, diff)
    assert(diff.topic == follower.topic, "a diff of another topic")
    assert(#diff.joins + #diff.leaves > 0, "an empty diff")
    local function find(id)
      for at, member in ipairs(follower.now) do
        if member.id == id then return at end
      end
    end
    for _, member in ipairs(diff.leaves) do
      local at = find(member.id)
      if at then table.remove(follower.now, at) end
    end
    for _, member in ipairs(diff.joins) do
      local at = find(member.id)
      if at then
        assert(member.since == follower.now[at].since, "it was there already, with another time")
        follower.now[at] = member
      else
        table.insert(follower.now, member)
      end
    end
    follower.count = follower.count + 1
    follower.told = follower.told or {}
    for _, member in ipairs(diff.joins) do table.insert(follower.told, "+" .. member.id) end
    for _, member in ipairs(diff.leaves) do table.insert(follower.told, "-" .. member.id) end
  end

  local function follow_ws(topic)
    local follower, client = { topic = topic, now = {}, count = 0 }, connect()
    ask(client, { what = "join", topic = "presence:" .. topic })
    client.diffs = setmetatable({}, { __newindex = function(_, _, diff) apply(follower, diff) end })
    return follower
  end

  local function follow_sse(topic)
    local follower = { topic = topic, now = {}, count = 0 }
    local is_open
    sse.connect(server, "/sse/presence:" .. topic, { on_event = function(event)
      if event.event == "open" then is_open = true return end
      assert(event.event == "presence", "an event of another name")
      apply(follower, cjson.decode(event.data))
    end })
    loop.wait(function() return is_open end, "join")
    return follower
  end

  -- What gate.on_presence is told: published again by its handler, with its worker.
  local function follow_handler(topic)
    local follower, client = { topic = topic, now = {}, count = 0, workers = {} }, connect()
    ask(client, { what = "join", topic = "seen" })
    client.diffs = setmetatable({}, { __newindex = function(_, _, seen)
      if seen.topic ~= topic then return end
      seen.diff.topic = seen.topic
      follower.workers[seen.vm] = true
      apply(follower, seen.diff)
    end })
    return follower
  end

  local function names(follower)
    local list = {}
    for i, member in ipairs(follower.now) do list[i] = member.id end
    return table.concat(list, " ")
  end

  local function wait_for_names(follower, expected)
    loop.wait(function() return names(follower) == expected end, function()
      return ("members %q, but %q after %s"):format(expected, names(follower), table.concat(follower.told or {}, " "))
    end)
  end

  -- ---- who is in -------------------------------------------------------------------

  -- Of the server's clock: os.time is some milliseconds behind it at times.
  local function server_time() return tonumber(http.get(server, "/now").body) end

  it("lists members in order of joining, with what they said and since when", function()
    local topic, before = "now/list", server_time()
    join(topic, "zoe", { name = "Zoë", tags = { 1, "x" } })
    join(topic, "ann")
    join(topic, 42, "text")
    join(topic)  -- nobody
    local list = members(topic)
    assert.equal("zoe ann 42", ids(topic))
    assert.same({ name = "Zoë", tags = { 1, "x" } }, list[1].info)
    assert.is_true(list[2].info == nil or list[2].info == cjson.null)
    assert.equal("text", list[3].info)
    for _, member in ipairs(list) do
      assert.is_true(member.since >= before - 0.001 and member.since <= server_time() + 0.001)
    end
    assert.is_true(list[1].since <= list[2].since and list[2].since <= list[3].since)
    assert.equal(4, tonumber(http.get(server, "/count/" .. topic).body))
  end)

  it("knows nobody in a topic that does not exist", function()
    assert.equal("", ids "now/never")
  end)

  it("takes several connections of a user for one, over workers and kinds", function()
    local topic = "now/one"
    local one, other = join_on_both(topic, "ann")
    local stream = sse.connect(server, "/sse/" .. topic .. "?as=ann")
    stream:receive()
    join(topic, "bob")
    assert.equal("ann bob", ids(topic))
    one.close()
    ask(other, { what = "leave", topic = topic })
    loop.poll(function() return http.get(server, "/count/" .. topic).body == "2" end, "count of 2")
    assert.equal("ann bob", ids(topic))
    stream:close()
    wait_for_ids(topic, "bob")
  end)

  for how, leave in pairs {
    ["leave"] = function(client, topic) ask(client, { what = "leave", topic = topic }) end,
    ["close in order"] = function(client) client.ws:close() end,
    ["break off"] = function(client) client.ws.socket:reset() end,
    ["are closed"] = function(client) ask(client, { what = "close" }) end,
  } do
    it("loses those who " .. how, function()
      local topic = "now/gone-" .. how:gsub(" ", "-")
      local client = join(topic, "ann")
      join(topic, "bob")
      leave(client, topic)
      wait_for_ids(topic, "bob")
    end)
  end

  it("makes a connection that joins as somebody else only that", function()
    local topic = "now/else"
    local client = join(topic, "ann", { n = 1 })
    join(topic, "bob", nil, client)
    wait_for_ids(topic, "bob")
    -- Without `as` nothing changes.
    join(topic, nil, nil, client)
    assert.equal("bob", ids(topic))
  end)

  it("refuses members where the rule turns it off", function()
    local client = connect()
    local answer = ask(client, { what = "join", topic = "off/x", as = "ann" })
    assert.same({ false, "presence" }, { answer.reply, answer.code })
    assert.equal("0", http.get(server, "/count/off/x").body)
    join("off/x", nil, nil, client)
    assert.equal("", ids "off/x")
  end)

  for what, row in pairs {
    ["an empty id"] = { as = "", code = "as" },
    ["an id that is too long"] = { as = ("x"):rep(256), code = "as" },
    ["an id with a control character"] = { as = "a\1b", code = "as" },
    ["info that is too large"] = { as = "ann", info = ("x"):rep(16 * 1024 - 1), code = "too_large" },
  } do
    it("refuses " .. what .. " and changes nothing", function()
      local topic, client = "now/refused", connect()
      local answer = ask(client, { what = "join", topic = topic, as = row.as, info = row.info })
      assert.same({ false, row.code }, { answer.reply, answer.code })
      assert.is_string(answer.message)
      assert.equal("0", http.get(server, "/count/" .. topic).body)
      -- Nor of one who is in already.
      join(topic, "bob", "before", client)
      ask(client, { what = "join", topic = topic, as = row.as, info = row.info })
      assert.equal("bob", ids(topic))
      assert.equal("before", members(topic)[1].info)
      client.close()
      wait_for_ids(topic, "")
    end)
  end

  it("takes ids and info up to the bounds", function()
    local id = ("ö"):rep(127) .. "x"
    join("now/bounds", id, ("x"):rep(16 * 1024 - 2))
    local member = members("now/bounds")[1]
    assert.equal(id, member.id)
    assert.equal(16 * 1024 - 2, #member.info)
  end)

  -- ---- grace -----------------------------------------------------------------------

  it("hides a reconnect within the grace period", function()
    local topic = "long/reconnect"
    local follower = follow_ws(topic)
    local client = join(topic, "ann", "first")
    join(topic, "bob")
    wait_for_names(follower, "ann bob")
    local since = members(topic)[1].since
    client.ws.socket:reset()
    loop.poll(function() return http.get(server, "/count/" .. topic).body == "1" end, "count of 1")
    assert.equal("ann bob", ids(topic), "it stays while it is away")
    join(topic, "ann")
    join(topic, "end")
    wait_for_names(follower, "ann bob end")
    assert.equal(since, members(topic)[1].since)
    assert.equal("+ann +bob +end", table.concat(follower.told, " "))
  end)

  it("ends a member when the grace period is over", function()
    local topic = "soon/over"
    local follower = follow_ws(topic)
    local client = join(topic, "ann")
    join(topic, "bob")
    wait_for_names(follower, "ann bob")
    client.close()
    wait_for_names(follower, "bob")
    assert.equal("bob", ids(topic))
  end)

  it("has a default grace period", function()
    local topic = "default"
    local client = join(topic, "ann")
    client.close()
    loop.poll(function() return http.get(server, "/count/" .. topic).body == "0" end, "count of 0")
    assert.equal("ann", ids(topic))
    wait_for_ids(topic, "")
  end)

  -- ---- diffs -----------------------------------------------------------------------

  it("tells the same to WebSockets, streams and the handler, which runs on one worker", function()
    local topic = "now/diffs"
    local followers = { follow_ws(topic), follow_sse(topic), follow_handler(topic) }
    local clients = {}
    for i = 1, 8 do clients[i] = join(topic, "user" .. i, { n = i }) end
    for i = 1, 8, 2 do clients[i].ws.socket:reset() end
    join(topic, "last")
    wait_for_ids(topic, "user2 user4 user6 user8 last")
    for _, follower in ipairs(followers) do
      wait_for_names(follower, "user2 user4 user6 user8 last")
      assert.same(members(topic), follower.now)
    end
    local count = 0
    for _ in pairs(followers[3].workers) do count = count + 1 end
    assert.equal(1, count)
    assert.equal(followers[1].count, followers[3].count)
  end)

  it("tells of new info, and keeps the time and the place", function()
    local topic = "now/info"
    local follower = follow_ws(topic)
    local client = join(topic, "ann", { state = "here" })
    join(topic, "bob")
    wait_for_names(follower, "ann bob")
    local since = members(topic)[1].since
    join(topic, "ann", { state = "busy" }, client)
    loop.wait(function() return follower.now[1].info.state == "busy" end, "new info")
    assert.same({ id = "ann", since = since, info = { state = "busy" } }, members(topic)[1])
    -- Another connection without info leaves it alone.
    join(topic, "ann")
    assert.equal("busy", members(topic)[1].info.state)
  end)

  it("tells many changes in few diffs", function()
    local topic = "long/many"
    local follower = follow_ws(topic)
    local client = connect()
    ask(client, { what = "many", topic = topic, count = 2000 })
    loop.wait(function() return #follower.now == 2000 end, function() return "2000 members, only " .. #follower.now end)
    for i, member in ipairs(follower.now) do assert.equal("m" .. i, member.id) end
    assert.is_true(follower.count <= 50, follower.count .. " diffs")
  end)

  it("says nothing of those who come and go at once", function()
    local topic = "now/at-once"
    local follower = follow_ws(topic)
    -- In one turn: each is nobody again when the next one comes.
    ask(connect(), { what = "many", topic = topic, count = 2000 })
    wait_for_names(follower, "m2000")
    assert.is_true(#follower.told < 200, #follower.told .. " were told of")
  end)

  it("goes on when the handler waits or raises", function()
    for _, topic in ipairs { "now/waits", "now/raises" } do
      local mark = server:mark()
      local follower = follow_handler(topic)
      for i = 1, 3 do
        local client = join(topic, "u" .. i)
        wait_for_names(follower, "u" .. i)
        client.close()
        wait_for_names(follower, "")
      end
      if topic == "now/raises" then server:wait_for_log("raised by the handler", mark) end
    end
  end)

  it("can be listened to only while scripts load", function()
    local mark = server:mark()
    assert.equal(500, http.get(server, "/late").status)
    server:wait_for_log("only .*while scripts load", mark)
  end)

  -- ---- reloads and long lives --------------------------------------------------------

  it("stays over a reload, and its diffs are neither lost nor doubled", function()
    local topic = "now/reload"
    local followers = { follow_ws(topic), follow_handler(topic) }
    local expected = {}
    for i = 1, 10 do
      join(topic, "a" .. i)
      expected[i] = "a" .. i
      assert(server:edit { ["app.lua"] = SCRIPT .. "-- " .. i .. "\n" })
    end
    expected = table.concat(expected, " ")
    assert.equal(expected, ids(topic))
    for _, follower in ipairs(followers) do
      wait_for_names(follower, expected)
      assert.equal(10, #follower.told)
    end
  end)

  it("is what the diffs say after any life", function()
    math.randomseed(3)
    local topic = "now/life"
    local followers = { follow_ws(topic), follow_sse(topic), follow_handler(topic) }
    local clients, count = {}, loop.is_sanitized and 150 or 600
    for i = 1, count do
      local at = math.random(10)
      local client = clients[at]
      if not client then
        clients[at] = join(topic, "u" .. math.random(5), { n = i })
      else
        local what = math.random(4)
        if what == 1 then join(topic, "u" .. math.random(5), { n = i }, client)
        elseif what == 2 then ask(client, { what = "leave", topic = topic })
        else client.ws.socket:reset() end
        if what > 1 then clients[at] = nil end
      end
    end
    for _, client in pairs(clients) do client.close() end
    join(topic, "last")
    wait_for_ids(topic, "last")
    for _, follower in ipairs(followers) do wait_for_names(follower, "last") end
  end)
end)
