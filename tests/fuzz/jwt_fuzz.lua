-- A token is accepted exactly when it is signed, says HS256 and its claims hold;
-- no altered or invented one ever is.
local core = require "tidegate.core"
local equal = require "equal"
local jwt = require "tidegate.jwt"

local SECRET, NOW = "a secret", 1700000000

local function verify(token) return jwt.verify(token, SECRET, { now = NOW }) end

local function object(text)
  local value = text:find "^%s*{" and core.json.decode(text)
  return type(value) == "table" and value or nil
end

local function is_time(value)
  return value == nil or type(value) == "number" and value - value == 0
end

local function holds(claims)
  if not (is_time(claims.exp) and is_time(claims.nbf) and is_time(claims.iat)) then return false end
  return (claims.exp or NOW + 1) > NOW and (claims.nbf or NOW) <= NOW
end

local function is_acceptable(header, payload)
  local head, claims = object(header), object(payload)
  return head ~= nil and head.alg == "HS256" and head.crit == nil and claims ~= nil and holds(claims)
end

-- Changes the character at a place that `damage` names to one that it names.
local function alter(token, damage)
  local at = (damage:byte(1) or 0) % #token
  return token:sub(1, at) .. (damage:sub(2, 2)) .. token:sub(at + 2)
end

return function(header, payload, damage, text)
  payload, damage = payload or "", damage or ""
  local signed = core.crypto.base64url(header) .. "." .. core.crypto.base64url(payload)
  local token = signed .. "." .. core.crypto.base64url(core.crypto.hmac("sha256", SECRET, signed))
  local claims = verify(token)
  assert((claims ~= nil) == is_acceptable(header, payload), "accepted when it should be")
  for _, other in ipairs { alter(token, damage), text or "", signed, signed .. ".", token .. damage } do
    assert(other == token or verify(other) == nil, "an unsigned token is refused")
  end
  assert(jwt.verify(token, SECRET .. "x", { now = NOW }) == nil, "another secret is refused")
  if claims then assert(equal(verify(assert(jwt.sign(claims, SECRET))), claims), "signed again") end
end
