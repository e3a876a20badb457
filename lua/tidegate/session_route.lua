-- WebSocket and SSE routes: checks what scripts declare, and takes a request
-- through its upgrade to a session.

local check = require "tidegate.check"
local core = require "tidegate.core"

local session_route = {}

check.hide_file()

---@class tidegate.session_route what the server keeps of a ws or sse route
---@field key string names the route over reloads: kind, space, pattern
---@field kind "ws"|"sse"
---@field task function|nil
---@field options table what the script passed; empty beside a task

-- What C declares (core/script/reload/route.c), by the kind of session that has it: the
-- options, of these the functions that make a session do something, and whose the others are.
local rows, kinds = core.options "session", {}
for _, kind in ipairs { "ws", "sse" } do
  local options, callbacks, elsewhere = {}, {}, {}
  for _, row in ipairs(rows) do
    if row.only and row.only ~= kind then
      elsewhere[row.name] = "gate." .. row.only
    else
      options[#options + 1] = row
      if row.type == "function" and row.name ~= "upgrade" then callbacks[#callbacks + 1] = row.name end
    end
  end
  kinds[kind] = { options = options, callbacks = callbacks, elsewhere = elsewhere }
end

---Checks the last argument of gate.ws or gate.sse.
---@param name string the function the script called
---@param kind "ws"|"sse"
---@param handler any
---@return tidegate.session_route
function session_route.define(name, kind, handler)
  local definition = { kind = kind, options = {} }
  if type(handler) == "function" then
    definition.task = handler
    return definition
  end
  if type(handler) ~= "table" then
    check.fail(name, "handler must be a function or a table of callbacks (got %s)",
      check.describe(handler))
  end
  check.options(name, handler, kinds[kind].options, kinds[kind].elsewhere)
  local has_callback = false
  for _, callback in ipairs(kinds[kind].callbacks) do
    has_callback = has_callback or handler[callback] ~= nil
  end
  if not has_callback then
    check.fail(name, "a table of callbacks needs at least one of: %s",
      table.concat(kinds[kind].callbacks, ", "))
  end
  for option, value in pairs(handler) do definition.options[option] = value end
  return definition
end

-- The first subprotocol the client offers that the route speaks. None in
-- common: the session starts without one (RFC 6455 4.2.2), and a client that
-- insists closes it.
local function choose_protocol(definition, req)
  local protocols = definition.options.protocols
  local offer = protocols and req.headers["sec-websocket-protocol"]
  if not offer then return nil end
  for name in offer:gmatch("[^%s,]+") do
    for _, spoken in ipairs(protocols) do
      if name == spoken then return name end
    end
  end
end

local function accept(definition, req, life, data, headers)
  if definition.kind == "ws" then
    local protocol = choose_protocol(definition, req)
    return core.accept_ws(req, definition.key, life.is_bare, data, headers, definition.options.upgrade, protocol)
  end
  return core.accept_sse(req, definition.key, life.is_bare, data, headers, definition.options.upgrade)
end

-- Raises about what a function of the route returned; the error opens with where it begins.
local function fail(fn, format, ...)
  error(check.origin(fn) .. ": " .. format:format(...), 0)
end

-- Acts on what `upgrade` returned. Only a table or true lets anyone in, so that
-- `return gate.jwt.verify(...)` refuses when verification fails.
local function decide(definition, req, res, life, verdict, ...)
  if type(verdict) == "number" then return verdict, ... end
  if not verdict then
    if res.started then return end
    return 403
  end
  if verdict ~= true and type(verdict) ~= "table" then
    fail(definition.options.upgrade, "this upgrade returned %s (expected a table, true, nil, false or a status)",
      check.describe(verdict))
  end
  local headers = (...)
  if headers ~= nil and type(headers) ~= "table" then
    fail(definition.options.upgrade, "this upgrade returned headers as %s; they must be a table of name = value",
      check.describe(headers))
  end
  -- The data of `true` is made when somebody asks for it.
  if verdict == true then verdict = nil end
  life.session = accept(definition, req, life, verdict, headers)
  life.is_gone = life.session == nil  -- the client has left, or asked for the head alone
end

---The end of a session route's chain: admits the request or answers it.
---@param definition tidegate.session_route
---@return fun(req: tidegate.Request, res: tidegate.Response, life: table): ...
function session_route.terminal(definition)
  return function(req, res, life)
    local upgrade = definition.options.upgrade
    if definition.kind == "ws" then
      local status, message, headers = core.ws_check(req)
      if status then return status, message, headers end
    end
    if not upgrade then return decide(definition, req, res, life, true) end
    return decide(definition, req, res, life, upgrade(req, res))
  end
end

-- What `open` and tasks return has no meaning. A status is a refusal that comes too late.
local function refuse_status(fn, what, value)
  if math.type(value) == "integer" and value >= 200 and value <= 599 then
    fail(fn, "this %s returned %d, but the session exists already: refuse in upgrade, or call close", what, value)
  end
end

---Runs a session's opening: `open`, or the task to its end.
---@param definition tidegate.session_route
---@param connection tidegate.WebSocket|tidegate.Stream
function session_route.run(definition, connection)
  if not definition.task then
    local open = definition.options.open
    if open then refuse_status(open, "open", open(connection)) end
    return
  end
  refuse_status(definition.task, "function", definition.task(connection))
  -- A stream's task may be no more than its joins; topics feed it from then on.
  if definition.kind == "sse" then
    local topics = connection:topics()
    if topics and #topics > 0 then return end
  end
  connection:close()
end

return session_route
