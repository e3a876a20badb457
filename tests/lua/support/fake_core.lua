-- A stand-in for the native module `tidegate.core`: records what the framework
-- asks of the server. load() gives a fresh generation of the framework over it.

local dkjson = require "dkjson"
local sha256 = require "lua.support.sha256"

local fake = {}

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

local function base64url_encode(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    for shift = 18, c and 0 or b and 6 or 12, -6 do
      local index = (bits >> shift & 63) + 1
      out[#out + 1] = alphabet:sub(index, index)
    end
  end
  return table.concat(out)
end

local function base64url_decode(text)
  local bits, count, out = 0, 0, {}
  for c in text:gmatch(".") do
    local index = alphabet:find(c, 1, true)
    if not index then return nil end
    bits, count = (bits << 6 | index - 1) & 0xffffff, count + 6
    if count >= 8 then
      count = count - 8
      out[#out + 1] = string.char(bits >> count & 255)
    end
  end
  return table.concat(out)
end

local function url_decode(text)
  local rest = text:gsub("%%%x%x", "")
  if rest:find("%", 1, true) then return nil end
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Near is what has the same letters, in whatever order.
local function nearest(wanted, names)
  local function letters(text)
    local out = {}
    for letter in text:lower():gmatch "." do out[#out + 1] = letter end
    table.sort(out)
    return table.concat(out)
  end
  for _, name in ipairs(names) do
    if letters(name) == letters(wanted) then return name end
  end
end

-- Rows as those that C declares for gate.ws and gate.sse.
local session_rows = {
  { name = "upgrade", type = "function" },
  { name = "open", type = "function" },
  { name = "message", type = "function", only = "ws" },
  { name = "close", type = "function" },
  { name = "gap", type = "function" },
  { name = "drain", type = "function" },
  { name = "heartbeat", type = "seconds", only = "ws" },
  { name = "envelope", type = "boolean", only = "ws" },
  {
    name = "compress", type = "switch", only = "ws", inner = { { name = "context_takeover", type = "boolean" } },
    expected = "true, false, or a table with context_takeover = true or false",
  },
  { name = "max_message", type = "bytes", only = "ws" },
  { name = "protocols", type = "names", only = "ws", least = 1, expected = "a list of protocol names" },
  { name = "keepalive", type = "seconds", only = "sse" },
  { name = "on_full", type = "choice", choices = { "refuse", "close" }, default = "refuse" },
}

-- What one respond or accept call recorded.
local function new_core(log)
  local core = {
    now = function() return log.now or 1700000000.25 end,
    json = {
      encode = function(value)
        local text, message = dkjson.encode(value)
        if not text then error(message) end
        return text
      end,
      decode = function(text)
        local value, _, message = dkjson.decode(text, 1, dkjson.null)
        if message then error(message) end
        return value
      end,
      null = dkjson.null,
    },
    crypto = {
      hmac = function(algorithm, key, data) return algorithm == "sha256" and sha256.hmac(key, data) end,
      base64url = base64url_encode,
      base64url_decode = base64url_decode,
      equal = function(a, b) return a == b end,
    },
    nearest = nearest,
    note_miss = function() end,
    url_decode = url_decode,
    options = function(name) return assert(name == "session" and session_rows) end,
    env = {},
    log = {},
    dir = "scripts",
    version = "0.0",
  }
  for _, name in ipairs { "publish", "topic", "count", "sleep", "every", "after", "spawn", "id", "keep",
    "stats", "history", "topics", "presence", "subscribe" } do
    core[name] = function() return name end
  end
  function core.respond(_, res, origin, ...)
    log[#log + 1] = "respond"
    log.origin = origin
    log.response = table.pack(...)
    res.started = true
  end
  function core.set_route(_, name) log.route = name end
  function core.ws_check(req)
    if not req.is_upgrade then return 426, "no upgrade", { ["x-why"] = "upgrade" } end
    if req.bad_handshake then return 400, "bad handshake", { ["x-why"] = "key" } end
  end
  local function accept(kind)
    return function(req, key, is_bare, data, headers, origin, protocol)
      log.origin = origin
      log[#log + 1] = "accept " .. kind
      if req.has_left then return nil, "closed" end
      if req.method == "HEAD" then return end
      local connection = { kind = kind, key = key, is_bare = is_bare, data = data,
        protocol = protocol, headers = headers, joined = {} }
      function connection:topics() return self.joined end
      function connection.close() log[#log + 1] = "close" end
      log.connection = connection
      return connection
    end
  end
  core.accept_ws, core.accept_sse = accept "ws", accept "sse"
  return core
end

---A fresh generation of the framework.
---@return table generation gate, app, log, core and request(method, raw_path, fields)
function fake.load()
  for name in pairs(package.loaded) do
    if name:find("^tidegate") then package.loaded[name] = nil end
  end
  local log = {}
  local generation = { log = log, core = new_core(log) }
  package.loaded["tidegate.core"] = generation.core
  generation.gate = require "tidegate"
  generation.app = require "tidegate.app"

  local function prepare(method, raw_path, fields)
    for key in pairs(log) do log[key] = nil end
    local req = { method = method, raw_path = raw_path, path = url_decode(raw_path), headers = {} }
    for name, value in pairs(fields or {}) do req[name] = value end
    generation.finished = generation.finished or generation.app.finish()
    local res = { started = false, headers = {} }
    function res:header(name, value) self.headers[name] = value end
    function res:write(text) self.started, self.text = true, (self.text or "") .. text end
    return req, res
  end

  -- Dispatches a request; the values that respond was given follow.
  function generation.request(method, raw_path, fields)
    local req, res = prepare(method, raw_path, fields)
    generation.finished.dispatch(req, res, method, raw_path, req.is_upgrade or false)
    generation.req, generation.res = req, res
    if log.response then return table.unpack(log.response, 1, log.response.n) end
  end

  return generation
end

return fake
