-- What is written on a stream is what was given, to the byte, as the strict parser
-- of support/sse reads it: sent by a script, and published to a topic. SEED=n runs a
-- random life again.
local cjson = require "cjson"
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"

-- POST /send and /publish take JSON arrays of events; text is in hex, since JSON
-- has no way for all that text may hold.
local SCRIPT = [[
local gate = require "tidegate"
gate.topic("exact", { history = 10000 })
local stream

local function plain(hex) return (hex:gsub("..", function(digits) return string.char(tonumber(digits, 16)) end)) end
local function decode(event)
  for name, value in pairs(event) do
    if type(value) == "string" then event[name] = plain(value) end
  end
  return event
end

gate.sse("/stream", { keepalive = 0, open = function(it)
  stream = it
  it:join "exact"
  it:send "open"
end })
gate.post("/send", function(req)
  local results = {}
  for i, event in ipairs(req:json()) do
    local ok, message, code = stream:send(decode(event))
    results[i] = ok and "sent" or message .. " (" .. code .. ")"
  end
  return results
end)
gate.post("/publish", function(req)
  local results = {}
  for i, event in ipairs(req:json()) do
    decode(event)
    local id, message, code = gate.publish("exact", event.data, { event = event.event })
    results[i] = id or message .. " (" .. code .. ")"
  end
  return results
end)
gate.sse("/comments", { keepalive = 0.01, open = function(it) it:send "open" end })
]]

local server, stream
setup(function() server = tidegate.start { scripts = SCRIPT } end)
teardown(function() server:stop() end)
before_each(function()
  stream = sse.connect(server, "/stream")
  assert.equal("open", stream:receive().data)
end)
after_each(function() stream:close() end)

local function hex(text) return (text:gsub(".", function(char) return ("%02x"):format(char:byte()) end)) end

local function post(path, events)
  local encoded = {}
  for i, event in ipairs(events) do
    encoded[i] = {}
    for name, value in pairs(event) do encoded[i][name] = type(value) == "string" and hex(value) or value end
  end
  local response = http.post(server, path, cjson.encode(encoded))
  assert.equal(200, response.status, response.body)
  return response:json()
end

-- All that a stream can say of text: its lines.
local function lines(text) return (text:gsub("\r\n?", "\n")) end

-- A comment of several lines is as many comments.
local function add_comments(list, text)
  for line in (lines(text) .. "\n"):gmatch "([^\n]*)\n" do list[#list + 1] = " " .. line end
end

-- Sends events, then one more behind them, and checks all that arrives.
local function expect_sent(events)
  local id, retry, comments = stream.parser.last_id, stream.parser.retry, {}
  for _, result in ipairs(post("/send", events)) do assert.equal("sent", result) end
  assert.same({ "sent" }, post("/send", { { data = "fence" } }))
  for _, event in ipairs(events) do
    id, retry = event.id or id, event.retry or retry
    if event.comment then add_comments(comments, event.comment) end
    if event.data then
      local name = event.event ~= "" and event.event or "message"
      assert.same({ event = name, data = lines(event.data), id = id }, stream:receive())
    end
  end
  assert.same({ event = "message", data = "fence", id = id }, stream:receive())
  assert.equal(retry, stream.parser.retry)
  assert.same(comments, stream.parser.comments)
end

local function expect_published(events)
  local ids = post("/publish", events)
  for i, event in ipairs(events) do
    local name = event.event ~= "" and event.event or "message"
    assert.same({ event = name, data = lines(event.data), id = ids[i] }, stream:receive())
  end
end

-- Text that looks like something else, or ends where a line does.
local TEXTS = {
  "", " ", "  two spaces", ":", ": comment", ":\n:", "\n", "\r", "\r\n", "\n\r", "\r\r\n\n", "a\n", "\na", "a\n\nb",
  "a\rb", "a\r\nb", "a\n\rb", "data: x", "event: x\ndata: y\n\nid: 1", "id: 5\n\n", "retry: 1", "data", "\t",
  "\xef\xbb\xbf", "\xef\xbb\xbftext", "a\xef\xbb\xbf", "\0", "a\0b", "\127", "\xc2\x85",
  "\xe2\x80\xa8 and \xe2\x80\xa9",
  "grüße, 世界, \u{1F30A}", "\xf4\x8f\xbf\xbf", ("x"):rep(70000), ("\n"):rep(3000),
}

describe("an event stream (WHATWG HTML 9.2)", function()
  it("carries every text as data", function()
    local events = {}
    for i, text in ipairs(TEXTS) do events[i] = { data = text } end
    expect_sent(events)
    expect_published(events)
  end)

  it("carries every text as a comment, and no event for it", function()
    local events = {}
    for i, text in ipairs(TEXTS) do events[i] = { comment = text } end
    expect_sent(events)
  end)

  it("carries names and ids of one line", function()
    local events, published = {}, {}
    for _, text in ipairs(TEXTS) do
      if not text:find "[\r\n%z]" then events[#events + 1] = { event = text, id = text, data = "x" } end
      if not text:find "%c" and #text < 255 then published[#published + 1] = { event = text, data = "x" } end
    end
    expect_sent(events)
    expect_published(published)
  end)

  it("keeps id, name and retry of events without data", function()
    expect_sent {
      { id = "1" }, { data = "a" }, { event = "lost" }, { data = "b" }, { retry = 0 }, { data = "c" }, { id = "" },
      { retry = 2147483647, id = "2", comment = "x" }, { id = "3", event = "e", retry = 5, data = "d", comment = "c" },
    }
  end)

  for field, values in pairs { id = { "a\0", "\0", "a\nb", "\n", "a\r" }, event = { "a\0", "a\nb", "\r\n" } } do
    it("refuses an " .. field .. " that is not one line, and says which field", function()
      for _, value in ipairs(values) do
        assert.same({ field .. " must not contain CR, LF or NUL (invalid)" },
          post("/send", { { [field] = value, data = "x" } }))
      end
      expect_sent {}
    end)
  end

  it("refuses what is not UTF-8, and says which field", function()
    for _, field in ipairs { "data", "event", "id", "comment" } do
      for _, text in ipairs { "\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80" } do
        assert.same({ field .. " is not UTF-8 (invalid)" }, post("/send", { { [field] = text } }))
      end
    end
    expect_sent {}
  end)

  it("refuses an event without a field", function()
    assert.same({ "an event needs at least one field (invalid)" }, post("/send", { {} }))
    expect_sent {}
  end)

  it("is kept alive by comments that change nothing", function()
    local quiet <close> = sse.connect(server, "/comments")
    assert.equal("open", quiet:receive().data)
    for _ = 1, 5 do assert.equal("", quiet:wait_comment()) end
    assert.same({ {}, "" }, { quiet.events, quiet.parser.last_id })
  end)

  it("is exact for random events, sent and published", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    math.randomseed(seed)
    local PIECES = { "\r", "\n", "\r\n", "a", " ", ":", "é", "data: ", "id:", "\0", "\xef\xbb\xbf", "\u{1F30A}",
      "event" }
    local function text(most, rejects)
      local parts = {}
      for i = 1, math.random(0, most) do
        repeat parts[i] = PIECES[math.random(#PIECES)] until not rejects or not parts[i]:find(rejects)
      end
      return table.concat(parts)
    end
    local function maybe(fn, ...) if math.random(3) == 1 then return fn(...) end end
    local ok, message = pcall(function()
      for _ = 1, 20 do
        stream.parser.comments = {}
        local sent, published = {}, {}
        for i = 1, 50 do
          sent[i] = { data = text(12), comment = maybe(text, 6), event = maybe(text, 4, "[\r\n%z]"),
                      id = maybe(text, 4, "[\r\n%z]"), retry = maybe(math.random, 0, 100000) }
          published[i] = { data = text(12), event = maybe(text, 4, "%c") }
        end
        expect_sent(sent)
        expect_published(published)
      end
    end)
    assert(ok, ("SEED=%d: %s"):format(seed, type(message) == "table" and message.message or message))
  end)
end)
