-- A raw HTTP/1.1 client: tests send any bytes they like and get strictly parsed
-- responses (RFC 9112), so a response that only a lenient client would accept
-- fails the test.
local cjson = require "cjson"
local tcp = require "support.tcp"

local http = {}

local Connection = {}
Connection.__index = Connection

local Response = {}
Response.__index = Response

function Response:json()
  return cjson.decode(self.body)
end

local function parse_fields(text)
  local headers, list = {}, {}
  for line in text:gmatch "(.-)\r\n" do
    local name, value = line:match "^([%w!#$%%&'*+%-.^_`|~]+): (.*)$"
    if not name then error(("bad header line %q"):format(line), 0) end
    if value:find "[%c]" or value:find "^ " or value:find " $" then error(("bad header value %q"):format(line), 0) end
    name = name:lower()
    list[#list + 1] = { name, value }
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  return headers, list
end

-- Parses a head that ends with the empty line.
---@param head string
function http.parse_head(head)
  local status, reason, rest = head:match "^HTTP/1%.1 (%d%d%d) ([^\r\n]*)\r\n(.*)\r\n$"
  if not status then error(("bad response head %q"):format(head), 0) end
  local response = setmetatable({ status = tonumber(status), reason = reason, body = "" }, Response)
  response.headers, response.fields = parse_fields(rest)
  return response
end

local function read_chunked(socket)
  local parts = {}
  while true do
    local line = socket:read_to "\r\n"
    local size = tonumber(line:match "^(%x+)\r\n$" or error(("bad chunk size line %q"):format(line), 0), 16)
    parts[#parts + 1] = socket:read(size)
    if socket:read(2) ~= "\r\n" then error("a chunk does not end with CRLF", 0) end
    if size == 0 then return table.concat(parts), #parts - 1 end
  end
end

local function read_body(socket, response)
  local length, coding = response.headers["content-length"], response.headers["transfer-encoding"]
  if length and coding then error("a response with both Content-Length and Transfer-Encoding", 0) end
  if coding then
    if coding ~= "chunked" then error("unknown Transfer-Encoding " .. coding, 0) end
    response.body, response.chunk_count = read_chunked(socket)
  elseif length then
    if not length:match "^%d+$" then error("bad Content-Length " .. length, 0) end
    response.body = socket:read(tonumber(length))
  else
    response.body = socket:read_to_end()
  end
end

---@param address table|string
---@param options table|nil  as of tcp.open
function http.connect(address, options)
  return setmetatable({ socket = tcp.connect(address, options) }, Connection)
end

function Connection:send(data)
  self.socket:send(data)
  return self
end

-- The next response. An interim one (100) is a response of its own.
-- options.method = "HEAD": no body follows.
function Connection:response(options)
  local head = self.socket:read_to("\r\n\r\n", options and options.seconds)
  local response = http.parse_head(head)
  local status = response.status
  local is_bodiless = status < 200 or status == 204 or status == 304
  local headers = response.headers
  if is_bodiless and (headers["transfer-encoding"] or status ~= 304 and headers["content-length"]) then
    error(("a %d response tells of a body"):format(status), 0)
  end
  if not (is_bodiless or options and options.method == "HEAD") then read_body(self.socket, response) end
  return response
end

-- Sends a request with the given method, path, { headers, body } and returns
-- its response. headers: name -> value, or an array of { name, value }.
function Connection:request(method, path, options)
  self:send(http.format_request(method, path, options))
  return self:response { method = method }
end

function Connection:get(path, headers)
  return self:request("GET", path, { headers = headers })
end

-- Asserts that the server has nothing more to say and closes in order: a reset may
-- take responses from a client that has not read them yet.
function Connection:expect_end(seconds)
  local rest = self.socket:read_to_end(seconds)
  if self.socket.failure == "ECONNRESET" then error("the server has reset the connection", 0) end
  if rest ~= "" then error(("unexpected bytes before the end: %q"):format(rest), 0) end
end

function Connection:close()
  self.socket:close()
end

Connection.__close = Connection.close

---@param method string
---@param path string
---@param options table|nil
---@return string
function http.format_request(method, path, options)
  options = options or {}
  local lines = { ("%s %s HTTP/1.1\r\nHost: test\r\n"):format(method, path) }
  for name, value in pairs(options.headers or {}) do
    if type(value) == "table" then name, value = value[1], value[2] end
    lines[#lines + 1] = ("%s: %s\r\n"):format(name, value)
  end
  if options.body then lines[#lines + 1] = ("Content-Length: %d\r\n"):format(#options.body) end
  lines[#lines + 1] = "\r\n"
  lines[#lines + 1] = options.body or ""
  return table.concat(lines)
end

-- One request on a connection of its own.
---@param address table|string
function http.request(address, method, path, options)
  local connection <close> = http.connect(address)
  return connection:request(method, path, options)
end

---@param address table|string
function http.get(address, path, headers)
  return http.request(address, "GET", path, { headers = headers })
end

---@param address table|string
function http.post(address, path, body, headers)
  return http.request(address, "POST", path, { headers = headers, body = body or "" })
end

-- Sends raw bytes on a connection of its own; returns the response, and the
-- connection still open.
---@param address table|string
function http.raw(address, data)
  local connection = http.connect(address)
  connection:send(data)
  return connection:response(), connection
end

return http
