-- A scope registers routes below a prefix and behind guards. `gate` itself is
-- the outermost: no prefix, no guards.

local check = require "tidegate.check"
local middleware = require "tidegate.middleware"
local pattern = require "tidegate.pattern"
local session_route = require "tidegate.session_route"

local scope = {}

check.hide_file()

local methods = {
  get = "GET",
  post = "POST",
  put = "PUT",
  patch = "PATCH",
  delete = "DELETE",
  options = "OPTIONS",
  any = "*",
}

-- Appends the functions among arguments first..last of the call to `links`.
local function add_links(name, links, prefix, arguments, first, last)
  for i = first, last do
    check.type(name, ("middleware %d"):format(i - first + 1), arguments[i], "function")
    links[#links + 1] = middleware.link(arguments[i], prefix)
  end
  return links
end

-- The pattern `text` of a call below the scope's prefix, as one text.
local function join(name, argument, prefix, text)
  check.type(name, argument, text, "string")
  if text ~= "" and text:sub(1, 1) ~= "/" then
    check.fail(name, "%s %q must start with '/'", argument, text)
  end
  return prefix .. text
end

local function parse(name, argument, text)
  local parsed, fault = pattern.parse(text)
  if not parsed then check.fail(name, "%s %q cannot be used: %s", argument, text, fault) end
  return parsed
end

-- A prefix without its trailing slash, checked. Empty: everything.
local function parse_prefix(name, prefix, text)
  local stars = type(text) == "string" and text:match "^(.*)/%*+$"
  if stars then
    local instead = stars == "" and "leave it out" or ("write %q"):format(stars)
    check.fail(name, "prefix %q: a prefix covers all that is below it: %s", text, instead)
  end
  local joined = join(name, "prefix", prefix, text):gsub("/$", "")
  local parsed = joined ~= "" and parse(name, "prefix", joined) or nil
  if parsed and parsed.segments[#parsed.segments].kind == "rest" then
    check.fail(name, "prefix %q cannot end in a rest placeholder", joined)
  end
  return joined, parsed
end

-- function(pattern, guard..., handler) for one key.
local function registrar(app, own, word, key)
  local name = own.label .. "." .. word
  local kind = (key == "ws" or key == "sse") and key or nil
  return function(text, ...)
    app.check_open(name)
    check.dot(name, text)
    local count, arguments = select("#", ...), { ... }
    local parsed = parse(name, "pattern", join(name, "pattern", own.prefix, text))
    local handler = arguments[count]
    local definition = kind and session_route.define(name, kind, handler)
    if not kind then check.type(name, "handler", handler, "function") end
    local guards = table.move(own.guards, 1, #own.guards, 1, {})
    add_links(name, guards, nil, arguments, 1, count - 1)
    app.add_route(name, {
      key = key,
      pattern = parsed,
      guards = guards,
      terminal = definition and session_route.terminal(definition) or handler,
      session = definition,
    })
  end
end

local function user(app, own)
  local name = own.label .. ".use"
  return function(first, ...)
    app.check_open(name)
    check.dot(name, first)
    local prefix, arguments = "", { first, ... }
    local from, count = 1, select("#", ...) + 1
    if type(first) ~= "function" then
      if type(first) ~= "string" then
        check.fail(name, "the first argument must be a prefix or a middleware (got %s)", check.describe(first))
      end
      prefix, from = first, 2
    end
    local joined, parsed = parse_prefix(name, own.prefix, prefix)
    if parsed and not parsed.is_static then
      check.fail(name, "prefix %q holds a placeholder; pass the functions to scope()", joined)
    end
    if count < from then check.fail(name, "at least one middleware is needed") end
    app.add_links(add_links(name, {}, joined ~= "" and joined or nil, arguments, from, count))
  end
end

---Makes a scope.
---@param app table has check_open, add_route and add_links
---@param label string how messages call it: "gate" or "scope"
---@param prefix string pattern text without trailing slash
---@param guards tidegate.link[]
---@return tidegate.Scope
function scope.new(app, label, prefix, guards)
  local own = { label = label, prefix = prefix, guards = guards }
  local result = { use = user(app, own) }
  for word, method in pairs(methods) do result[word] = registrar(app, own, word, method) end
  for _, kind in ipairs { "ws", "sse" } do result[kind] = registrar(app, own, kind, kind) end

  function result.scope(text, ...)
    local name = label .. ".scope"
    app.check_open(name)
    check.dot(name, text)
    check.type(name, "prefix", text, "string")
    local joined = parse_prefix(name, prefix, text)
    local inner = table.move(guards, 1, #guards, 1, {})
    add_links(name, inner, nil, { ... }, 1, select("#", ...))
    return scope.new(app, "scope", joined, inner)
  end

  -- gate adds names of its own to the outermost.
  return label == "scope" and check.note_misses(label, result) or result
end

return scope
