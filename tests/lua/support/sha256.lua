-- SHA-256 and HMAC (FIPS 180-4, RFC 2104) in Lua, so that the specs of jwt need
-- no native code and check it against an independent implementation.

local sha256 = {}

local function fraction(x)
  return math.floor((x % 1) * 4294967296)
end

local first_primes = {}
do
  local n = 2
  while #first_primes < 64 do
    local is_prime = true
    for _, p in ipairs(first_primes) do is_prime = is_prime and n % p ~= 0 end
    if is_prime then first_primes[#first_primes + 1] = n end
    n = n + 1
  end
end

local function rotate(x, n)
  return (x >> n | x << (32 - n)) & 0xffffffff
end

local function expand(block)
  local w = { string.unpack((">I4"):rep(16), block) }
  for i = 17, 64 do
    local a, b = w[i - 15], w[i - 2]
    local s0 = rotate(a, 7) ~ rotate(a, 18) ~ (a >> 3)
    local s1 = rotate(b, 17) ~ rotate(b, 19) ~ (b >> 10)
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) & 0xffffffff
  end
  return w
end

local function compress(state, block)
  local w = expand(block)
  local a, b, c, d, e, f, g, h = table.unpack(state)
  for i = 1, 64 do
    local s1 = rotate(e, 6) ~ rotate(e, 11) ~ rotate(e, 25)
    local t1 = h + s1 + (e & f ~ ~e & g) + fraction(first_primes[i] ^ (1 / 3)) + w[i]
    local s0 = rotate(a, 2) ~ rotate(a, 13) ~ rotate(a, 22)
    local t2 = s0 + (a & b ~ a & c ~ b & c)
    h, g, f, e, d, c, b, a = g, f, e, (d + t1) & 0xffffffff, c, b, a, (t1 + t2) & 0xffffffff
  end
  for i, value in ipairs { a, b, c, d, e, f, g, h } do
    state[i] = (state[i] + value) & 0xffffffff
  end
end

function sha256.digest(text)
  local state = {}
  for i = 1, 8 do state[i] = fraction(first_primes[i] ^ 0.5) end
  local padded = text .. "\x80" .. ("\0"):rep((55 - #text) % 64) .. string.pack(">I8", #text * 8)
  for i = 1, #padded, 64 do compress(state, padded:sub(i, i + 63)) end
  return string.pack((">I4"):rep(8), table.unpack(state))
end

function sha256.hmac(key, data)
  if #key > 64 then key = sha256.digest(key) end
  key = key .. ("\0"):rep(64 - #key)
  local function mask(byte)
    return (key:gsub(".", function(c) return string.char(c:byte() ~ byte) end))
  end
  return sha256.digest(mask(0x5c) .. sha256.digest(mask(0x36) .. data))
end

return sha256
