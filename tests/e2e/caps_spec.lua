-- Caps of the hub: subscribers of a topic, topics of a connection, subscriptions
-- of a worker, and the memory of all messages together. What is beyond a cap is
-- refused whole, or evicted, and counted.
local cjson = require "cjson"
local http = require "support.http"
local loop = require "support.loop"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("few/*", { limit = 10, presence = { grace = 0 } })
gate.topic("log/*", { history = 1000000, bytes = 1e9 })
gate.topic("log/own", { history = 5 })
local kilobyte = ("x"):rep(1000)

local commands = {
  join = function(conn, c) return conn:join(c.topic, { since = c.since, as = c.as }) end,
  leave = function(conn, c) return conn:leave(c.topic) end,
  topics = function(conn) return conn:topics() end,
}
gate.ws("/ws", {
  message = function(ws, line)
    local c = gate.json.decode(line)
    local ok, message, code = commands[c.what](ws, c)
    ws:send { reply = ok or false, message = message, code = code }
  end,
  gap = function(ws, topic, missed) ws:send { gap = missed } end,
})
-- Joins as many topics as it can; its only event is how many.
gate.sse("/sse/{name}/{count}", { open = function(stream)
  local count = 0
  for i = 1, tonumber(stream.params.count) do
    local joined, _, code = stream:join(stream.params.name .. "/" .. i)
    if joined then count = count + 1 elseif code ~= "limit" then error(code) end
  end
  stream:send { data = count }
end })
-- Publishes kilobytes.
gate.post("/fill/{topic...}", function(req)
  for i = tonumber(req.query.from or 1), tonumber(req.query.to) do
    gate.publish(req.params.topic, ("%d "):format(i) .. kilobyte)
  end
end)
gate.get("/first/{topic...}", function(req)
  local list = gate.history(req.params.topic, { limit = 1 })
  return list[1] and list[1].data:match "^%d+" or "none"
end)
gate.get("/resume/{topic...}", function(req)
  local _, result = gate.history(req.params.topic, { since = req.query.since, limit = 1 })
  return tostring(result.recovered)
end)
gate.post("/id/{topic...}", function(req) return gate.publish(req.params.topic, "id") end)
-- Messages by topic: looking at that is no use of them.
gate.get("/topics", function()
  local found = {}
  for _, t in ipairs(gate.topics "log/*") do found[t.topic] = t.messages end
  return found
end)
gate.get("/stats", function() return gate.stats() end)
gate.get("/count/{topic...}", function(req) return tostring(gate.count(req.params.topic)) end)
gate.get("/members/{topic...}", function(req) return tostring(#gate.presence(req.params.topic)) end)
]]

local server

local function stats() return http.get(server, "/stats"):json() end
local function count(topic) return tonumber(http.get(server, "/count/" .. topic).body) end

local function connect(options)
  local client = { replies = {}, received = {}, missed = 0 }
  options = options or {}
  options.on_message = function(data)
    if not data:find "^{" then return table.insert(client.received, tonumber(data:match "^%d+")) end
    local told = cjson.decode(data)
    if told.gap then client.missed = client.missed + told.gap else table.insert(client.replies, told) end
  end
  client.ws = ws.connect(options.address or server, "/ws", options)
  return client
end

local function ask(client, what, topic, fields)
  fields = fields or {}
  fields.what, fields.topic = what, topic
  client.ws:send(cjson.encode(fields))
  loop.wait(function() return client.replies[1] end, "reply")
  return table.remove(client.replies, 1)
end

local function assert_refused(client, topic, fields)
  local before, topics = stats().joins_refused, ask(client, "topics").reply
  local answer = ask(client, "join", topic, fields)
  assert.same({ false, "limit" }, { answer.reply, answer.code })
  assert.is_string(answer.message)
  assert.equal(before + 1, stats().joins_refused)
  assert.same(topics, ask(client, "topics").reply)
end

local function assert_joined(client, topic, fields)
  local answer = ask(client, "join", topic, fields)
  assert.is_table(answer.reply, answer.message)
end

describe("the limit of a topic", function()
  setup(function() server = tidegate.start { scripts = SCRIPT, workers = 2 } end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  it("holds over all workers, and nobody beyond gets in", function()
    local clients, joined = {}, 0
    for i = 1, 40 do clients[i] = connect() end
    for i, client in ipairs(clients) do
      client.ws:send(cjson.encode { what = "join", topic = "few/race", as = "u" .. i })
    end
    for _, client in ipairs(clients) do
      loop.wait(function() return client.replies[1] end, "reply")
      if client.replies[1].reply then joined = joined + 1 else assert.equal("limit", client.replies[1].code) end
    end
    assert.same({ 10, 10 }, { joined, count "few/race" })
    assert.equal("10", http.get(server, "/members/few/race").body)
  end)

  it("refuses whole, and lets in when somebody leaves", function()
    local clients = {}
    for i = 1, 10 do
      clients[i] = connect()
      assert_joined(clients[i], "few/x")
    end
    local late = connect()
    assert_refused(late, "few/x", { as = "late" })
    assert.equal("0", http.get(server, "/members/few/x").body)
    -- Who is in may join again.
    assert_joined(clients[1], "few/x", { as = "again" })
    assert.equal(10, count "few/x")
    ask(clients[2], "leave", "few/x")
    assert_joined(late, "few/x")
    assert_refused(clients[2], "few/x")
    clients[3].ws.socket:reset()
    loop.poll(function() return count "few/x" == 9 end, "count of 9")
    assert_joined(clients[2], "few/x")
  end)

  it("may be changed by a reload, and ends nobody", function()
    local clients = {}
    for i = 1, 4 do
      clients[i] = connect()
      assert_joined(clients[i], "few/reload")
    end
    assert(server:edit { ["app.lua"] = SCRIPT:gsub("limit = 10", "limit = 3") })
    assert.equal(4, count "few/reload")
    assert_refused(connect(), "few/reload")
    assert(server:edit { ["app.lua"] = SCRIPT })
    assert_joined(connect(), "few/reload")
  end)
end)

describe("the topics of a connection", function()
  after_each(function() require("support.tcp").close_all() end)

  it("are 128 when nothing is said", function()
    server = tidegate.start { scripts = SCRIPT }
    local stream = sse.connect(server, "/sse/default/200")
    assert.equal("128", stream:receive().data)
    assert.equal(72, stats().joins_refused)
    server:stop()
  end)

  it("are as many as the setting says, on each connection", function()
    server = tidegate.start { scripts = SCRIPT, args = { "--max-topics", "3" } }
    local client, other = connect(), connect()
    for i = 1, 3 do assert_joined(client, "t/" .. i) end
    assert_refused(client, "t/4", { as = "ann", since = "first" })
    assert.same({ 0, "0" }, { count "t/4", http.get(server, "/members/t/4").body })
    assert_joined(client, "t/2", { since = "first" })
    ask(client, "leave", "t/1")
    assert_joined(client, "t/4")
    assert_refused(client, "t/1")
    for i = 1, 3 do assert_joined(other, "t/" .. i) end
    server:stop()
  end)
end)

describe("the subscriptions of a worker", function()
  it("are as many as the setting says", function()
    server = tidegate.start { scripts = SCRIPT, args = { "--max-subscriptions", "5" } }
    local one, other = connect(), connect()
    for i = 1, 3 do assert_joined(one, "t/" .. i) end
    for i = 1, 2 do assert_joined(other, "t/" .. i) end
    assert_refused(other, "t/3")
    assert_joined(one, "t/1")
    one.ws.socket:reset()
    loop.poll(function() return count "t/3" == 0 end, "end of the first")
    for i = 3, 5 do assert_joined(other, "t/" .. i) end
    assert_refused(other, "t/6")
    server:stop()
  end)
end)

describe("the memory of all messages", function()
  -- A megabyte: about 900 of the kilobytes that the script publishes.
  local function start(config)
    server = tidegate.start {
      scripts = { ["app.lua"] = SCRIPT, ["config.lua"] = config or "return { hub = { max_bytes = 1048576 } }" },
      workers = 2, listen = { "127.0.0.1:0", "unix:./socket" },
    }
  end
  after_each(function()
    require("support.tcp").close_all()
    server:stop()
  end)

  local function fill(topic, to, from)
    for at = from or 1, to, 200 do
      local path = ("/fill/%s?from=%d&to=%d"):format(topic, at, math.min(to, at + 199))
      assert.equal(204, http.post(server, path).status)
    end
  end

  local function topics() return http.get(server, "/topics"):json() end

  local uses = {
    published = function() http.post(server, "/fill/log/a?from=251&to=251") end,
    joined = function() assert_joined(connect(), "log/a") end,
    read = function() http.get(server, "/first/log/a") end,
  }
  for how, use in pairs(uses) do
    it("goes from the topic that was used least recently, its oldest messages first: " .. how, function()
      start()
      fill("log/a", 250)
      fill("log/b", 250)
      fill("log/c", 250)
      use()
      local in_a = topics()["log/a"]
      assert.equal(0, stats().evicted_memory)
      fill("log/d", 250)
      local now, evicted = topics(), stats().evicted_memory
      assert.is_true(evicted > 0, "something had to go")
      assert.same({ in_a, 250, 250 }, { now["log/a"], now["log/c"], now["log/d"] })
      assert.equal(250 - evicted, now["log/b"] or 0)
      assert.equal(evicted + 1, tonumber(http.get(server, "/first/log/b").body))
      -- When there is nothing left of one, the next one's turn comes: c, for b has just been read.
      fill("log/d", 450, 251)
      now = topics()
      assert.equal(in_a, now["log/a"])
      assert.is_true((now["log/c"] or 0) < 250, "the next one")
      assert.equal(450, now["log/d"])
    end)
  end

  it("goes from the only topic there is", function()
    start()
    fill("log/a", 3000)
    local kept, now = topics()["log/a"], stats()
    assert.is_true(kept > 500 and kept < 1048, kept .. " kilobytes are kept")
    assert.same({ 3000 - kept, 3000 - kept }, { now.evicted_memory, now.evicted })
    assert.equal(3000 - kept + 1, tonumber(http.get(server, "/first/log/a").body))
  end)

  it("is not counted where a topic's own rule evicts", function()
    start()
    fill("log/own", 300)
    local now = stats()
    assert.same({ 0, 295, 5 }, { now.evicted_memory, now.evicted, topics()["log/own"] })
  end)

  it("may be said by a flag", function()
    server = tidegate.start { scripts = SCRIPT, args = { "--hub-max-bytes", "65536" } }
    fill("log/a", 300)
    assert.is_true(topics()["log/a"] < 65)
  end)

  it("spoils what was to be resumed, and says so", function()
    start()
    local id = http.post(server, "/id/log/a").body
    fill("log/a", 10)
    assert.equal("true", http.get(server, "/resume/log/a?since=" .. id).body)
    fill("log/b", 1500)
    assert.is_nil(topics()["log/a"])
    assert.equal("false", http.get(server, "/resume/log/a?since=" .. id).body)
  end)

  it("lost by a slow reader is told exactly", function()
    start()
    local total, slow, fast = 4000, connect { address = server.addresses[2] }, connect()
    for _, client in ipairs { slow, fast } do assert_joined(client, "log/slow") end
    slow.ws.socket:pause()
    for from = 1, total, 50 do
      fill("log/slow", from + 49, from)
      loop.wait(function() return #fast.received == from + 49 end, "messages at who reads")
    end
    slow.ws.socket:resume()
    loop.wait(function() return slow.received[#slow.received] == total and #slow.received + slow.missed >= total end,
      function() return ("sum of %d: %d received, %d missed"):format(total, #slow.received, slow.missed) end)
    assert.same({ total, total, 0 }, { #slow.received + slow.missed, #fast.received, fast.missed })
    assert.is_true(slow.missed > 0, "it was slow enough")
    assert.is_true(stats().evicted_memory > 0)
  end)

  it("bounds what the server holds, with many topics too", function()
    start "return { hub = { max_bytes = 8 * 1024 * 1024 } }"
    fill("log/warm", 12000)
    local before = server:memory()
    for i = 1, 60 do fill("log/many" .. i, 1000) end
    local growth = server:memory() - before
    local slack = 4 * 1024 * 1024
    io.stderr:write(("\n60 MiB through a hub of 8: memory grew by %.1f MiB\n"):format(growth / 2 ^ 20))
    if not loop.is_sanitized then assert.is_true(growth < slack, growth .. " bytes") end
    assert.is_true(stats().evicted_memory > 50000)
  end)
end)
