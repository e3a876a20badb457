-- gate.guard.cors: lets pages of other origins read what routes answer (the
-- Fetch standard, "HTTP CORS protocol"). Browsers ask with a preflight before they
-- send what a form could not, as Authorization or, from scripts, Last-Event-ID.

local check = require "tidegate.check"

check.hide_file()

local NAME = "gate.guard.cors"

-- "*" or a list as browsers write origins: in lower case, without a path.
local function is_origins(value)
  if type(value) ~= "table" then return value == "*" end
  local count = 0
  for _, origin in pairs(value) do
    count = count + 1
    if type(origin) ~= "string" or not origin:find "^[%l%d+.-]+://[^/%s%u]+$" then return false end
  end
  return count == #value and count > 0
end

local rows = check.declare("cors", {
  {
    name = "origins", type = "any", test = is_origins, needed = true, luals = '"*"|string[]',
    expected = '"*" or a list of origins as "https://a.example"',
    help = 'a list of origins as browsers send them (`"https://app.example"`, a port where it is not the usual '
      .. 'one), or `"*"`: all. Needed',
  },
  {
    name = "credentials", type = "boolean", default = false,
    help = 'whether cookies and HTTP logins may come along; not with `"*"`',
  },
  {
    name = "headers", type = "names", default = { "Authorization", "Cache-Control", "Content-Type", "Last-Event-ID" },
    help = "list: headers that requests may have",
  },
  {
    name = "methods", type = "names", default = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" },
    help = "list of methods",
  },
  { name = "expose", type = "names", default = {}, help = "list: headers of answers that pages may read" },
  -- A day is as long as any browser keeps it.
  {
    name = "max_age", type = "seconds", least = 0, most = 86400, default = 600,
    help = "seconds that a browser keeps the answer to a preflight, at most 86400",
  },
})

local function check_options(options)
  check.dot(NAME, options)
  check.type(NAME, "options", options, "table")
  check.options(NAME, options, rows)
  if options.credentials and options.origins == "*" then
    check.fail(NAME, "credentials need a list of origins: browsers refuse them with \"*\"")
  end
end

-- What every answer to an origin that is allowed says.
local function answer_fields(options)
  return {
    ["Access-Control-Allow-Credentials"] = options.credentials and "true" or nil,
    ["Access-Control-Expose-Headers"] = options.expose[1] and table.concat(options.expose, ", "),
  }
end

local function preflight_fields(options)
  return {
    ["Access-Control-Allow-Methods"] = table.concat(options.methods, ", "),
    ["Access-Control-Allow-Headers"] = table.concat(options.headers, ", "),
    ["Access-Control-Max-Age"] = ("%d"):format(options.max_age // 1),
  }
end

local function set_all(res, fields)
  for name, value in pairs(fields) do res:header(name, value) end
end

-- What Access-Control-Allow-Origin says to each origin; nil: not allowed.
local function answers_by_origin(origins)
  if origins == "*" then return setmetatable({}, { __index = function() return "*" end }) end
  local answers = {}
  for _, origin in ipairs(origins) do answers[origin] = origin end
  return answers
end

---Makes the guard. It answers preflights, adds to other answers what browsers
---look for, and refuses nothing: whether a request may come is for others to say.
---@param options tidegate.cors_options
---@return fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
return function(options)
  check_options(options)
  options = check.with_defaults(options, rows)
  local answers, varies = answers_by_origin(options.origins), options.origins ~= "*"
  local of_answer, of_preflight = answer_fields(options), preflight_fields(options)
  return function(req, res, next)
    -- Also without Origin: a cache must not give that answer to a page.
    if varies then res:header("Vary", "Origin") end
    local origin = req.headers.origin
    if not origin then return next() end
    local is_preflight = req.method == "OPTIONS" and req.headers["access-control-request-method"]
    local answer = answers[origin]
    if answer then
      res:header("Access-Control-Allow-Origin", answer)
      set_all(res, of_answer)
    end
    if not is_preflight then return next() end
    if not answer then return 403, "this origin is not allowed\n" end
    set_all(res, of_preflight)
    return 204
  end
end
