-- From request to answer: finds the route, runs its chain, and hands what comes
-- out to the server. A route without middlewares costs no table and no closure.

local check = require "tidegate.check"
local core = require "tidegate.core"
local middleware = require "tidegate.middleware"
local session_route = require "tidegate.session_route"

local respond, set_route = core.respond, core.set_route

local dispatch = {}

check.hide_file()

---@class tidegate.route
---@field key string a method, "*", "ws" or "sse": where the router keeps it
---@field name string for logs and messages: "GET /hello/{name}"
---@field method string as --check prints it
---@field pattern tidegate.pattern
---@field source string position in the script
---@field guards tidegate.link[]
---@field terminal function the handler, or what admits a session
---@field session tidegate.session_route|nil
---@field chain tidegate.link[]|nil nil: depends on the path
---@field is_direct boolean nothing stands before the handler
---@field has_events boolean|nil the same place has an SSE route beside this one

-- Whether Accept names event streams, and not to refuse them (RFC 9110 12.5.1).
local function wants_events(req)
  local accept = req.headers.accept
  for range in (accept or ""):lower():gmatch("[^,]+") do
    local media, parameters = range:match("^%s*([^%s;]*)(.*)$")
    if media == "text/event-stream" then
      return not (parameters .. ";"):find(";%s*q=0%.?0*%s*;")
    end
  end
  return false
end

-- Aliases: HEAD is served by GET, and an SSE route answers GET.
local function link_methods(routes)
  local get = routes.GET or routes["*"]
  if routes.sse and get then get.has_events = true end
  routes.GET = routes.GET or not get and routes.sse or nil
  routes.HEAD = routes.HEAD or routes.GET
end

local function allow_value(keys)
  local methods = { OPTIONS = true }
  for key in pairs(keys) do
    if key == "ws" then methods.GET, methods.HEAD = true, true
    elseif key:find("^%u+$") then methods[key] = true end
  end
  local names = {}
  for method in pairs(methods) do names[#names + 1] = method end
  table.sort(names)
  return table.concat(names, ", ")
end

-- The terminal for requests without a route.
local function missing_terminal(router)
  return function(req)
    local method, path = req.method, req.raw_path
    if method == "OPTIONS" and path == "*" then return 204 end
    local keys = router:keys(path)
    if next(keys) == nil then return 404 end
    if keys.ws and (method == "GET" or method == "HEAD") then
      return core.ws_check(req)
    end
    local status = method == "OPTIONS" and 204 or 405
    return status, nil, { Allow = allow_value(keys) }
  end
end

-- Answers with what a chain returned; `origin` is the function at its end, if it is a script's.
local function answer(chain, origin, req, res, ...)
  return respond(req, res, chain[1] and middleware.author() or origin, ...)
end

-- Answers a session route's request, or starts the session once the whole chain
-- has unwound.
local function conclude(route, life, chain, req, res, ...)
  if life.session then return session_route.run(route.session, life.session) end
  if not life.is_gone then return answer(chain, route.session.options.upgrade, req, res, ...) end
end

---Prepares the routes of a generation.
---@param router tidegate.router
---@param routes tidegate.route[]
---@param links tidegate.link[] of gate.use, in order
---@return tidegate.dispatch
function dispatch.new(router, routes, links)
  local has_ws = false
  for _, route in ipairs(routes) do
    has_ws = has_ws or route.key == "ws"
    route.chain = middleware.plan(links, route.pattern, route.guards)
    route.is_direct = route.chain ~= nil and #route.chain == 0 and not route.session
  end
  router:each(link_methods)
  local missing = missing_terminal(router)
  local none = {}

  local function find_route(req, method, path, is_upgrade)
    if has_ws and is_upgrade then
      local route, params = router:find(path, "ws", "ws")
      if route then return route, params end
    end
    local route, params = router:find(path, method, "*")
    local is_get = method == "GET" or method == "HEAD"
    if is_get and route and route.has_events and wants_events(req) then
      return router:find(path, "sse", "sse")
    end
    return route, params
  end

  local function chain_of(req, route)
    return route.chain or middleware.select(links, req.path, route.guards)
  end

  -- No handler; but the preflight of a browser (Fetch, "CORS-preflight fetch") is for
  -- the guards of the route that it asks about.
  local function answer_missing(req, res, method, raw_path)
    local asked = method == "OPTIONS" and req.headers["access-control-request-method"]
    local route, params
    if asked then route, params = find_route(req, asked, raw_path, false) end
    if params then req.params = params end
    local chain = route and chain_of(req, route) or middleware.select(links, req.path, none)
    return answer(chain, nil, req, res, middleware.run(chain, missing, req, res))
  end

  return function(req, res, method, raw_path, is_upgrade)
    local route, params = find_route(req, method, raw_path, is_upgrade)
    if not route then return answer_missing(req, res, method, raw_path) end
    if params then req.params = params end
    set_route(req, route.name)
    local terminal = route.terminal
    if route.is_direct then return respond(req, res, terminal, terminal(req, res)) end
    local chain = chain_of(req, route)
    if not route.session then
      return answer(chain, terminal, req, res, middleware.run(chain, terminal, req, res))
    end
    -- With nothing around the terminal, nobody looks at the request any more.
    local life = { is_bare = #chain == 0 }
    return conclude(route, life, chain, req, res, middleware.run(chain, terminal, req, res, life))
  end
end

return dispatch
