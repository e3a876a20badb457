-- From path to route. Pure: no request, no response, no native module; the
-- percent decoder comes from outside.
--
-- Paths without placeholders are found in one hash on the raw path. The others
-- are found in a tree of segments, tried from most to least specific: literal,
-- constrained placeholder (in order of registration), placeholder, rest. A dead
-- end goes back, and a path whose route has another key (method) counts as one,
-- so GET /users/{id} answers GET /users/me beside a POST /users/me. A search
-- visits a node at most once, so its cost is bounded by the size of the tree.

local find, sub, byte = string.find, string.sub, string.byte

---@class tidegate.router
---@field private root table
---@field private static table<string, table>
---@field private endpoints table[]
---@field private decode fun(text: string): string|nil
local router = {}
router.__index = router

---@param decode fun(text: string): string|nil percent-decodes; nil when malformed
---@return tidegate.router
function router.new(decode)
  return setmetatable({
    root = { literals = {} },
    static = {},
    endpoints = {},
    has_placeholders = false,
    decode = decode,
  }, router)
end

local function child_constrained(node, segment)
  node.constrained = node.constrained or {}
  for _, branch in ipairs(node.constrained) do
    if branch.match == segment.match then return branch.node end
  end
  local child = { literals = {} }
  node.constrained[#node.constrained + 1] = { match = segment.match, matches = segment.matches, node = child }
  return child
end

-- The node below `node` for a segment, made when it is not there.
local function child_for(node, segment)
  if segment.kind == "literal" then
    local child = node.literals[segment.text] or { literals = {} }
    node.literals[segment.text] = child
    return child
  end
  if segment.kind == "constrained" then return child_constrained(node, segment) end
  local field = segment.kind
  node[field] = node[field] or { literals = {} }
  return node[field]
end

---Adds a route under a key: a method, "*" for any method, "ws" or "sse".
---@generic T
---@param pattern tidegate.pattern
---@param key string
---@param route T
---@return T|nil existing has this key and this shape already; then nothing is changed
function router:add(pattern, key, route)
  local node = self.root
  for _, segment in ipairs(pattern.segments) do node = child_for(node, segment) end
  local endpoint = node.endpoint
  if not endpoint then
    endpoint = { routes = {}, names = {} }
    node.endpoint = endpoint
    self.endpoints[#self.endpoints + 1] = endpoint
  end
  if endpoint.routes[key] then return endpoint.routes[key] end
  endpoint.routes[key] = route
  endpoint.names[route] = pattern.names
  if pattern.is_static then
    self.static[pattern.text] = endpoint.routes
  else
    self.has_placeholders = true
  end
  return nil
end

---Calls `fn` with the key -> route table of each shape; fn may add aliases to it.
---@param fn fun(routes: table<string, any>)
function router:each(fn)
  for _, endpoint in ipairs(self.endpoints) do fn(endpoint.routes) end
end

-- State of the search under way. Searches never yield, so one set will do, and
-- none is allocated per request.
local path, key, other, decode
local values = {}

local walk

local function accept(endpoint)
  if not endpoint then return nil end
  local route = endpoint.routes[key] or endpoint.routes[other]
  if route then return route, endpoint end
end

-- Goes on below `node`; `slash` is the position of the next '/', nil at the end.
local function descend(node, slash, count)
  if slash then return walk(node, slash + 1, count) end
  return accept(node.endpoint)
end

-- A rest value never holds a segment with a decoded '/': otherwise "..%2F"
-- would hand "../" to scripts that open files.
local function rest_value(start)
  local text = sub(path, start)
  if not decode then return text end
  if find(text, "%%2[Ff]") then return nil end
  return decode(text)
end

local function walk_constrained(branches, segment, slash, count)
  for i = 1, #branches do
    local branch = branches[i]
    if branch.matches(segment) then
      values[count + 1] = segment
      local route, endpoint = descend(branch.node, slash, count + 1)
      if route then return route, endpoint end
    end
  end
end

-- The segment that starts at `start` against the children of `node`; `count`
-- values are taken so far.
function walk(node, start, count)
  local slash = find(path, "/", start, true)
  local segment = sub(path, start, slash and slash - 1 or -1)
  if decode then segment = decode(segment) end
  if not segment then return nil end
  local route, endpoint
  local child = node.literals[segment]
  if child then
    route, endpoint = descend(child, slash, count)
    if route then return route, endpoint end
  end
  if segment ~= "" then
    if node.constrained then
      route, endpoint = walk_constrained(node.constrained, segment, slash, count)
      if route then return route, endpoint end
    end
    child = node.placeholder
    if child then
      values[count + 1] = segment
      route, endpoint = descend(child, slash, count + 1)
      if route then return route, endpoint end
    end
  end
  if node.rest and start <= #path then
    values[count + 1] = rest_value(start)
    if values[count + 1] then return accept(node.rest.endpoint) end
  end
end

-- Constructors size the table at once; growing it key by key costs more than
-- the whole search.
local function params_of(names)
  local count = #names
  if count == 1 then return { [names[1]] = values[1] } end
  if count == 2 then return { [names[1]] = values[1], [names[2]] = values[2] } end
  local params = { [names[1]] = values[1], [names[2]] = values[2], [names[3]] = values[3] }
  for i = 4, count do params[names[i]] = values[i] end
  return params
end

---The most specific route of a path that has `wanted`, or else `fallback`.
---@param raw_path string still encoded
---@param wanted string a key
---@param fallback string a key that will do at the same place
---@return any|nil route
---@return table<string, string>|nil params decoded; nil for a path without placeholders
function router:find(raw_path, wanted, fallback)
  local routes = self.static[raw_path]
  if routes then
    local route = routes[wanted] or routes[fallback]
    if route then return route end
  end
  local is_encoded = find(raw_path, "%", 1, true)
  if not self.has_placeholders and not is_encoded or byte(raw_path) ~= 47 then return nil end
  path, key, other, decode = raw_path, wanted, fallback, is_encoded and self.decode or nil
  local route, endpoint = walk(self.root, 2, 0)
  if not route then return nil end
  local names = endpoint.names[route]
  if #names == 0 then return route end
  return route, params_of(names)
end

---The keys that have a route at a path: what Allow is made of. Not for the hot path.
---@param raw_path string
---@return table<string, true>
function router:keys(raw_path)
  local known, result = {}, {}
  self:each(function(routes)
    for each in pairs(routes) do known[each] = true end
  end)
  for each in pairs(known) do
    if self:find(raw_path, each, each) then result[each] = true end
  end
  return result
end

return router
