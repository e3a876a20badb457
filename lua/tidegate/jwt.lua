-- JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256 (RFC 7515), and nothing
-- else: the algorithm is ours to choose, never the token's.

local check = require "tidegate.check"
local core = require "tidegate.core"

local crypto = core.crypto

local jwt = {}

check.hide_file()

local HEADER = crypto.base64url('{"alg":"HS256","typ":"JWT"}')

local algorithm = {
  name = "alg", type = "choice", choices = { "HS256" }, default = "HS256",
  help = 'the algorithm; there is one, `"HS256"`',
}

local sign_rows = check.declare("jwt_sign", {
  { name = "exp", type = "number", help = "seconds from now until the token expires; sets the claim `exp`" },
  algorithm,
})

local verify_rows = check.declare("jwt_verify", {
  { name = "leeway", type = "seconds", default = 0, help = "seconds by which clocks may differ" },
  { name = "now", type = "number", fallback = "the clock", help = "the time, in seconds since 1970" },
  { name = "iss", type = "text", help = "must be the claim `iss`" },
  { name = "aud", type = "text", help = "must be in the claim `aud`" },
  algorithm,
})

-- An unset environment variable as the secret must stop the script, not sign
-- with a key that everybody knows.
local function check_arguments(name, secret, options, rows)
  if type(secret) ~= "string" or secret == "" then
    check.fail(name, "secret must be a non-empty string (got %s)", check.describe(secret))
  end
  if options == nil then return {} end
  check.type(name, "options", options, "table")
  check.options(name, options, rows)
  return options
end

---Makes a token.
---@param claims table
---@param secret string not empty
---@param options? tidegate.jwt_sign_options
---@return string|nil token
---@return string|nil message when the claims cannot be written as JSON
---@return string|nil code "json"
function jwt.sign(claims, secret, options)
  check.dot("gate.jwt.sign", claims)
  check.type("gate.jwt.sign", "claims", claims, "table")
  options = check_arguments("gate.jwt.sign", secret, options, sign_rows)
  if options.exp then
    local copy = {}
    for name, value in pairs(claims) do copy[name] = value end
    copy.exp = math.floor(core.now() + options.exp)
    claims = copy
  end
  local is_encoded, payload, message = pcall(core.json.encode, claims)
  if not is_encoded or type(payload) ~= "string" then
    return nil, tostring(message or payload), "json"
  end
  local signed = HEADER .. "." .. crypto.base64url(payload)
  return signed .. "." .. crypto.base64url(crypto.hmac("sha256", secret, signed))
end

-- A JSON object in base64url as a table, or nil.
local function decode_object(text)
  local json = crypto.base64url_decode(text)
  if not json or not json:find("^%s*{") then return nil end
  local is_decoded, value = pcall(core.json.decode, json)
  return is_decoded and type(value) == "table" and value or nil
end

local function has_audience(claim, wanted)
  if type(claim) ~= "table" then return claim == wanted end
  for _, each in ipairs(claim) do
    if each == wanted then return true end
  end
  return false
end

-- Why claims are not to be accepted: message, code. Nothing when they are.
local function refuse_claims(claims, options)
  for _, name in ipairs { "exp", "nbf", "iat" } do
    if claims[name] ~= nil and not check.is_finite(claims[name]) then
      return ("claim %s is not a number"):format(name), "malformed"
    end
  end
  local now, leeway = options.now or core.now(), options.leeway or 0
  if claims.exp and now >= claims.exp + leeway then return "the token has expired", "expired" end
  if claims.nbf and now < claims.nbf - leeway then return "the token is not valid yet", "early" end
  if options.iss and claims.iss ~= options.iss then
    return "another issuer made the token", "issuer"
  end
  if options.aud and not has_audience(claims.aud, options.aud) then
    return "the token is for another audience", "audience"
  end
end

---Checks a token and gives its claims. Claims exp and nbf are honoured.
---@param token string|nil
---@param secret string not empty
---@param options? tidegate.jwt_verify_options
---@return table|nil claims
---@return string|nil message
---@return tidegate.jwt_refusal|nil code
function jwt.verify(token, secret, options)
  check.dot("gate.jwt.verify", token)
  if type(token) == "function" then
    check.fail("gate.jwt.verify", "token is a function; was it to be called, as req:bearer()?")
  end
  options = check_arguments("gate.jwt.verify", secret, options, verify_rows)
  if token == nil or token == "" then return nil, "no token", "missing" end
  if type(token) ~= "string" then return nil, "the token is not a string", "malformed" end
  local head, payload, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]*)$")
  local header = head and decode_object(head)
  if not header then return nil, "the token is malformed", "malformed" end
  if header.alg ~= "HS256" then return nil, "the token's algorithm is not HS256", "algorithm" end
  -- RFC 7515 4.1.11: an extension that is not understood must be refused.
  if header.crit ~= nil then return nil, "the token needs an unknown extension", "malformed" end
  -- Compared as text: a second spelling of the same bytes is another token.
  local expected = crypto.base64url(crypto.hmac("sha256", secret, head .. "." .. payload))
  if not crypto.equal(expected, signature) then
    return nil, "the signature does not match", "signature"
  end
  local claims = decode_object(payload)
  if not claims then return nil, "the claims are not a JSON object", "malformed" end
  local message, code = refuse_claims(claims, options)
  if message then return nil, message, code end
  return claims
end

return jwt
