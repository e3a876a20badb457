-- Reading what topics keep: gate.history, from both ends and from ids, and
-- gate.topics.
local cjson = require "cjson"
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("kept/**", { history = 10 })
gate.topic("ttl/*", { history = 10, ttl = 0.05 })

gate.post("/publish/{topic...}", function(req)
  local q = req.query
  return assert(gate.publish(req.params.topic, req:body(), { kind = q.kind, key = q.key, event = q.event }))
end)
gate.post("/history/{topic...}", function(req)
  local options = req:json()
  local list, result = gate.history(req.params.topic, next(options) and options or nil)
  for _, m in ipairs(list) do
    if m.kind == "binary" then m.data = #m.data end
    m.text_time = ("%.9f"):format(m.time)
  end
  return { list = list, count = #list, recovered = result.recovered, missed = result.missed }
end)
gate.get("/now", function() return ("%.9f"):format(gate.now()) end)
gate.post("/topics", function(req)
  local c = req:json()
  local list, has_more = gate.topics(c.pattern, c.limit and { limit = c.limit } or nil)
  return { list = list, count = #list, has_more = has_more }
end)
gate.post("/many/{count}", function(req)
  for i = 1, tonumber(req.params.count) do gate.publish(("kept/many/%05d"):format(i), "x") end
end)
gate.ws("/join/{topic...}", { open = function(ws) ws:join(ws.params.topic) ws:send "joined" end })
gate.get("/bad", function()
  local list, message, code = gate.history "a\1b"
  return { list = list, message = message, code = code }
end)
]]

local server

local function publish(topic, text, query)
  local response = http.post(server, ("/publish/%s%s"):format(topic, query or ""), text)
  assert.equal(200, response.status)
  return response.body
end

-- The ids of messages "1", "2", ... count.
local function publish_numbers(topic, count)
  local ids = {}
  for i = 1, count do ids[i] = publish(topic, tostring(i)) end
  return ids
end

local function read(topic, options)
  local response = http.post(server, "/history/" .. topic, cjson.encode(options or cjson.decode "{}"))
  assert.equal(200, response.status)
  local result, words = response:json(), {}
  for i, message in ipairs(result.list) do words[i] = message.data end
  result.words = table.concat(words, " ")
  return result
end

local function setup_server()
  server = tidegate.start { scripts = SCRIPT, workers = 2 }
end

describe("the history of a topic", function()
  setup(setup_server)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  it("is what it keeps, the oldest first", function()
    publish_numbers("kept/all", 13)
    local result = read "kept/all"
    assert.equal("4 5 6 7 8 9 10 11 12 13", result.words)
    assert.same({ false, 0 }, { result.recovered, result.missed })
  end)

  it("tells everything of a message", function()
    local before = os.time()
    local id = publish("kept/fields", "hello", "?key=k&event=greeting")
    local other = publish("kept/fields", "\0\255", "?kind=binary")
    local list = read("kept/fields").list
    for _, message in ipairs(list) do
      assert.is_true(message.time >= before - 60 and message.time <= os.time() + 60, "published just now")
      message.time, message.text_time = nil, nil
    end
    assert.same({
      { id = id, data = "hello", kind = "text", key = "k", event = "greeting" },
      { id = other, data = 2, kind = "binary" },
    }, list)
  end)

  it("tells the same time of a message to whoever asks, and whenever", function()
    local t0 = tonumber(http.get(server, "/now").body)
    publish("kept/time", "hello")
    local time = read("kept/time").list[1].text_time
    assert.is_true(tonumber(time) > t0 - 0.001)
    for _ = 1, 50 do assert.equal(time, read("kept/time").list[1].text_time) end
  end)

  it("of a topic that is not there is empty", function()
    local result = read "kept/never"
    assert.same({ 0, false }, { result.count, result.recovered })
    assert.equal(0, http.post(server, "/topics", cjson.encode { pattern = "kept/never" }):json().count)
  end)

  for name, row in pairs {
    ["the newest"] = { { since = "last" }, "8" },
    ["all"] = { { since = "first" }, "1 2 3 4 5 6 7 8" },
    ["the first two"] = { { limit = 2 }, "1 2" },
    ["the last two, the newest first"] = { { limit = 2, reverse = true }, "8 7" },
    ["all, the newest first"] = { { reverse = true }, "8 7 6 5 4 3 2 1" },
    ["more than there are"] = { { limit = 100 }, "1 2 3 4 5 6 7 8" },
    ["more than there are, the newest first"] = { { limit = 100, reverse = true }, "8 7 6 5 4 3 2 1" },
    ["what came after an id"] = { { since = 5 }, "6 7 8", true },
    ["the first that came after an id"] = { { since = 5, limit = 1 }, "6", true },
    ["what came before an id"] = { { since = 5, reverse = true }, "4 3 2 1" },
    ["the last that came before an id"] = { { since = 5, limit = 2, reverse = true }, "4 3" },
    ["what came before the first"] = { { since = 1, reverse = true }, "" },
    ["what came after the newest"] = { { since = 8 }, "", true },
  } do
    it("gives " .. name, function()
      local topic = "kept/part/" .. name:gsub("%A+", "-")
      local ids = publish_numbers(topic, 8)
      local options = { since = ids[row[1].since] or row[1].since, limit = row[1].limit, reverse = row[1].reverse }
      local result = read(topic, options)
      assert.equal(row[2], result.words)
      if row[3] then assert.same({ true, 0 }, { result.recovered, result.missed }) end
    end)
  end

  it("says when an id cannot be honoured, and gives all that is kept", function()
    local ids = publish_numbers("kept/gone", 15)
    local future = ids[1]:gsub("%d+$", "999999999")
    for _, since in ipairs { ids[1], ids[4], future, "nonsense", "0000000000-1" } do
      local result = read("kept/gone", { since = since })
      assert.is_false(result.recovered)
      assert.equal("6 7 8 9 10 11 12 13 14 15", result.words)
    end
    assert.is_true(read("kept/gone", { since = ids[5] }).recovered)
  end)

  it("says when an id before which it would scroll back was never given out", function()
    local ids = publish_numbers("kept/unknown", 3)
    local future = ids[1]:gsub("%d+$", "999999999")
    for _, since in ipairs { future, "nonsense", "0000000000-1" } do
      local result = read("kept/unknown", { since = since, reverse = true })
      assert.same({ 0, false, nil }, { result.count, result.recovered, result.missed })
    end
    for _, since in ipairs { ids[1], (ids[1]:gsub("%d+$", "0")) } do
      local result = read("kept/unknown", { since = since, reverse = true })
      assert.same({ 0, true, 0 }, { result.count, result.recovered, result.missed })
    end
    assert.is_true(read("kept/unknown", { since = ids[2], reverse = true }).recovered)
  end)

  it("scrolls back page by page to the beginning", function()
    publish_numbers("kept/pages", 10)
    local words, since = {}, nil
    for _ = 1, 4 do
      local page = read("kept/pages", { since = since, limit = 3, reverse = true })
      words[#words + 1] = page.words
      since = page.list[#page.list].id
    end
    assert.equal("10 9 8|7 6 5|4 3 2|1", table.concat(words, "|"))
    assert.equal(0, read("kept/pages", { since = since, limit = 3, reverse = true }).count)
  end)

  it("has superseded messages as long as they are kept, and then the newest of their keys", function()
    local topic = "kept/keys"
    for i = 1, 3 do publish(topic, "a" .. i, "?key=a") end
    publish(topic, "b1", "?key=b")
    assert.equal("a1 a2 a3 b1", read(topic).words)
    publish_numbers(topic, 10)
    assert.equal("a3 b1 1 2 3 4 5 6 7 8 9 10", read(topic).words)
    assert.equal("10 9 8 7 6 5 4 3 2 1 b1 a3", read(topic, { reverse = true }).words)
    assert.equal("a3 b1 1", read(topic, { limit = 3 }).words)
  end)

  it("ends with the time to live", function()
    publish("ttl/x", "old")
    loop.poll(function() return read("ttl/x").count == 0 end, "empty history")
  end)

  it("is not of a topic that can have no name", function()
    local answer = http.get(server, "/bad"):json()
    assert.same({ nil, "topic" }, { answer.list, answer.code })
    assert.is_string(answer.message)
  end)
end)

describe("the list of topics", function()
  setup(setup_server)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  local function topics(fields)
    local response = http.post(server, "/topics", cjson.encode(fields or cjson.decode "{}"))
    assert.equal(200, response.status)
    return response:json()
  end

  it("has those with messages or subscribers, by name, and what they hold", function()
    publish_numbers("kept/b", 12)
    publish("kept/a", "x")
    publish("nobody", "not kept")
    for _ = 1, 3 do ws.connect(server, "/join/live"):receive() end
    ws.connect(server, "/join/kept/a"):receive()
    assert.same({
      { topic = "kept/a", count = 1, messages = 1 },
      { topic = "kept/b", count = 0, messages = 10 },
      { topic = "live", count = 3, messages = 0 },
    }, topics().list)
    assert.is_false(topics().has_more)
  end)

  it("has those that match", function()
    publish("kept/match/deep", "x")
    local function names(pattern)
      local list = {}
      for i, topic in ipairs(topics { pattern = pattern }.list) do list[i] = topic.topic end
      return table.concat(list, " ")
    end
    assert.equal("kept/a kept/b", names "kept/*")
    assert.equal("kept/a kept/b kept/match/deep", names "kept/**")
    assert.equal("kept/match/deep", names "**/deep")
    assert.equal("kept/b", names "kept/b")
    assert.equal("", names "kept")
  end)

  it("loses topics with their last subscriber or message", function()
    local client = ws.connect(server, "/join/short")
    client:receive()
    publish("ttl/short", "x")
    assert.equal(1, topics { pattern = "short" }.count)
    client:drop()
    loop.poll(function() return topics { pattern = "short" }.count + topics { pattern = "ttl/short" }.count == 0 end,
      "end of both topics")
  end)

  it("is cut at a limit, and says so", function()
    assert.equal(204, http.post(server, "/many/12000").status)
    local result = topics { pattern = "kept/many/*" }
    assert.same({ 10000, true }, { result.count, result.has_more })
    result = topics { pattern = "kept/many/*", limit = 12000 }
    assert.same({ 12000, false }, { result.count, result.has_more })
    for i, topic in ipairs(result.list) do assert.equal(("kept/many/%05d"):format(i), topic.topic) end
    result = topics { pattern = "kept/many/*", limit = 1 }
    assert.same({ 1, true }, { result.count, result.has_more })
  end)
end)
