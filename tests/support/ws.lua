-- A raw WebSocket client: handshakes by hand, any frame, and every frame of the
-- server validated. Messages are queued until receive() takes them, or given
-- to `on_message` as they come, for load with thousands of clients.
local frame = require "support.frame"
local http = require "support.http"
local inflate = require "support.inflate"
local loop = require "support.loop"
local tcp = require "support.tcp"

local ws = {}

local Client = {}
Client.__index = Client

-- Keys and what the server must answer to them (RFC 6455 section 4.2.2); the
-- first is the RFC's own example.
local KEYS = {
  { "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" },
  { "AAECAwQFBgcICQoLDA0ODw==", "Bz3qJYTGdOe8gUSpLosEdiLKDrk=" },
  { "/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g=" },
}
local next_key = 0

-- The bytes of an opening handshake. options.headers: name -> value replaces or
-- adds a field, a list of values one for each, false leaves it out; options.protocols: the offer;
-- options.request_line replaces the first line.
---@param path string
---@param options table|nil
function ws.handshake(path, options)
  options = options or {}
  next_key = next_key % #KEYS + 1
  local fields = {
    Host = "test", Upgrade = "websocket", Connection = "Upgrade",
    ["Sec-WebSocket-Key"] = KEYS[next_key][1], ["Sec-WebSocket-Version"] = "13",
    ["Sec-WebSocket-Protocol"] = options.protocols,
  }
  for name, value in pairs(options.headers or {}) do fields[name] = value end
  local lines = { options.request_line or ("GET %s HTTP/1.1"):format(path) }
  for name, value in pairs(fields) do
    for _, one in ipairs(type(value) == "table" and value or { value or nil }) do
      lines[#lines + 1] = ("%s: %s"):format(name, one)
    end
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n", KEYS[next_key][2]
end

-- ---- what the server sends -------------------------------------------------

local on_control = {
  [frame.PING] = function(client, data)
    client.pings[#client.pings + 1] = data
    if client.auto_pong then client:send_frame { opcode = frame.PONG, data = data } end
  end,
  [frame.PONG] = function(client, data) client.pongs[#client.pongs + 1] = data end,
  [frame.CLOSE] = function(client, data)
    if #data == 1 then error("a close frame with one byte", 0) end
    client.close_code, client.close_reason = 1005, ""
    if #data >= 2 then
      client.close_code, client.close_reason = string.unpack(">I2", data), data:sub(3)
    end
    if not client.close_sent and client.auto_close then
      client.close_sent = true
      client:send_frame { opcode = frame.CLOSE, data = data:sub(1, 2) }
    end
  end,
}

local function take_message(client, data, kind, is_compressed)
  client.received_bytes = client.received_bytes + #data
  if is_compressed then data = client.inflater:message(data) end
  if kind == "text" and not utf8.len(data) then error("the server sent text that is not UTF-8", 0) end
  client.received_count = client.received_count + 1
  if client.on_message then return client.on_message(data, kind, client) end
  client.messages[#client.messages + 1] = { data, kind, is_compressed }
end

-- After a close frame only the pongs to pings that crossed it (RFC 6455 5.5.1, 5.5.2).
local function take_frame(client, opcode, data, fin, rsv1)
  if client.close_code and opcode ~= frame.PONG then error("the server sent a frame after its close frame", 0) end
  if rsv1 and opcode ~= frame.TEXT and opcode ~= frame.BINARY then
    error("the server marked a frame as compressed that begins no message", 0)
  end
  if on_control[opcode] then return on_control[opcode](client, data) end
  local kind = opcode == frame.TEXT and "text" or "binary"
  if opcode == frame.CONTINUATION then
    if not client.fragments then error("a continuation of nothing", 0) end
    data, kind, rsv1 = client.fragments.data .. data, client.fragments.kind, client.fragments.rsv1
    client.fragments = nil
  elseif client.fragments then
    error("a new message within a fragmented one", 0)
  end
  if fin then return take_message(client, data, kind, rsv1) end
  client.fragments = { data = data, kind = kind, rsv1 = rsv1 }
end

local function take_frames(client, chunk)
  local input = client.rest == "" and chunk or client.rest .. chunk
  local at = 1
  while true do
    local opcode, data, fin, after, rsv1 = frame.decode(input, at, client.inflater ~= nil)
    if not opcode then break end
    take_frame(client, opcode, data, fin, rsv1)
    at = after
  end
  client.rest = at == 1 and input or input:sub(at)
end

local function check_accepted(response, accept)
  local headers = response.headers
  assert(headers.upgrade and headers.upgrade:lower() == "websocket", "101 without Upgrade: websocket")
  assert(headers.connection and headers.connection:lower() == "upgrade", "101 without Connection: Upgrade")
  assert(headers["sec-websocket-accept"] == accept, "wrong Sec-WebSocket-Accept")
end

-- What the server agreed to of permessage-deflate makes the inflater.
local function take_extensions(client, answer)
  if not answer then return end
  assert(answer:find("^permessage%-deflate"), "an extension that was not offered")
  local bits = tonumber(answer:match("server_max_window_bits=(%d+)")) or 15
  client.inflater = inflate.new(bits, not answer:find("server_no_context_takeover", 1, true))
end

local function take_handshake(client, chunk)
  client.rest = client.rest .. chunk
  local _, last = client.rest:find("\r\n\r\n", 1, true)
  if not last then return end
  local response = http.parse_head(client.rest:sub(1, last))
  client.response = response
  if response.status ~= 101 then error(("handshake refused with %d"):format(response.status), 0) end
  check_accepted(response, client.accept)
  take_extensions(client, response.headers["sec-websocket-extensions"])
  local rest = client.rest:sub(last + 1)
  client.rest, client.is_open = "", true
  client.socket.on_data = function(data) take_frames(client, data) end
  if client.on_open then client.on_open(client) end
  if rest ~= "" then take_frames(client, rest) end
end

-- ---- opening ---------------------------------------------------------------

-- Starts a handshake; `is_open` tells when it is done. options as of
-- ws.handshake and tcp.open, and: early (bytes sent right behind the handshake),
-- on_open, on_message(data, kind, client), on_end, auto_pong, auto_close
-- (both true when not given).
---@param address table|string
---@param path string
---@param options table|nil
function ws.open(address, path, options)
  options = options or {}
  local client = setmetatable({
    socket = tcp.open(address, options), rest = "", messages = {}, pings = {}, pongs = {},
    received_count = 0, received_bytes = 0,
    auto_pong = options.auto_pong ~= false, auto_close = options.auto_close ~= false,
    on_open = options.on_open, on_message = options.on_message,
  }, Client)
  local request
  request, client.accept = ws.handshake(path, options)
  client.socket.on_data = function(chunk) take_handshake(client, chunk) end
  client.socket.on_end = options.on_end
  client.socket.on_connect = function() client.socket:send(request .. (options.early or "")) end
  return client
end

-- Opens a session, or raises when it is refused.
---@param address table|string
---@param path string
---@param options table|nil
function ws.connect(address, path, options)
  local client = ws.open(address, path, options)
  local socket = client.socket
  loop.wait(function() return client.is_open or socket.failure or socket.is_ended end, "opening handshake")
  if not client.is_open then error("no WebSocket session: " .. (socket.failure or "the server closed"), 0) end
  return client
end

-- A handshake that is expected to be refused: returns the HTTP response.
---@param address table|string
---@param path string
---@param options table|nil
function ws.refused(address, path, options)
  local connection <close> = http.connect(address)
  connection:send((ws.handshake(path, options)))
  local response = connection:response()
  if response.status == 101 then error("the handshake was accepted", 2) end
  return response
end

-- Opens `count` sessions, `at_once` handshakes at a time. options: as of
-- ws.open, or a function from the index to them.
---@param address table|string
---@param path string|fun(index: integer): string
---@param count integer
---@param options table|fun(index: integer): table|nil
function ws.open_many(address, path, count, options)
  local clients, opened, at_once = {}, 0, 200
  local function start()
    local index = #clients + 1
    local own = type(options) == "function" and options(index) or options
    local client = ws.open(address, type(path) == "function" and path(index) or path, own)
    local on_open = client.on_open
    client.index = index
    client.on_open = function()
      opened = opened + 1
      if on_open then on_open(client) end
    end
    clients[index] = client
  end
  loop.wait(function()
    while #clients < count and #clients - opened < at_once do start() end
    return opened == count
  end, function() return ("%d open sessions, only %d"):format(count, opened) end, loop.deadline * 4)
  return clients
end

-- ---- sending ---------------------------------------------------------------

function Client:send_raw(bytes) self.socket:send(bytes) end
function Client:send_frame(fields) self.socket:send(frame.encode(fields)) end
function Client:send(text) self:send_frame { opcode = frame.TEXT, data = text } end
function Client:send_binary(data) self:send_frame { opcode = frame.BINARY, data = data } end
function Client:send_deflated(text)
  self:send_frame { opcode = frame.TEXT, rsv = 4, data = frame.deflate(text) }
end
function Client:send_cheaply(text) self.socket:send(frame.encode_cheaply(frame.TEXT, text)) end

function Client:send_close(code, reason)
  self.close_sent = true
  self:send_frame { opcode = frame.CLOSE, data = code and string.pack(">I2", code) .. (reason or "") or "" }
end

-- ---- waiting ---------------------------------------------------------------

local function end_of(client)
  if client.close_code then return ("close frame %d %q"):format(client.close_code, client.close_reason) end
  return client.socket.failure or "end without a close frame"
end

-- Takes the next message: data, kind. `was_compressed` tells how it came.
function Client:receive(seconds)
  loop.wait(function() return self.messages[1] or self.close_code or self.socket.is_ended end, "message", seconds)
  local message = table.remove(self.messages, 1)
  if not message then error("no message: " .. end_of(self), 2) end
  self.was_compressed = message[3]
  return message[1], message[2]
end

-- Sends text and takes the next message.
function Client:ask(text)
  self:send(text)
  return self:receive()
end

-- The pong to a ping of ours.
function Client:ping(data)
  local before = #self.pongs
  self:send_frame { opcode = frame.PING, data = data or "" }
  loop.wait(function() return #self.pongs > before or self.socket.is_ended end, "pong")
  return self.pongs[before + 1]
end

-- Waits until the server has closed, first with a close frame, then the
-- connection. Returns the frame's code and reason; raises when there was none.
function Client:wait_close(seconds)
  loop.wait(function() return self.close_code or self.socket.is_ended end, "close frame", seconds)
  if not self.close_code then error("no close frame: " .. end_of(self), 2) end
  self.socket:wait_end(seconds)
  self.socket:close()
  return self.close_code, self.close_reason
end

-- Closes in order and returns what the server answered.
function Client:close(code, reason)
  self:send_close(code or 1000, reason)
  return self:wait_close()
end

-- Leaves without a close frame.
function Client:drop() self.socket:close() end
Client.__close = Client.drop

return ws
