-- gate.guard.cors: preflights, the fields of answers, and who gets neither.
local fake_core = require "lua.support.fake_core"

describe("guard.cors", function()
  local generation, gate
  before_each(function()
    generation = fake_core.load()
    gate = generation.gate
  end)

  local function request(method, origin, asked)
    local status, body = generation.request(method, "/x",
      { headers = { origin = origin, ["access-control-request-method"] = asked } })
    local fields = {}
    for name, value in pairs(generation.res.headers) do fields[name:gsub("^Access%-Control%-", "")] = value end
    return fields, status, body
  end

  local function serve(options)
    gate.get("/x", gate.guard.cors(options), function() return "ok" end)
  end

  it("answers a preflight with what is allowed, and asks nobody else", function()
    gate.get("/x", gate.guard.cors { origins = { "https://a.example" } }, function() error "asked" end, function() end)
    local fields, status = request("OPTIONS", "https://a.example", "GET")
    assert.equal(204, status)
    assert.same({
      ["Allow-Origin"] = "https://a.example",
      ["Allow-Methods"] = "GET, HEAD, POST, PUT, PATCH, DELETE",
      ["Allow-Headers"] = "Authorization, Cache-Control, Content-Type, Last-Event-ID",
      ["Max-Age"] = "600",
      Vary = "Origin",
    }, fields)
  end)

  it("says what the options say", function()
    serve { origins = { "https://a.example", "http://localhost:3000" }, credentials = true, methods = { "GET" },
            headers = { "X-Key", "X-Other" }, expose = { "X-Id", "X-Page" }, max_age = 0.5 }
    local both = { ["Allow-Origin"] = "http://localhost:3000", ["Allow-Credentials"] = "true",
                   ["Expose-Headers"] = "X-Id, X-Page", Vary = "Origin" }
    local fields, status = request("GET", "http://localhost:3000")
    assert.same({ both, "ok" }, { fields, status })
    both["Allow-Methods"], both["Allow-Headers"], both["Max-Age"] = "GET", "X-Key, X-Other", "0"
    assert.same(both, (request("OPTIONS", "http://localhost:3000", "GET")))
  end)

  it("names no origin to one that is not allowed", function()
    serve { origins = { "https://a.example" } }
    for _, origin in ipairs { "https://b.example", "https://a.example.evil", "http://a.example", "null" } do
      local fields, status = request("GET", origin)
      assert.same({ { Vary = "Origin" }, "ok" }, { fields, status })
      fields, status = request("OPTIONS", origin, "GET")
      assert.same({ { Vary = "Origin" }, 403 }, { fields, status })
    end
  end)

  it("tells caches that the answer depends on the origin, also without one", function()
    serve { origins = { "https://a.example" } }
    assert.same({ Vary = "Origin" }, (request("GET")))
  end)

  it("says the same to all where all are allowed", function()
    serve { origins = "*" }
    assert.same({ ["Allow-Origin"] = "*" }, (request("GET", "https://a.example")))
    assert.same({}, (request("GET")))
  end)

  it("takes an OPTIONS request that is no preflight for any other", function()
    gate.options("/x", gate.guard.cors { origins = "*" }, function() return "own" end)
    assert.equal("own", select(2, request("OPTIONS", "https://a.example")))
  end)

  it("adds its fields to the refusals of later guards", function()
    gate.get("/x", gate.guard.cors { origins = "*" }, function() return 401 end, function() end)
    local fields, status = request("GET", "https://a.example")
    assert.same({ { ["Allow-Origin"] = "*" }, 401 }, { fields, status })
  end)

  it("serves a scope, and everything", function()
    local api = gate.scope("/api", gate.guard.cors { origins = "*" })
    api.sse("/events", { open = function() end })
    gate.use("/x", gate.guard.cors { origins = "*", max_age = 1 })
    local preflight = { headers = { origin = "https://a.example", ["access-control-request-method"] = "GET" } }
    for path, max_age in pairs { ["/api/events"] = "600", ["/x"] = "1" } do
      assert.equal(204, (generation.request("OPTIONS", path, preflight)))
      assert.equal(max_age, generation.res.headers["Access-Control-Max-Age"])
    end
  end)

  for wrong, message in pairs {
    ["{}"] = 'option "origins" is needed',
    ["{ origins = {} }"] = 'option "origins" must be "%*" or a list of origins',
    ["{ origins = 'https://a.example' }"] = 'option "origins" must be',
    ["{ origins = { 'a.example' } }"] = 'option "origins" must be',
    ["{ origins = { 'https://a.example/' } }"] = 'option "origins" must be',
    ["{ origins = { 'https://A.example' } }"] = 'option "origins" must be',
    ["{ origins = { x = 'https://a.example' } }"] = 'option "origins" must be',
    ["{ origins = '*', credentials = true }"] = "credentials need a list of origins",
    ["{ origins = '*', credentials = 1 }"] = 'option "credentials" must be true or false',
    ["{ origins = '*', headers = { 'a b' } }"] = 'option "headers" must be a list of names',
    ["{ origins = '*', methods = 'GET' }"] = 'option "methods" must be a list of names',
    ["{ origins = '*', expose = { 1 } }"] = 'option "expose" must be a list of names',
    ["{ origins = '*', max_age = 0/0 }"] = 'option "max_age" must be a number of seconds',
    ["{ origins = '*', max_age = 86401 }"] = 'option "max_age" must be a number of seconds from 0 to 86400',
    ["{ origins = '*', max_age = 'x' }"] = 'option "max_age" must be a number of seconds',
    ["{ origins = '*', maxage = 1 }"] = 'unknown option "maxage"',
    ["nil"] = "options must be a table %(got nil%)",
  } do
    it("refuses " .. wrong, function()
      assert.error_matches(function() gate.guard.cors(load("return " .. wrong)()) end, "gate%.guard%.cors: " .. message)
    end)
  end
end)
