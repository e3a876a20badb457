-- Client sockets over TCP (IPv4, IPv6) and unix paths, with blocking reads that
-- have deadlines. What arrives is kept in `input` until it is taken, or
-- given to `on_data` as it comes.
local uv = require "luv"
local loop = require "support.loop"

local tcp = {}

-- Writing to a server that has closed is a failure of the write, not the end of the tests.
local sigpipe = uv.new_signal()
sigpipe:start("sigpipe", function() end)
sigpipe:unref()

local Socket = {}
Socket.__index = Socket

local open_sockets = setmetatable({}, { __mode = "k" })

-- An address as the server logs it, a server object, or "unix:PATH".
local function parse_address(address)
  if type(address) == "table" then address = address.address end
  local path = address:match "^unix:(.+)$"
  if path then return { path = path } end
  local host, port = address:match "^http://%[?([^%]/]-)%]?:(%d+)$"
  assert(host, "not an address: " .. address)
  return { host = host, port = tonumber(port) }
end

local function on_read(socket, err, chunk)
  if err then socket.failure = socket.failure or err end
  if err or not chunk then
    socket.is_ended = true
    if socket.on_end then socket.on_end() end
    return
  end
  if socket.on_data then return socket.on_data(chunk) end
  socket.chunks[#socket.chunks + 1] = chunk
end

local function on_connected(socket, err)
  if err then
    socket.failure = err
    return
  end
  socket.is_connected = true
  if not socket.is_paused then socket:resume() end
  if socket.on_connect then socket.on_connect() end
end

-- Starts to connect; `is_connected` or `failure` tells the outcome.
-- options.source: the local IPv4 address to connect from.
-- options.paused: do not read until resume() is called.
-- options.receive_buffer: bytes the kernel keeps for a reader that stalls.
---@param address table|string
---@param options table|nil
function tcp.open(address, options)
  options = options or {}
  local where = parse_address(address)
  local socket = setmetatable({ chunks = {}, writes = 0, is_paused = options.paused }, Socket)
  local done = loop.guard(function(err) on_connected(socket, err) end)
  if where.path then
    socket.handle = uv.new_pipe(false)
    socket.handle:connect(where.path, done)
  else
    socket.handle = uv.new_tcp(where.host:find(":", 1, true) and "inet6" or "inet")
    if options.source then assert(socket.handle:bind(options.source, 0)) end
    if options.receive_buffer then socket.handle:recv_buffer_size(options.receive_buffer) end
    assert(socket.handle:connect(where.host, where.port, done))
    socket.handle:nodelay(true)
  end
  open_sockets[socket] = true
  return socket
end

-- Connects, or raises.
---@param address table|string
---@param options table|nil
function tcp.connect(address, options)
  local socket = tcp.open(address, options)
  loop.wait(function() return socket.is_connected or socket.failure end, "connection")
  if socket.failure then
    socket:close()
    error("cannot connect: " .. socket.failure, 0)
  end
  return socket
end

-- Nil and the error's name when nobody takes the connection.
---@param address table|string
function tcp.try_connect(address)
  local socket = tcp.open(address)
  loop.wait(function() return socket.is_connected or socket.failure end, "connection or refusal")
  if socket.is_connected then return socket end
  socket:close()
  return nil, socket.failure
end

-- Closes what tests have left open.
function tcp.close_all()
  for socket in pairs(open_sockets) do socket:close() end
end

function Socket:send(data)
  assert(not self.is_closed, "the test has closed this socket")
  self.writes = self.writes + 1
  self.handle:write(data, function(err)
    self.writes = self.writes - 1
    if err then self.failure = self.failure or err end
  end)
end

-- Sends in pieces of `size` bytes, each handed to the kernel on its own.
function Socket:send_in_pieces(data, size)
  for at = 1, #data, size do
    self:send(data:sub(at, at + size - 1))
    loop.wait(function() return self.writes == 0 or self.failure end, "end of a write")
  end
end

function Socket:pause()
  self.is_paused = true
  self.handle:read_stop()
end

function Socket:resume()
  self.is_paused = false
  self.handle:read_start(loop.guard(function(err, chunk) on_read(self, err, chunk) end))
end

-- Everything that has arrived and was not taken yet.
function Socket:peek()
  if #self.chunks > 1 then self.chunks = { table.concat(self.chunks) } end
  return self.chunks[1] or ""
end

function Socket:take(count)
  local input = self:peek()
  self.chunks = { input:sub(count + 1) }
  return input:sub(1, count)
end

local function shown(socket)
  local input = socket:peek()
  return #input > 400 and input:sub(1, 400) .. "..." or input
end

-- Takes `count` bytes; raises when the peer ends before.
function Socket:read(count, seconds)
  local size
  loop.wait(function()
    size = 0
    for _, chunk in ipairs(self.chunks) do size = size + #chunk end
    return size >= count or self.is_ended
  end, ("%d bytes"):format(count), seconds)
  if size < count then error(("the server closed after %d of %d bytes: %s"):format(size, count, shown(self)), 0) end
  return self:take(count)
end

-- Takes everything up to and including the plain text `mark`.
function Socket:read_to(mark, seconds)
  local last
  loop.wait(function()
    last = select(2, self:peek():find(mark, 1, true))
    return last or self.is_ended
  end, function() return ("%q from the server, only %q"):format(mark, shown(self)) end, seconds)
  if not last then
    error(("the server closed before %q: %q (%s)"):format(mark, shown(self), self.failure or "EOF"), 0)
  end
  return self:take(last)
end

-- Takes everything until the server closes.
function Socket:read_to_end(seconds)
  self:wait_end(seconds)
  return self:take(#self:peek())
end

function Socket:wait_end(seconds)
  loop.wait(function() return self.is_ended end, function()
    return ("close by the server (unread: %q)"):format(shown(self))
  end, seconds)
end

-- Whether the peer has broken the connection instead of ending it. libuv takes a
-- reset right behind data for an end in order, but then a write of nothing fails.
function Socket:was_reset()
  local _, _, failure = self.handle:try_write ""
  return self.failure == "ECONNRESET" or failure == "ECONNRESET"
end

function Socket:shutdown()
  self.handle:shutdown(function() end)
end

-- Breaks the connection with a reset instead of an orderly end.
function Socket:reset()
  if self.is_closed then return end
  self.is_closed = true
  open_sockets[self] = nil
  self.handle:close_reset()
  loop.close(self.handle)
end

function Socket:close()
  if self.is_closed then return end
  self.is_closed = true
  open_sockets[self] = nil
  loop.close(self.handle)
end

Socket.__close = Socket.close

return tcp
