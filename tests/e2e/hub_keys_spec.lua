-- Conflation by key: who keeps up gets every message, who is behind the newest of
-- each key, and who comes late a snapshot of them, then live.
local cjson = require "cjson"
local http = require "support.http"
local loop = require "support.loop"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("kept/*", { history = 5 })
gate.topic("long/*", { history = 100000, bytes = 1e9 })
gate.topic("three/*", { history = 3 })
gate.topic("ttl/*", { history = 5, ttl = 0.05 })
local fill = (" "):rep(16384)

gate.ws("/ws/{topic...}", {
  open = function(ws)
    local joined = ws:join(ws.params.topic, { since = ws.query.since })
    ws:send { joined = true, recovered = joined.recovered, missed = joined.missed }
  end,
  -- Publishes with this key to all others.
  message = function(ws, key)
    ws:send { said = gate.publish(ws.params.topic, "own " .. key, { key = key, except = ws }) }
  end,
  gap = function(ws, topic, missed) ws:send { gap = missed } end,
})
gate.sse("/sse/{topic...}", { open = function(stream)
  local joined = stream:join(stream.params.topic, { since = stream.query.since })
  stream:send { event = "joined", data = { joined = true, recovered = joined.recovered, missed = joined.missed } }
end })
-- Messages as [[key, text], ...] in one turn; a false key: none.
gate.post("/publish/{topic...}", function(req)
  local last
  for _, m in ipairs(req:json()) do
    last = gate.publish(req.params.topic, req.query.big and m[2] .. fill or m[2], { key = m[1] or nil })
  end
  return last
end)
gate.get("/conflated", function() return tostring(gate.stats().conflated) end)
]]

describe("keys", function()
  local server
  setup(function()
    server = tidegate.start { scripts = SCRIPT, workers = 2, listen = { "127.0.0.1:0", "unix:./socket" } }
  end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  -- Returns the id of the last one.
  local function publish(topic, list, query)
    local response = http.post(server, ("/publish/%s%s"):format(topic, query or ""), cjson.encode(list))
    assert.equal(200, response.status)
    return response.body
  end

  -- Publishes "a1 b2 -3": the first letter is the key, "-" is none.
  local function say(topic, text)
    local list = {}
    for word in text:gmatch "%S+" do
      local key = word:sub(1, 1)
      list[#list + 1] = { key ~= "-" and key, word }
    end
    return publish(topic, list)
  end

  -- A reader over one of both: words as they come, notices of gaps, the answer to the join.
  local readers = {}

  local function new_reader()
    return { words = {}, missed = 0 }
  end

  local function take_word(reader, data) table.insert(reader.words, (data:match "^[^ ]+")) end

  function readers.ws(topic, since, options)
    local reader = new_reader()
    options = options or {}
    options.on_message = function(data)
      if not data:find "^{" then return take_word(reader, data) end
      local told = cjson.decode(data)
      if told.joined then reader.joined = told end
      reader.missed = reader.missed + (told.gap or 0)
    end
    reader.client = ws.connect(options.address or server,
      ("/ws/%s%s"):format(topic, since and "?since=" .. since or ""), options)
    loop.wait(function() return reader.joined end, "join")
    return reader
  end

  function readers.sse(topic, since, options)
    local reader = new_reader()
    options = options or {}
    options.on_event = function(event)
      if event.event == "joined" then
        reader.joined = cjson.decode(event.data)
      elseif event.event == "gap" then
        local missed = cjson.decode(event.data).missed
        reader.missed = reader.missed + (missed ~= cjson.null and missed or 0)
      else
        take_word(reader, event.data)
      end
    end
    reader.client = sse.connect(options.address or server,
      ("/sse/%s%s"):format(topic, since and "?since=" .. since or ""), options)
    loop.wait(function() return reader.joined end, "join")
    return reader
  end

  -- All words up to and without the fence.
  local function words_of(reader, fence)
    loop.wait(function() return reader.words[#reader.words] == fence end, function()
      return ("fence %s after %s"):format(fence, table.concat(reader.words, " "))
    end)
    return table.concat(reader.words, " ", 1, #reader.words - 1)
  end

  for kind, open in pairs(readers) do
    describe("over " .. kind, function()
      local function topic(folder, name) return ("%s/%s.%s"):format(folder, name, kind) end

      it("take nothing from a reader that keeps up, in bursts neither", function()
        local name = topic("kept", "all")
        local reader, list, expected = open(name), {}, {}
        for i = 1, 500 do
          list[i] = { "k" .. i % 3, tostring(i) }
          expected[i] = tostring(i)
        end
        publish(name, list)
        for i = 501, 520 do
          publish(name, { { "k0", tostring(i) } })
          expected[i] = tostring(i)
        end
        say(name, "-end")
        assert.equal(table.concat(expected, " "), words_of(reader, "-end"))
        assert.equal(0, reader.missed)
      end)

      it("give a late reader a snapshot, then live", function()
        local name = topic("kept", "snapshot")
        say(name, "a1 b1 -1 a2 c1 -2 c2 -3 -4 -5 -6 -7")
        local reader = open(name, "first")
        say(name, "a3 a4 b2 -8 -end")
        -- b1, a2 and c2 have outlived the history of five.
        assert.equal("b1 a2 c2 -3 -4 -5 -6 -7 a3 a4 b2 -8", words_of(reader, "-end"))
        assert.same({ 0, 0 }, { reader.missed, reader.joined.missed })
      end)

      it("are each topic's own", function()
        local one, other = topic("kept", "one"), topic("kept", "other")
        say(one, "a1")
        say(other, "a2")
        local reader = open(one, "first")
        say(one, "-end")
        assert.equal("a1", words_of(reader, "-end"))
      end)

      it("are kept beyond the history, as many as it has messages", function()
        local name = topic("three", "many")
        say(name, "a1 b1 c1 d1 e1 f1 g1 h1 i1 j1")
        local reader = open(name, "first")
        say(name, "-end")
        assert.equal("e1 f1 g1 h1 i1 j1", words_of(reader, "-end"))
      end)

      it("go when their time is over", function()
        local name = topic("ttl", "old")
        say(name, "a1 b1 -1 -2 -3 -4 -5 -6")
        loop.poll(function()
          local reader = open(name, "first")
          say(name, "-end")
          local is_gone = words_of(reader, "-end"):gsub("%-end ?", "") == ""
          reader.client.socket:close()
          return is_gone
        end, "end of what is kept")
      end)

      it("do not spoil a resume when only older ones are gone", function()
        local name = topic("kept", "resume")
        local id = say(name, "a1")
        for i = 2, 30 do say(name, "a" .. i) end
        local reader = open(name, id)
        say(name, "a31 -end")
        assert.same({ true, 0 }, { reader.joined.recovered, reader.joined.missed })
        assert.equal("a30 a31", words_of(reader, "-end"))
      end)

      it("spoil it when one without a key is gone", function()
        local name = topic("kept", "spoiled")
        local id = say(name, "a1")
        say(name, "-1 a2 a3 a4 a5 a6 a7")
        local reader = open(name, id)
        say(name, "-end")
        assert.is_false(reader.joined.recovered)
        assert.equal("a7", words_of(reader, "-end"))
      end)

      -- Stalls a reader, publishes `rounds` times what list(round) gives, and lets it read on.
      local function stall(name, rounds, list)
        local reader = open(name, nil, { address = server.addresses[2] })
        reader.client.socket:pause()
        for round = 1, rounds do publish(name, list(round), "?big=1") end
        reader.client.socket:resume()
        say(name, "-end")
        words_of(reader, "-end")
        table.remove(reader.words)
        return reader
      end

      -- Checks that words of each key only grow; the last number of each, and how many came.
      local function count_words(reader)
        local last, count = {}, {}
        for _, word in ipairs(reader.words) do
          local key, n = word:match "^(.)(%d+)$"
          assert.is_true(tonumber(n) > (last[key] or 0), word .. " came late or twice")
          last[key], count[key] = tonumber(n), (count[key] or 0) + 1
        end
        return last, count
      end

      it("leave a slow reader the newest of each, and all without a key", function()
        local name = topic("long", "slow")
        local before = tonumber(http.get(server, "/conflated").body)
        local fast = open(name)
        local reader = stall(name, 100,
          function(i) return { { "a", "a" .. i }, { "b", "b" .. i }, { false, "-" .. i } } end)
        local last, count = count_words(reader)
        assert.same({ a = 100, b = 100, ["-"] = 100 }, last)
        assert.equal(100, count["-"])
        assert.is_true(count.a < 50 and count.b < 50, "the reader was stalled")
        assert.equal(0, reader.missed)
        words_of(fast, "-end")
        assert.equal(301, #fast.words)
        local conflated = tonumber(http.get(server, "/conflated").body) - before
        assert.equal(200 - count.a - count.b, conflated)
      end)

      it("leave a slow reader no gap where all that is gone was superseded", function()
        local reader = stall(topic("kept", "nogap"), 100,
          function(i) return { { "a", "a" .. i }, { "b", "b" .. i } } end)
        local last, count = count_words(reader)
        assert.same({ a = 100, b = 100 }, last)
        assert.is_true(count.a < 50, "the reader was stalled")
        assert.equal(0, reader.missed)
      end)

      it("are not counted where others are missed", function()
        local reader = stall(topic("kept", "mixed"), 100,
          function(i) return { { "a", "a" .. i }, { false, "-" .. i } } end)
        local last, count = count_words(reader)
        assert.same({ a = 100, ["-"] = 100 }, last)
        assert.is_true(reader.missed > 0, "the reader was stalled")
        assert.equal(100, count["-"] + reader.missed)
      end)

      it("of a stalled reader are kept over a reload", function()
        local reader = stall(topic("kept", "reload"), 60, function(i)
          if i == 40 then assert(server:edit { ["app.lua"] = SCRIPT .. "-- " .. kind .. "\n" }) end
          return { { i == 20 and "early" or "a", i == 20 and "e20" or "a" .. i } }
        end)
        local last = count_words(reader)
        assert.same({ a = 60, e = 20 }, last)
        assert.equal(0, reader.missed)
      end)
    end)
  end

  it("leave who published with except neither the old nor its own", function()
    local name = "kept/except"
    say(name, "a1 b1")
    local client = ws.connect(server, "/ws/" .. name)
    client:receive()
    client:send "a"
    assert.is_string(cjson.decode((client:receive())).said)
    local other = readers.ws(name, "first")
    say(name, "-end")
    assert.equal("b1 own", words_of(other, "-end"))
    assert.equal("-end", (client:receive()))
  end)
end)
