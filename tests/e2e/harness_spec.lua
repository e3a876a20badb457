-- The test clients themselves: that they are as strict as the other specs take
-- them to be. Needs no server.
local frame = require "support.frame"
local http = require "support.http"
local loop = require "support.loop"
local process = require "support.process"
local sse = require "support.sse"

describe("the frame reader", function()
  it("reads what the frame writer writes, for every form of length", function()
    for _, size in ipairs { 0, 1, 125, 126, 65535, 65536 } do
      local data = ("x"):rep(size)
      local bytes = frame.encode { opcode = frame.BINARY, data = data, mask = false }
      local opcode, read, fin, after = frame.decode(bytes, 1)
      assert.same({ frame.BINARY, true, #bytes + 1 }, { opcode, fin, after })
      assert.is_true(read == data)
      assert.is_nil(frame.decode(bytes:sub(1, -2), 1), "a frame that is not whole")
    end
  end)

  it("masks as RFC 6455 section 5.7 shows", function()
    local bytes = frame.encode { data = "Hello", mask = "\x37\xfa\x21\x3d" }
    assert.equal("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", bytes)
  end)

  for name, fields in pairs {
    ["a mask"] = { data = "x" },
    ["reserved bits"] = { data = "x", mask = false, rsv = 4 },
    ["an unknown opcode"] = { opcode = 3, mask = false },
    ["a long control frame"] = { opcode = frame.PING, data = ("x"):rep(126), mask = false },
    ["a control frame in fragments"] = { opcode = frame.PING, fin = false, mask = false },
    ["a length not in its shortest form"] = { data = "x", mask = false, length_form = 16 },
    ["a length in 64 bits that fits 16"] = { data = "x", mask = false, length_form = 64 },
  } do
    it("refuses " .. name, function()
      assert.has_error(function() frame.decode(frame.encode(fields), 1) end)
    end)
  end
end)

describe("the event stream parser", function()
  local function parse(text, size)
    local events = {}
    local parser = sse.parser(function(event) events[#events + 1] = event end)
    for at = 1, #text, size do parser:feed(text:sub(at, at + size - 1)) end
    return events, parser
  end

  it("gives the same events at any split and for each line ending", function()
    local text = "\xef\xbb\xbf: hello\nevent: tick\nid: 7\nretry: 20\ndata: a\ndata:b\ndata\n\ndata:  c\n\n"
      .. "event: none\n\n"
    for _, ending in ipairs { "\n", "\r\n", "\r" } do
      local input = text:gsub("\n", ending) .. ":" .. ending
      for size = 1, #input do
        local events, parser = parse(input, size)
        assert.same({
          { event = "tick", data = "a\nb\n", id = "7" },
          { event = "message", data = " c", id = "7" },
        }, events)
        assert.equal(" hello", parser.comments[1])
        assert.equal(20, parser.retry)
      end
    end
  end)

  -- What the standard says of a stream, 9.2.5 and 9.2.6: { what, stream, events, last id, retry }.
  local function message(data, id) return { event = "message", data = data, id = id or "" } end
  for _, row in ipairs {
    { "a byte order mark is left out, once", "\xef\xbb\xbfdata: a\n\n", { message "a" } },
    { "a byte order mark is data elsewhere", "data: \xef\xbb\xbfa\n\n", { message "\xef\xbb\xbfa" } },
    { "data without a blank line is not dispatched", "data: a\n", {} },
    { "no data is not dispatched", "event: a\n\n", {} },
    { "empty data is", "data\n\n", { message "" } },
    { "two lines of empty data are one line end", "data\ndata\n\n", { message "\n" } },
    { "one space is dropped", "data:test\n\ndata: test\n\ndata:  test\n\n",
      { message "test", message "test", message " test" } },
    { "CR, LF and CRLF end a line", "data:a\rdata:b\ndata:c\r\ndata:d\r\n\r", { message "a\nb\nc\nd" } },
    { "LF CR ends two", "data:a\n\r", { message "a" } },
    { "an event without a name is a message", "event: x\nevent\ndata: a\n\n", { message "a" } },
    { "a name holds for one event", "event: x\n\ndata: a\n\n", { message "a" } },
    { "an id holds until the next", "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
      { message("a", "1"), message("b", "1"), message "c" } },
    { "an id counts from the blank line on", "id: 1\n\nid: 2\n", {}, "1" },
    { "an id with NUL does not count", "id: 1\n\nid: 2\0\n\n", {}, "1" },
    { "retry is digits", "retry: 7\nretry: +8\nretry: 9s\nretry:\n\n", {}, "", 7 },
    { "a comment is nothing", ":\n: data: a\n:data: b\n\n", {} },
  } do
    it("knows that " .. row[1], function()
      for size = 1, #row[2] do
        local events, parser = parse(row[2], size)
        assert.same(row[3], events)
        if row[4] then assert.same({ row[4], row[5] }, { parser.last_id, parser.retry }) end
      end
    end)
  end

  for what, stream in pairs {
    ["a field that the standard does not know"] = "datum: x\n\n",
    ["text that is not UTF-8"] = "data: \xff\n\n",
    ["an end within a line"] = "data: x",
    ["an end within an event"] = "data: x\n",
  } do
    it("does not take " .. what, function()
      assert.has_error(function() select(2, parse(stream, 100)):finish() end)
    end)
  end
end)

describe("the response parser", function()
  for name, head in pairs {
    ["a line without colon"] = "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    ["a bare LF"] = "HTTP/1.1 200 OK\nA: b\r\n\r\n",
    ["a space in a name"] = "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
    ["a control character"] = "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
    ["another version"] = "HTTP/1.0 200 OK\r\n\r\n",
  } do
    it("refuses " .. name, function()
      assert.has_error(function() http.parse_head(head) end)
    end)
  end

  it("joins fields of one name", function()
    assert.equal("x, y", http.parse_head("HTTP/1.1 200 OK\r\nA: x\r\na: y\r\n\r\n").headers.a)
  end)
end)

describe("waiting", function()
  it("raises at the deadline and says for what", function()
    local ok, message = pcall(loop.wait, function() return false end, "pig that flies", 0.02)
    assert.is_false(ok)
    assert.matches("no pig that flies within 0.02 s", message, 1, true)
  end)

  it("raises what a callback has raised", function()
    local uv = require "luv"
    local timer = uv.new_timer()
    timer:start(1, 0, loop.guard(function() error("broken callback", 0) end))
    local ok, message = pcall(loop.wait, function() return false end, "nothing")
    loop.close(timer)
    assert.is_false(ok)
    assert.matches("broken callback", message, 1, true)
  end)

  it("tells the end of a process, and its output", function()
    local result = process.run("/bin/sh", { args = { "-c", "echo out; echo err >&2; printf rest; exit 3" } })
    assert.same({ status = 3, out = "out\nrest", err = "err" }, result)
    assert.equal(128 + 9, process.run("/bin/sh", { args = { "-c", "kill -9 $$" } }).status)
  end)
end)
