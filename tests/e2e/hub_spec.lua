-- Topics over real connections: rooms, who gets what, exact counts over two
-- workers, order, and the same message on WebSocket and SSE.
local cjson = require "cjson"
local http = require "support.http"
local loop = require "support.loop"
local spread = require "support.spread"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local vm = gate.keep("vm", { id = gate.id() })
gate.topic("kept/*", { history = 3 })
gate.topic("few/*", { limit = 2 })

-- What a client can do with one topic; replies carry "ok".
local commands = {
  join = function(ws, topic) return ws:join(topic) end,
  first = function(ws, topic) return ws:join(topic, { since = "first" }) end,
  last = function(ws, topic) return ws:join(topic, { since = "last" }) end,
  since = function(ws, topic, id) return ws:join(topic, { since = id }) end,
  leave = function(ws, topic) return ws:leave(topic) end,
  publish = function(ws, topic, text) return gate.publish(topic, text) end,
  others = function(ws, topic, text) return gate.publish(topic, text, { except = ws }) end,
  binary = function(ws, topic, text) return gate.publish(topic, text, { kind = "binary" }) end,
  named = function(ws, topic, text) return gate.publish(topic, text, { event = "named" }) end,
  json = function(ws, topic, text) return gate.publish(topic, { text = text }) end,
  burst = function(ws, topic, count)
    for i = 1, tonumber(count) do gate.publish(topic, vm.id .. " " .. i) end
    return true
  end,
  publish_and_leave = function(ws, topic, text)
    gate.publish(topic, text)
    return ws:leave(topic)
  end,
  publish_and_close = function(ws, topic, text)
    gate.publish(topic, text)
    ws:close()
  end,
  topics = function(ws) return ws:topics() end,
  vm = function() return vm.id end,
}
gate.ws("/hub", {
  message = function(ws, line)
    local command, topic, text = line:match "^(%S+) ?(%S*) ?(.*)$"
    local ok, message, code = commands[command](ws, topic, text)
    ws:send { reply = ok or false, message = message, code = code }
  end,
})
gate.sse("/hub/{topic...}", function(stream)
  stream:join(stream.params.topic)
  stream:send { event = "vm", data = vm.id }
end)
gate.get("/count/{topic...}", function(req) return tostring(gate.count(req.params.topic)) end)
]]

describe("the hub", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT, workers = 2 } end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  -- Sends a command; replies and topic messages are told apart.
  local function ask(client, line)
    client:send(line)
    loop.wait(function() return client.replies[1] or client.socket.is_ended end, "reply to " .. line)
    return table.remove(client.replies, 1)
  end

  local function connect()
    local replies = {}
    local client
    client = ws.connect(server, "/hub", { on_message = function(data, kind)
      local reply = data:find('"reply"', 1, true) and cjson.decode(data)
      if reply then replies[#replies + 1] = reply else table.insert(client.messages, { data, kind }) end
    end })
    client.replies = replies
    return client
  end

  -- Two clients on different workers, both in the topic.
  local function connect_both(topic)
    local both = spread.connect(2, function()
      local client = connect()
      return client, ask(client, "vm").reply
    end)
    for _, client in ipairs(both) do assert.truthy(ask(client, "join " .. topic).reply) end
    return both[1], both[2]
  end

  local function count(topic)
    return tonumber(http.get(server, "/count/" .. topic).body)
  end

  it("carries a message to every subscriber, on every worker, and to nobody else", function()
    local one, other = connect_both "room/a"
    local stranger = connect()
    ask(stranger, "join room/b")
    ask(one, "publish room/a hello")
    ask(one, "publish room/b fence")
    assert.equal("hello", (one:receive()))
    assert.equal("hello", (other:receive()))
    assert.equal("fence", (stranger:receive()))
  end)

  it("leaves out who is excepted, and only for that message", function()
    local one, other = connect_both "room/except"
    ask(one, "others room/except to others")
    ask(one, "publish room/except to all")
    assert.equal("to all", (one:receive()))
    assert.equal("to others", (other:receive()))
    assert.equal("to all", (other:receive()))
  end)

  it("carries nothing more after leave", function()
    local one, other = connect_both "room/leave"
    assert.same({ "room/leave" }, ask(one, "topics").reply)
    assert.is_true(ask(one, "leave room/leave").reply)
    ask(other, "publish room/leave missed")
    ask(one, "join room/leave")
    ask(other, "publish room/leave again")
    assert.equal("again", (one:receive()))
    assert.is_false(ask(one, "leave room/never").reply)
  end)

  it("carries nothing that was published just before leave or close", function()
    local one, other = connect_both "room/parting"
    ask(one, "publish_and_leave room/parting 1")
    ask(one, "join room/parting")
    one:send "publish_and_close room/parting 2"
    assert.equal(1000, (one:wait_close()))
    assert.same({}, one.messages)
    assert.equal("1", (other:receive()))
    assert.equal("2", (other:receive()))
  end)

  it("delivers once, however often a topic is joined", function()
    local one = connect()
    for _ = 1, 3 do ask(one, "join room/twice") end
    assert.equal(1, count "room/twice")
    ask(one, "publish room/twice 1")
    ask(one, "publish room/twice 2")
    assert.equal("1", (one:receive()))
    assert.equal("2", (one:receive()))
  end)

  it("gives ids that grow, and the same to SSE", function()
    local one = connect()
    local stream <close> = sse.connect(server, "/hub/room/ids")
    stream:receive()
    local first, second = ask(one, "publish room/ids 1").reply, ask(one, "publish room/ids 2").reply
    assert.equal(first:match "^(.+)%-", second:match "^(.+)%-")
    assert.is_true(tonumber(first:match "%d+$") < tonumber(second:match "%d+$"))
    assert.equal(first, stream:receive().id)
    assert.equal(second, stream:receive().id)
  end)

  it("gives one message to WebSocket and SSE in their own forms", function()
    local one = connect()
    ask(one, "join room/forms")
    local stream <close> = sse.connect(server, "/hub/room/forms")
    stream:receive()
    ask(one, "json room/forms x\"y")
    assert.same({ text = 'x"y' }, cjson.decode((one:receive())))
    assert.same({ text = 'x"y' }, cjson.decode(stream:receive().data))
    ask(one, "named room/forms n")
    assert.equal("n", (one:receive()))
    assert.same({ "named", "n" }, (function(event) return { event.event, event.data } end)(stream:receive()))
  end)

  it("skips binary messages over SSE and keeps their kind over WebSocket", function()
    local one = connect()
    ask(one, "join room/binary")
    local stream <close> = sse.connect(server, "/hub/room/binary")
    stream:receive()
    ask(one, "binary room/binary bytes")
    ask(one, "publish room/binary text")
    assert.same({ "bytes", "binary" }, { one:receive() })
    assert.same({ "text", "text" }, { one:receive() })
    assert.equal("text", stream:receive().data)
  end)

  it("replays what a topic keeps", function()
    local one = connect()
    for i = 1, 5 do ask(one, "publish kept/x " .. i) end
    assert.is_table(ask(one, "first kept/x").reply)
    for i = 3, 5 do assert.equal(tostring(i), (one:receive())) end
    local other = connect()
    ask(other, "last kept/x")
    assert.equal("5", (other:receive()))
    ask(other, "publish kept/x 6")
    assert.equal("6", (one:receive()))
    assert.equal("6", (other:receive()))
  end)

  it("resumes after an id, and says when it cannot", function()
    local one, ids = connect(), {}
    for i = 1, 5 do ids[i] = ask(one, "publish kept/resume " .. i).reply end
    local result = ask(one, "since kept/resume " .. ids[3]).reply
    assert.same({ true, 0 }, { result.recovered, result.missed })
    assert.equal("4", (one:receive()))
    assert.equal("5", (one:receive()))
    for _, id in ipairs { ids[1], "nonsense" } do
      local other = connect()
      assert.is_false(ask(other, "since kept/resume " .. id).reply.recovered)
      for i = 3, 5 do assert.equal(tostring(i), (other:receive())) end
    end
  end)

  it("counts subscribers exactly over all workers", function()
    local clients, streams = {}, {}
    for i = 1, 20 do
      clients[i] = connect()
      ask(clients[i], "join room/count")
      streams[i] = sse.connect(server, "/hub/room/count")
      streams[i]:receive()
    end
    assert.equal(40, count "room/count")
    for i = 1, 5 do
      ask(clients[i], "leave room/count")
      clients[i + 5]:close()
      clients[i + 10]:drop()
      streams[i]:close()
    end
    loop.poll(function() return count "room/count" == 20 end, "count of 20")
    for i = 1, 20 do
      clients[i]:drop()
      streams[i]:close()
    end
    loop.poll(function() return count "room/count" == 0 end, "count of 0")
  end)

  it("holds a topic's limit", function()
    local a, b, c = connect(), connect(), connect()
    assert.truthy(ask(a, "join few/x").reply)
    assert.truthy(ask(b, "join few/x").reply)
    local refused = ask(c, "join few/x")
    assert.same({ false, "limit" }, { refused.reply, refused.code })
    ask(a, "leave few/x")
    assert.truthy(ask(c, "join few/x").reply)
  end)

  it("refuses names that are none", function()
    local one = connect()
    for _, topic in ipairs { ("x"):rep(256), "a\1b" } do
      local refused = ask(one, "publish " .. topic .. " text")
      assert.is_false(refused.reply)
      assert.is_string(refused.message)
    end
    assert.truthy(ask(one, "publish " .. ("x"):rep(255) .. " text").reply)
  end)

  it("delivers a burst to all, each message once and in order", function()
    local burst = 500
    local publisher = connect()
    local id = ask(publisher, "vm").reply
    local clients, streams = {}, {}
    for i = 1, 10 do
      clients[i] = connect()
      ask(clients[i], "join room/burst")
      streams[i] = sse.connect(server, "/hub/room/burst")
      streams[i]:receive()
    end
    ask(publisher, "burst room/burst " .. burst)
    ask(publisher, "publish room/burst end")
    for i = 1, 10 do
      for n = 1, burst do
        assert.equal(id .. " " .. n, (clients[i]:receive()))
        assert.equal(id .. " " .. n, streams[i]:receive().data)
      end
      assert.equal("end", (clients[i]:receive()))
      assert.equal("end", streams[i]:receive().data)
    end
  end)

  it("shows all subscribers the same order when both workers publish", function()
    local one, other = connect_both "room/order"
    local stream <close> = sse.connect(server, "/hub/room/order")
    stream:receive()
    for _ = 1, 20 do
      one:send "burst room/order 15"
      other:send "burst room/order 15"
    end
    local last = {}
    for _ = 1, 600 do
      local data = one:receive()
      assert.equal(data, (other:receive()))
      assert.equal(data, stream:receive().data)
      local id, n = data:match "^(%S+) (%d+)$"
      assert.equal((last[id] or 0) % 15 + 1, tonumber(n))
      last[id] = tonumber(n)
    end
    -- Nothing is left over.
    ask(one, "publish room/order end")
    assert.equal("end", (one:receive()))
    assert.equal("end", (other:receive()))
    assert.equal("end", stream:receive().data)
  end)
end)
