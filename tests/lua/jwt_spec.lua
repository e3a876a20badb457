-- jwt: HS256 tokens, made and checked.
local fake_core = require "lua.support.fake_core"
local sha256 = require "lua.support.sha256"

local secret = "a secret"

describe("jwt", function()
  local generation, jwt, core
  before_each(function()
    generation = fake_core.load()
    jwt, core = generation.gate.jwt, generation.core
  end)

  local function encode(text) return core.crypto.base64url(text) end

  -- A token of any header and payload text, properly signed.
  local function forge(header, payload, key)
    local signed = encode(header) .. "." .. encode(payload)
    return signed .. "." .. encode(core.crypto.hmac("sha256", key or secret, signed))
  end

  local function refusal(token, options)
    local claims, message, code = jwt.verify(token, secret, options)
    assert.is_nil(claims)
    assert.is_string(message)
    return code
  end

  it("stands on a right HMAC (RFC 4231, case 2)", function()
    local hex = sha256.hmac("Jefe", "what do ya want for nothing?"):gsub(".", function(c)
      return ("%02x"):format(c:byte())
    end)
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", hex)
  end)

  it("verifies the token of RFC 7515 A.1", function()
    local key = core.crypto.base64url_decode(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
    local token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
      .. ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
      .. ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    local claims = jwt.verify(token, key, { now = 1300819379 })
    assert.same({ iss = "joe", exp = 1300819380, ["http://example.com/is_root"] = true }, claims)
    assert.equal("expired", select(3, jwt.verify(token, key)))
    assert.equal("signature", select(3, jwt.verify(token, key .. "x", { now = 0 })))
  end)

  it("verifies what it signs", function()
    local token = assert(jwt.sign({ sub = "ann", roles = { "a", "b" } }, secret))
    assert.same({ sub = "ann", roles = { "a", "b" } }, jwt.verify(token, secret))
    assert.same({ sub = "ann", roles = { "a", "b" } }, jwt.verify(token, secret, { alg = "HS256" }))
  end)

  it("signs an expiry without touching the caller's table", function()
    local claims = { sub = "ann" }
    local token = jwt.sign(claims, secret, { exp = 60 })
    assert.same({ sub = "ann" }, claims)
    assert.same({ sub = "ann", exp = 1700000060 }, jwt.verify(token, secret))
    generation.log.now = 1700000060
    assert.equal("expired", refusal(token))
    assert.is_table(jwt.verify(token, secret, { leeway = 1 }))
  end)

  it("says when claims cannot be encoded", function()
    local token, message, code = jwt.sign({ f = print }, secret)
    assert.is_nil(token)
    assert.is_string(message)
    assert.equal("json", code)
  end)

  it("refuses a missing token", function()
    assert.equal("missing", refusal(nil))
    assert.equal("missing", refusal(""))
  end)

  it("refuses every altered character", function()
    local token = jwt.sign({ sub = "ann" }, secret)
    for i = 1, #token do
      local c = token:sub(i, i)
      local other = c == "A" and "B" or "A"
      assert.is_nil(jwt.verify(token:sub(1, i - 1) .. other .. token:sub(i + 1), secret), i)
    end
  end)

  it("refuses a second spelling of the signature", function()
    local token = jwt.sign({ sub = "ann" }, secret)
    local signature = token:match("[^.]+$")
    local bytes, spellings = core.crypto.base64url_decode(signature), 0
    for c in ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"):gmatch(".") do
      local spelling = signature:sub(1, -2) .. c
      if core.crypto.base64url_decode(spelling) == bytes and spelling ~= signature then
        spellings = spellings + 1
        assert.equal("signature", refusal(token:sub(1, -2) .. c))
      end
    end
    assert.is_true(spellings > 0)
  end)

  it("refuses other algorithms, whatever their signature", function()
    for _, alg in ipairs { '"none"', '"None"', '"hs256"', '"HS512"', '"RS256"', '"HS256 "', "null", "[]", "1" } do
      assert.equal("algorithm", refusal(forge('{"alg":' .. alg .. "}", '{"sub":"ann"}')))
    end
    assert.equal("algorithm", refusal(forge('{"typ":"JWT"}', "{}")))
    assert.equal("algorithm", refusal(encode '{"alg":"none"}' .. "." .. encode '{"sub":"ann"}' .. "."))
  end)

  it("refuses an empty signature", function()
    assert.equal("signature", refusal(encode '{"alg":"HS256"}' .. "." .. encode '{"sub":"ann"}' .. "."))
  end)

  it("refuses extensions it does not know", function()
    assert.equal("malformed", refusal(forge('{"alg":"HS256","crit":["exp"]}', "{}")))
  end)

  it("refuses what is not a token", function()
    for _, token in ipairs { "x", "a.b", "a.b.c", "a.b.c.d", "..", ".a.b", "a b.c.d", 5, {}, true } do
      assert.equal("malformed", refusal(token))
    end
    assert.equal("malformed", refusal(forge("[]", "{}")))
    assert.equal("malformed", refusal(forge("{", "{}")))
    assert.equal("malformed", refusal(forge('{"alg":"HS256"}', "[1]")))
    assert.equal("malformed", refusal(forge('{"alg":"HS256"}', '"text"')))
    assert.equal("malformed", refusal(forge('{"alg":"HS256"}', "{")))
    assert.equal("malformed", refusal(forge('{"alg":"HS256"}', "{}") .. "="))
    assert.equal("malformed", refusal(forge('{"alg":"HS256"}', "{}") .. "\n"))
  end)

  it("checks the signature before it reads the claims", function()
    assert.equal("signature", refusal(forge('{"alg":"HS256"}', "{", "other")))
  end)

  local header = '{"alg":"HS256"}'
  local times = {
    { '{"exp":1700000000}', "expired" },
    { '{"exp":1700000001}', nil },
    { '{"nbf":1700000001}', "early" },
    { '{"nbf":1700000000}', nil },
    { '{"iat":1800000000}', nil },
    { '{"exp":"1800000000"}', "malformed" },
    { '{"exp":null}', "malformed" },
    { '{"nbf":false}', "malformed" },
    { '{"iat":"x"}', "malformed" },
  }
  for _, row in ipairs(times) do
    it(("takes %s for %s"):format(row[1], row[2] or "valid"), function()
      local claims, _, code = jwt.verify(forge(header, row[1]), secret)
      assert.equal(row[2], code)
      assert.equal(row[2] == nil, claims ~= nil)
    end)
  end

  it("gives leeway to both ends", function()
    assert.is_table(jwt.verify(forge(header, '{"exp":1700000000,"nbf":1700000005}'), secret, { leeway = 5 }))
    assert.equal("early", refusal(forge(header, '{"nbf":1700000009}'), { leeway = 5 }))
  end)

  it("asks for issuer and audience when told to", function()
    local token = forge(header, '{"iss":"a","aud":["x","y"]}')
    assert.is_table(jwt.verify(token, secret))
    assert.is_table(jwt.verify(token, secret, { iss = "a", aud = "y" }))
    assert.equal("issuer", refusal(token, { iss = "b" }))
    assert.equal("audience", refusal(token, { aud = "z" }))
    assert.is_table(jwt.verify(forge(header, '{"aud":"x"}'), secret, { aud = "x" }))
    assert.equal("audience", refusal(forge(header, "{}"), { aud = "x" }))
    assert.equal("issuer", refusal(forge(header, "{}"), { iss = "a" }))
  end)

  it("raises for a missing secret, also without a token", function()
    for _, call in ipairs { "verify(nil, nil)", "verify('x', '')", "verify('x', 5)", "sign({}, nil)",
      "sign({}, '')" } do
      local chunk = load("local jwt = ... jwt." .. call, "@hello.lua")
      local ok, message = pcall(chunk, jwt)
      assert.is_false(ok)
      assert.truthy(message:find("^hello.lua:1: gate.jwt.%a+: secret must be a non%-empty string"), message)
    end
  end)

  it("raises for wrong options", function()
    assert.has_error(function() jwt.verify("x", secret, { leway = 1 }) end)
    assert.has_error(function() jwt.verify("x", secret, { alg = "none" }) end)
    assert.has_error(function() jwt.verify("x", secret, { leeway = -1 }) end)
    assert.has_error(function() jwt.verify("x", secret, 5) end)
    assert.has_error(function() jwt.sign({}, secret, { exp = "60" }) end)
    assert.has_error(function() jwt.sign({}, secret, { alg = "RS256" }) end)
    assert.has_error(function() jwt.sign("x", secret) end)
  end)
end)
