-- Coming back: what a client must know to go on where it was, on streams and on
-- WebSockets with envelopes.
local cjson = require "cjson"
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("kept/*", { history = 50 })
gate.ws("/ws/{a}/{b}", {
  envelope = true,
  open = function(ws)
    local first = ws:join("kept/" .. ws.params.a, { since = ws.query.since })
    ws:join("kept/" .. ws.params.b, { since = ws.query.since })
    ws:send(first)
  end,
  message = function(ws) ws:send { ok = true } end,
})
gate.sse("/live/{a}/{b}", { open = function(stream)
  stream:join("kept/" .. stream.params.a)
  stream:join("kept/" .. stream.params.b)
  stream:send { event = "joined", data = stream.last_event_id or "none" }
end })
gate.sse("/first/{a}", { open = function(stream)
  stream:join("kept/" .. stream.params.a, { since = "first" })
  stream:send { event = "joined", data = stream.last_event_id or "none" }
end })
gate.sse("/twice/{a}", { open = function(stream)
  local topic = "kept/" .. stream.params.a
  stream:join(topic)
  gate.sleep(0)
  stream:leave(topic)
  stream:join(topic)
  stream:send { event = "joined", data = "again" }
end })
gate.post("/publish/{name}", function(req)
  local body = req:body()
  return gate.publish("kept/" .. req.params.name, req.query.json and { text = body } or body,
    { key = req.query.key, event = req.query.event, kind = req.query.kind })
end)
]]

-- The next message, decoded.
local function decode(client) return cjson.decode((client:receive())) end

describe("coming back", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT, workers = 2 } end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  local function publish(name, text)
    return http.request(server, "POST", "/publish/" .. name, { body = text }).body
  end

  local function receive_until(stream, last)
    local seen = {}
    repeat
      local event = stream:receive()
      if event.event == "message" then seen[#seen + 1] = event.data end
    until event.data == last
    return table.concat(seen, " ")
  end

  describe("on an envelope route", function()
    it("every message has its id, its topic and what it was published with", function()
      local client = ws.connect(server, "/ws/env/other")
      client:receive()
      local id = publish("env?key=k&event=named", 'say "hi"\n')
      assert.same({ id = id, topic = "kept/env", key = "k", event = "named", data = 'say "hi"\n' },
        decode(client))
      id = publish("env?json=1", "ö")
      assert.same({ id = id, topic = "kept/env", data = { text = "ö" } }, decode(client))
      client:close()
    end)

    it("binary messages are left out", function()
      local client = ws.connect(server, "/ws/bin/other")
      client:receive()
      publish("bin?kind=binary", "\0\1")
      publish("bin", "text")
      assert.equal("text", decode(client).data)
      client:close()
    end)

    it("the last id seen resumes all topics, exactly", function()
      local client = ws.connect(server, "/ws/one/two")
      local last = decode(client).id
      local count, next_count = 0, 0
      for round = 1, 10 do
        for _ = 1, 3 do
          count = count + 1
          publish(count % 2 == 0 and "one" or "two", tostring(count))
        end
        -- Reads some of them, is cut off, and comes back.
        for _ = 1, round % 4 do
          if next_count < count then
            local message = decode(client)
            next_count = next_count + 1
            assert.equal(tostring(next_count), message.data)
            last = message.id
          end
        end
        client:drop()
        client = ws.connect(server, "/ws/one/two?since=" .. last)
        -- Topic messages may come before the reply to the join or after it.
        local joined
        local early = {}
        repeat
          local message = decode(client)
          if message.recovered ~= nil then joined = message else early[#early + 1] = message end
        until joined
        assert.is_true(joined.recovered)
        assert.equal(last, joined.id)
        for _, message in ipairs(early) do
          next_count = next_count + 1
          assert.equal(tostring(next_count), message.data)
          last = message.id
        end
      end
      while next_count < count do
        next_count = next_count + 1
        assert.equal(tostring(next_count), decode(client).data)
      end
      client:close()
    end)

    it("the id that join returns loses nothing, whatever has arrived", function()
      for i = 1, 5 do publish("start", "s" .. i) end
      local client = ws.connect(server, "/ws/start/none?since=first")
      local id = decode(client).id
      client:drop()
      client = ws.connect(server, "/ws/start/none?since=" .. id)
      assert.is_true(decode(client).recovered)
      for i = 1, 5 do assert.equal("s" .. i, decode(client).data) end
      client:close()
    end)
  end)

  describe("on a stream", function()
    it("that was cut before its first message loses nothing", function()
      local stream <close> = sse.connect(server, "/live/cut/more")
      assert.equal("none", stream:receive().data)
      local id = stream.parser.last_id
      assert.matches("^%w+%-%d+$", id)
      stream:close()
      publish("cut", "while away")
      publish("more", "this too")
      local again <close> = sse.connect(server, "/live/cut/more", { last_event_id = id })
      assert.equal("while away this too", receive_until(again, "this too"))
      assert.is_nil(again.gap)
    end)

    it("since = 'first' is for new clients", function()
      local ids = {}
      for i = 1, 4 do ids[i] = publish("both", "b" .. i) end
      local new <close> = sse.connect(server, "/first/both")
      assert.equal("b1 b2 b3 b4", receive_until(new, "b4"))
      local back <close> = sse.connect(server, "/first/both", { last_event_id = ids[3] })
      assert.equal("b4", receive_until(back, "b4"))
    end)

    it("since = 'first' is a place to come back to also where nothing is kept", function()
      local stream <close> = sse.connect(server, "/first/nothing")
      assert.equal("none", stream:receive().data)
      local id = stream.parser.last_id
      stream:close()
      publish("nothing", "while away")
      local again <close> = sse.connect(server, "/first/nothing", { last_event_id = id })
      assert.equal(id, again:receive().data)
      assert.equal("while away", receive_until(again, "while away"))
    end)

    it("the query names the last id for clients that cannot send the header", function()
      local ids = {}
      for i = 1, 4 do ids[i] = publish("query", "q" .. i) end
      for _, name in ipairs { "last_event_id", "lastEventId", "lastEventID", "Last-Event-ID" } do
        local stream <close> = sse.connect(server, "/live/query/none?" .. name .. "=" .. ids[2])
        assert.equal("q3 q4", receive_until(stream, "q4"))
      end
    end)

    it("an empty last id is none", function()
      publish("empty", "old")
      for _, path in ipairs { "/live/empty/none", "/live/empty/none?last_event_id=" } do
        local stream <close> = sse.connect(server, path, { last_event_id = "" })
        assert.same({ "joined", "none" }, { (function(e) return e.event, e.data end)(stream:receive()) })
      end
    end)

    it("a topic is resumed once, not again after leaving it", function()
      local ids = {}
      for i = 1, 3 do ids[i] = publish("twice", "t" .. i) end
      local stream <close> = sse.connect(server, "/twice/twice", { last_event_id = ids[1] })
      -- It may leave before it was given what it missed.
      local seen = {}
      repeat
        local event = stream:receive()
        if event.event == "message" then seen[#seen + 1] = event.data end
      until event.event == "joined"
      local replay = table.concat(seen, " ")
      assert.is_true(replay == "t2 t3" or replay == "", replay)
      publish("twice", "t4")
      assert.equal("t4", stream:receive().data)
    end)
  end)
end)
