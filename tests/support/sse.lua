-- An event stream client: the parser of the WHATWG HTML standard, section
-- 9.2.6, on a raw connection.
local http = require "support.http"
local loop = require "support.loop"

local sse = {}

local Parser = {}
Parser.__index = Parser

-- Calls on_event(event) for every dispatched event: { event, data, id }, id
-- being the last event id as of then. Comments and retry go to
-- parser.comments and parser.retry.
---@param on_event fun(event: table)
function sse.parser(on_event)
  return setmetatable({ on_event = on_event, rest = "", last_id = "", comments = {}, is_at_start = true }, Parser)
end

local function dispatch(parser)
  if parser.data then
    parser.on_event { event = parser.event or "message", data = table.concat(parser.data, "\n"), id = parser.last_id }
  end
  parser.data, parser.event = nil, nil
end

local on_field = {
  event = function(parser, value) parser.event = value end,
  data = function(parser, value)
    parser.data = parser.data or {}
    table.insert(parser.data, value)
  end,
  id = function(parser, value)
    if not value:find "\0" then parser.last_id = value end
  end,
  retry = function(parser, value)
    if value:match "^%d+$" then parser.retry = tonumber(value) end
  end,
}

local function take_line(parser, line)
  if line == "" then return dispatch(parser) end
  if line:sub(1, 1) == ":" then
    table.insert(parser.comments, line:sub(2))
    return
  end
  local name, value = line:match "^(.-): ?(.*)$"
  local set = on_field[name or line]
  -- The standard ignores unknown fields; a server has no reason to send one.
  if not set then error(("unknown field in an event stream: %q"):format(line), 0) end
  set(parser, value or "")
end

---@param chunk string
function Parser:feed(chunk)
  local input = self.rest .. chunk
  if self.is_at_start and #input >= 3 then
    self.is_at_start = false
    input = input:gsub("^\xef\xbb\xbf", "")
  end
  local at = 1
  while true do
    local line, ending, after = input:match("^([^\r\n]*)(\r?\n?)()", at)
    -- A CR at the very end may be the first half of CRLF.
    if ending == "" or ending == "\r" and after > #input then break end
    take_line(self, line)
    at = after
  end
  self.rest = input:sub(at)
end

local Stream = {}
Stream.__index = Stream

-- Opens a stream; raises when the answer is not one. options.headers;
-- options.last_event_id; options.on_event instead of a queue; and what
-- tcp.open takes.
---@param address table|string
---@param path string
---@param options table|nil
function sse.connect(address, path, options)
  options = options or {}
  local headers = { Accept = "text/event-stream", ["Last-Event-ID"] = options.last_event_id }
  for name, value in pairs(options.headers or {}) do headers[name] = value end
  local connection = http.connect(address, options)
  local stream = setmetatable({ socket = connection.socket, events = {} }, Stream)
  connection:send(http.format_request("GET", path, { headers = headers }))
  stream.response = http.parse_head(stream.socket:read_to "\r\n\r\n")
  if stream.response.status ~= 200 then error(("stream refused with %d"):format(stream.response.status), 0) end
  stream.parser = sse.parser(options.on_event or function(event) table.insert(stream.events, event) end)
  stream.socket.on_data = function(chunk) stream.parser:feed(chunk) end
  stream.parser:feed(stream.socket:take(#stream.socket:peek()))
  return stream
end

-- Takes the next event: { event, data, id }.
function Stream:receive(seconds)
  loop.wait(function() return self.events[1] or self.socket.is_ended end, "event", seconds)
  return table.remove(self.events, 1) or error("the stream ended without another event", 2)
end

-- Waits for the next comment after those already seen; returns its text.
function Stream:wait_comment(seconds)
  local before = #self.parser.comments
  loop.wait(function() return #self.parser.comments > before or self.socket.is_ended end, "comment", seconds)
  return self.parser.comments[before + 1] or error("the stream ended without another comment", 2)
end

-- Waits for the server to end the stream.
function Stream:wait_end(seconds)
  self.socket:wait_end(seconds)
  self.socket:close()
end

function Stream:close() self.socket:close() end
Stream.__close = Stream.close

return sse
