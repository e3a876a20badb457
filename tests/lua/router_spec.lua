-- router: which route a path finds.
local pattern = require "tidegate.pattern"
local router = require "tidegate.router"

local function decode(text)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then return nil end
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- A router of GET routes, each one a { pattern = text }; "POST /x" gives the key.
local function build(texts)
  local result = router.new(decode)
  for _, text in ipairs(texts) do
    local key, path = text:match("^(%S+) (.*)$")
    path = path or text
    assert.is_nil(result:add(assert(pattern.parse(path)), key or "GET", { pattern = path }))
  end
  return result
end

local function found(paths, path, key, fallback)
  local route, params = paths:find(path, key or "GET", fallback or "*")
  if not route then return nil end
  return route.pattern, params
end

describe("router", function()
  local mixed = {
    "/", "/a", "/a/", "/a/lit", "/a/{x}", "/a/{x:%d+}", "/a/{x...}", "/a/lit/c", "/a/{x}/b",
    "/{p}/only", "/files/{path...}", "/größe",
  }
  local cases = {
    { "/", "/" },
    { "/a", "/a" },
    { "/a/", "/a/" },
    { "/a/lit", "/a/lit" },
    { "/a/7", "/a/{x:%d+}", { x = "7" } },
    { "/a/7x", "/a/{x}", { x = "7x" } },
    { "/a/lit/c", "/a/lit/c" },
    { "/a/lit/b", "/a/{x}/b", { x = "lit" } },
    { "/a/7/b", "/a/{x}/b", { x = "7" } },
    { "/a/lit/d", "/a/{x...}", { x = "lit/d" } },
    { "/a/q/", "/a/{x...}", { x = "q/" } },
    { "/a//", "/a/{x...}", { x = "/" } },
    { "/a/only", "/a/{x}", { x = "only" } },
    { "/z/only", "/{p}/only", { p = "z" } },
    { "//only", nil },
    { "/files", nil },
    { "/files/", nil },
    { "/files/x/y.txt", "/files/{path...}", { path = "x/y.txt" } },
    { "/b", nil },
    { "*", nil },
    { "", nil },
    { "/gr%C3%B6%C3%9Fe", "/größe" },
    { "/größe", "/größe" },
    { "/%61", "/a" },
    { "/%61/l%69t", "/a/lit" },
    { "/a/x%2Fy", "/a/{x}", { x = "x/y" } },
    { "/a/%37", "/a/{x:%d+}", { x = "7" } },
    { "/a%2Flit", nil },
    { "/a/%zz", nil },
    { "/files/a%20b/c", "/files/{path...}", { path = "a b/c" } },
    { "/files/..%2Fetc", nil },
    { "/files/%2e%2e%2fetc", nil },
  }
  for _, row in ipairs(cases) do
    it(("%s finds %s"):format(row[1], row[2] or "nothing"), function()
      local text, params = found(build(mixed), row[1])
      assert.equal(row[2], text)
      assert.same(row[3], params)
    end)
  end

  it("does not depend on the order of registration", function()
    local reversed = {}
    for i, text in ipairs(mixed) do reversed[#mixed + 1 - i] = text end
    local paths = build(reversed)
    for _, row in ipairs(cases) do assert.equal(row[2], (found(paths, row[1]))) end
  end)

  it("tries constrained placeholders in order of registration", function()
    assert.equal("/{a:%w+}", (found(build { "/{a:%w+}", "/{b:%d+}" }, "/1")))
    assert.equal("/{b:%d+}", (found(build { "/{b:%d+}", "/{a:%w+}" }, "/1")))
  end)

  it("matches a Lua pattern against the whole segment", function()
    local paths = build { "/{a:%d}" }
    assert.equal("/{a:%d}", (found(paths, "/1")))
    assert.is_nil(found(paths, "/12"))
    assert.is_nil(found(paths, "/1%0A"))
  end)

  it("refuses a second route of the same key and shape", function()
    local paths = build { "/a/{x}", "/b/{x:%d+}", "/c" }
    local function add(text, key) return paths:add(pattern.parse(text), key, { pattern = text }) end
    assert.equal("/a/{x}", add("/a/{y}", "GET").pattern)
    assert.equal("/b/{x:%d+}", add("/b/{y:%d+}", "GET").pattern)
    assert.equal("/c", add("/c", "GET").pattern)
    assert.is_nil(add("/b/{y:%a+}", "GET"))
    assert.is_nil(add("/a/{y}", "POST"))
  end)

  it("names params after the pattern of the route it found", function()
    local paths = build { "/a/{x}", "POST /a/{y}" }
    assert.same({ x = "1" }, select(2, found(paths, "/a/1", "GET")))
    assert.same({ y = "1" }, select(2, found(paths, "/a/1", "POST")))
  end)

  it("goes on to a less specific place where only the key differs", function()
    local paths = build { "/users/{id}", "POST /users/me", "* /{rest...}" }
    assert.equal("/users/{id}", (found(paths, "/users/me", "GET")))
    assert.equal("/users/me", (found(paths, "/users/me", "POST")))
    assert.equal("/{rest...}", (found(paths, "/users/me", "PUT")))
  end)

  it("prefers a key to its fallback at one place, and a place to a key", function()
    local paths = build { "* /a", "/a", "/{x}", "* /b" }
    assert.equal("/a", (found(paths, "/a", "GET")))
    assert.equal("/b", (found(paths, "/b", "GET")))
    assert.is_nil(paths:find("/a", "ws", "ws"))
  end)

  it("collects the keys of every place a path matches", function()
    local paths = build { "/u/{id}", "POST /u/me", "ws /u/{id:%d+}" }
    assert.same({ GET = true, POST = true }, paths:keys("/u/me"))
    assert.same({ GET = true, ws = true }, paths:keys("/u/5"))
    assert.same({}, paths:keys("/none"))
  end)

  it("shares no values between searches", function()
    local paths = build { "/{a}/{b}" }
    local _, first = found(paths, "/1/2")
    local _, second = found(paths, "/3/4")
    assert.same({ a = "1", b = "2" }, first)
    assert.same({ a = "3", b = "4" }, second)
  end)

  it("visits a node at most once, however often it must go back", function()
    local texts = {}
    for i = 0, 255 do
      local out = {}
      for bit = 0, 7 do out[#out + 1] = i >> bit & 1 == 1 and "/a" or "/{x" .. bit .. "}" end
      texts[#texts + 1] = table.concat(out) .. "/end"
    end
    local paths = build(texts)
    local before = os.clock()
    for _ = 1, 100 do assert.is_nil(found(paths, ("/a"):rep(8) .. "/no")) end
    assert.is_true(os.clock() - before < 1)
  end)
end)
