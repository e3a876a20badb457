-- Chains of middlewares in front of a handler. Pure; knows `res.started` of a
-- response and nothing else of the server.
--
-- A middleware is function(req, res, next). It may answer (return a value, or
-- write to res), or pass on with next(). One that does neither is an error:
-- a guard that forgot to decide must not let anyone in.

local check = require "tidegate.check"

local middleware = {}

check.hide_file()

---@class tidegate.link a middleware in a chain
---@field fn fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
---@field prefix string|nil the decoded path under which it runs; nil: everywhere

---@param fn function
---@param prefix string|nil
---@return tidegate.link
function middleware.link(fn, prefix)
  return { fn = fn, prefix = prefix }
end

---Whether a decoded path is the prefix or lies below it, on a segment boundary.
---@param prefix string|nil
---@param path string
---@return boolean
function middleware.covers(prefix, path)
  if not prefix or path == prefix then return true end
  local length = #prefix
  return path:sub(1, length) == prefix and path:byte(length + 1) == 47
end

---Whether paths of a pattern lie under a prefix.
---@param prefix string|nil
---@param pattern tidegate.pattern
---@return "always"|"never"|"sometimes" answer sometimes: a placeholder decides
function middleware.relation(prefix, pattern)
  local lead = pattern.lead
  if middleware.covers(prefix, lead) then return "always" end
  -- The lead of a pattern with placeholders ends where the first one starts.
  if not pattern.is_static and prefix and prefix:sub(1, #lead) == lead then return "sometimes" end
  return "never"
end

---The links for a path: those of `links` that cover it, then `guards`.
---@param links tidegate.link[]
---@param path string decoded
---@param guards tidegate.link[]
---@return tidegate.link[]
function middleware.select(links, path, guards)
  local chain = {}
  for _, link in ipairs(links) do
    if middleware.covers(link.prefix, path) then chain[#chain + 1] = link end
  end
  table.move(guards, 1, #guards, #chain + 1, chain)
  return chain
end

---The links for every path of a pattern, or nil when they depend on the path
---and have to be selected per request.
---@param links tidegate.link[]
---@param pattern tidegate.pattern
---@param guards tidegate.link[]
---@return tidegate.link[]|nil
function middleware.plan(links, pattern, guards)
  local chain = {}
  for _, link in ipairs(links) do
    local relation = middleware.relation(link.prefix, pattern)
    if relation == "sometimes" then return nil end
    if relation == "always" then chain[#chain + 1] = link end
  end
  table.move(guards, 1, #guards, #chain + 1, chain)
  return chain
end

local function fail(link, what)
  error(check.origin(link.fn) .. ": this middleware " .. what, 0)
end

local run

-- Whose values a chain returned, right after it has: a middleware's function, or nil for
-- the terminal. For messages about values that mean no answer.
local author

---@return function|nil author of what middleware.run has just returned; nil: the terminal
function middleware.author() return author end

-- What a middleware's own return values and those of its next make together.
local function settle(link, state, res, first, ...)
  local passed = state.passed
  state.over = true
  if first ~= nil then
    local is_handed_on = passed and rawequal(first, state.status) and rawequal((...), state.body)
    if is_handed_on then author = state.author else author = link.fn end
    return first, ...
  end
  author = state.author
  if passed then return state.status, state.body, state.headers end
  if not res.started then
    fail(link, "neither answered nor called next: to pass on, it ends with return next()")
  end
end

-- Runs the links from `index` on, then the terminal.
function run(chain, index, terminal, req, res, extra)
  local link = chain[index]
  if not link then return terminal(req, res, extra) end
  local state = {}
  local function pass()
    if state.passed then fail(link, "called next twice") end
    if state.over then fail(link, "called next after it had returned") end
    state.passed = true
    state.status, state.body, state.headers = run(chain, index + 1, terminal, req, res, extra)
    state.author = chain[index + 1] and author
    return state.status, state.body, state.headers
  end
  return settle(link, state, res, link.fn(req, res, pass))
end

---Runs a chain and then terminal(req, res, extra).
---@param chain tidegate.link[]
---@param terminal fun(req: tidegate.Request, res: tidegate.Response, extra: any): ...
---@param req tidegate.Request
---@param res tidegate.Response
---@param extra any
---@return any ... what answers the request, at most three values once a middleware stood before it
function middleware.run(chain, terminal, req, res, extra)
  return run(chain, 1, terminal, req, res, extra)
end

return middleware
