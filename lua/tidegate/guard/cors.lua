-- gate.guard.cors: lets pages of other origins read what routes answer (the
-- Fetch standard, "HTTP CORS protocol"). Browsers ask with a preflight before they
-- send what a form could not, as Authorization or, from scripts, Last-Event-ID.

local check = require "tidegate.check"

check.hide_file()

local NAME = "gate.guard.cors"

-- An array whose entries all match the pattern.
local function is_list_of(value, pattern)
  if type(value) ~= "table" then return false end
  local count = 0
  for _, entry in pairs(value) do
    count = count + 1
    if type(entry) ~= "string" or not entry:find(pattern) then return false end
  end
  return count == #value
end

local function refuse_tokens(value)
  if not is_list_of(value, "^[%w!#$%%&'*+.^_`|~-]+$") then return "a list of names" end
end

-- As browsers write an origin: in lower case, without a path.
local function refuse_origins(value)
  if value == "*" or is_list_of(value, "^[%l%d+.-]+://[^/%s%u]+$") and #value > 0 then return end
  return '"*" or a list of origins as "https://a.example"'
end

-- A day is as long as any browser keeps it.
local function refuse_max_age(value)
  if type(value) ~= "number" or not (value >= 0 and value <= 86400) then
    return "a number of seconds from 0 to 86400"
  end
end

local known = {
  origins = refuse_origins,
  credentials = check.is_boolean,
  methods = refuse_tokens,
  headers = refuse_tokens,
  expose = refuse_tokens,
  max_age = refuse_max_age,
}

local defaults = {
  methods = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" },
  headers = { "Authorization", "Content-Type", "Last-Event-ID" },
  expose = {},
  max_age = 600,
}

local function check_options(options)
  check.type(NAME, "options", options, "table")
  check.options(NAME, options, known)
  if not options.origins then check.fail(NAME, 'option "origins" is needed') end
  if options.credentials and options.origins == "*" then
    check.fail(NAME, "credentials need a list of origins: browsers refuse them with \"*\"")
  end
end

-- What every answer to an origin that is allowed says.
local function answer_fields(options)
  local expose = options.expose or defaults.expose
  return {
    ["Access-Control-Allow-Credentials"] = options.credentials and "true" or nil,
    ["Access-Control-Expose-Headers"] = expose[1] and table.concat(expose, ", "),
  }
end

local function preflight_fields(options)
  return {
    ["Access-Control-Allow-Methods"] = table.concat(options.methods or defaults.methods, ", "),
    ["Access-Control-Allow-Headers"] = table.concat(options.headers or defaults.headers, ", "),
    ["Access-Control-Max-Age"] = ("%d"):format((options.max_age or defaults.max_age) // 1),
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
---@class tidegate.cors_options
---@field origins "*"|string[]
---@field credentials boolean|nil cookies and HTTP logins
---@field methods string[]|nil
---@field headers string[]|nil of requests
---@field expose string[]|nil headers of answers that pages may read
---@field max_age number|nil seconds that browsers keep the answer to a preflight
---@param options tidegate.cors_options
---@return fun(req: tidegate.Request, res: tidegate.Response, next: fun(): ...): ...
return function(options)
  check_options(options)
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
