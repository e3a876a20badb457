-- What the scripts of one generation have registered. Every generation loads
-- the framework afresh, so the state of this module is the generation's state;
-- the server takes it over with finish() once all scripts have run.

local check = require "tidegate.check"
local core = require "tidegate.core"
local dispatch = require "tidegate.dispatch"
local router = require "tidegate.router"
local scope = require "tidegate.scope"

local app = {}

check.hide_file()
check.nearest, check.note_miss = core.nearest, core.note_miss

local paths = router.new(core.url_decode)
local routes = {} ---@type tidegate.route[]
local links = {} ---@type tidegate.link[]
local session_routes = {} ---@type tidegate.session_route[]
local is_finished = false

-- Words for keys that are not methods.
local method_names = { ["*"] = "ANY", ws = "WS", sse = "SSE" }

---Raises when the scripts have been loaded already.
---@param name string the function the script called
function app.check_open(name)
  if is_finished then check.fail(name, "routes can only be registered while scripts load") end
end

---Adds a route whose arguments are checked; raises when it exists already.
---@param name string the function the script called
---@param route tidegate.route key, pattern, guards, terminal and session are set
function app.add_route(name, route)
  route.method = method_names[route.key] or route.key
  route.source = check.position() or "?"
  route.name = route.method .. " " .. route.pattern.text
  local existing = paths:add(route.pattern, route.key, route)
  if existing then
    local as = existing.name ~= route.name and " as " .. existing.pattern.text or ""
    check.fail(name, "route %s is already registered%s at %s", route.name, as, existing.source)
  end
  routes[#routes + 1] = route
  if route.session then
    session_routes[#session_routes + 1] = route.session
    route.session.key = route.key .. " " .. route.pattern.text
  end
end

---Adds middlewares that run for every request under their prefix.
---@param added tidegate.link[]
function app.add_links(added)
  table.move(added, 1, #added, #links + 1, links)
end

---The scope that `gate` is.
app.root = scope.new(app, "gate", "", {})

---@class tidegate.generation
---@field dispatch tidegate.dispatch to be called in a task
---@field session_routes tidegate.session_route[] what accept_ws and accept_sse name by key
---@field routes { method: string, pattern: string, source: string }[] for --check

---Ends registration and hands everything over. Called once by the server.
---@return tidegate.generation
function app.finish()
  is_finished = true
  local listing = {}
  for i, route in ipairs(routes) do
    listing[i] = { method = route.method, pattern = route.pattern.text, source = route.source }
  end
  return { dispatch = dispatch.new(paths, routes, links), session_routes = session_routes, routes = listing }
end

return app
