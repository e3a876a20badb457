-- An event stream client: the parser of the WHATWG HTML standard, sections 9.2.5
-- and 9.2.6, on a raw connection. Beyond the standard it raises for what a
-- client would let pass in silence and a server has no reason to send.
local http = require "support.http"
local loop = require "support.loop"

local sse = {}

local BOM = "\xef\xbb\xbf"

local Parser = {}
Parser.__index = Parser

-- Calls on_event(event) for every dispatched event: { event, data, id }, id
-- being the last event id as of then. Comments and retry go to
-- parser.comments and parser.retry.
---@param on_event fun(event: table)
function sse.parser(on_event)
  return setmetatable({
    on_event = on_event, rest = "", is_at_start = true, skips_lf = false, is_between = true,
    data = "", event = "", id = "",  -- the buffers of the standard
    last_id = "", comments = {},
  }, Parser)
end

local function dispatch(parser)
  local data, event = parser.data, parser.event
  parser.last_id, parser.data, parser.event = parser.id, "", ""
  if data == "" then return end
  parser.on_event { event = event == "" and "message" or event, data = data:sub(1, -2), id = parser.last_id }
end

local on_field = {
  event = function(parser, value) parser.event = value end,
  data = function(parser, value) parser.data = parser.data .. value .. "\n" end,
  id = function(parser, value)
    if not value:find "\0" then parser.id = value end
  end,
  retry = function(parser, value)
    if value:find "^%d+$" then parser.retry = tonumber(value) end
  end,
}

local function take_line(parser, line)
  if not utf8.len(line) then error(("a line that is not UTF-8: %q"):format(line), 0) end
  parser.is_between = line == ""
  if line == "" then return dispatch(parser) end
  if line:sub(1, 1) == ":" then return table.insert(parser.comments, line:sub(2)) end
  local name, value = line:match "^([^:]*): ?(.*)$"
  local set = on_field[name or line]
  if not set then error(("unknown field in an event stream: %q"):format(line), 0) end
  set(parser, value or "")
end

-- The input without the byte order mark it may begin with; nil while that is open.
local function strip_mark(parser, input)
  if #input < #BOM and BOM:sub(1, #input) == input then return nil end
  parser.is_at_start = false
  return input:sub(1, #BOM) == BOM and input:sub(#BOM + 1) or input
end

---@param chunk string
function Parser:feed(chunk)
  local input = self.rest .. chunk
  if self.is_at_start then
    local stripped = strip_mark(self, input)
    self.rest = input
    if not stripped then return end
    input = stripped
  end
  local at = 1
  while at <= #input do
    -- The second half of a CRLF whose first half has ended the line.
    if self.skips_lf and input:byte(at) == 10 then at = at + 1 end
    self.skips_lf = false
    local line, ending, after = input:match("^([^\r\n]*)([\r\n])()", at)
    if not line then break end
    self.skips_lf = ending == "\r"
    take_line(self, line)
    at = after
  end
  self.rest = input:sub(at)
end

-- The end of the stream: what has no blank line behind it is not dispatched. A
-- server that ends a stream in order leaves nothing of the kind.
function Parser:finish()
  if self.rest ~= "" or not self.is_between then
    error(("an event stream ended within an event: %q"):format(self.rest), 0)
  end
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

-- Waits for the server to end the stream, in order.
function Stream:wait_end(seconds)
  self.socket:wait_end(seconds)
  self.parser:finish()
  self.socket:close()
end

function Stream:close() self.socket:close() end
Stream.__close = Stream.close

return sse
