-- scope: what registration takes and what it refuses, with the script's position.
local fake_core = require "lua.support.fake_core"

local generation

-- Runs a script named hello.lua; returns the message of its error.
local function failure(text)
  local chunk = assert(load("local gate = ... local function f() return 200 end " .. text, "@hello.lua"))
  local ok, message = pcall(chunk, generation.gate)
  assert.is_false(ok, "no error for: " .. text)
  return message
end

local function routes()
  local out = {}
  for i, route in ipairs(generation.app.finish().routes) do out[i] = route.method .. " " .. route.pattern end
  return out
end

describe("scope", function()
  before_each(function() generation = fake_core.load() end)

  it("registers every method, joined with its prefix", function()
    local gate = generation.gate
    local function f() end
    local api = gate.scope("/api", f)
    for _, word in ipairs { "get", "post", "put", "patch", "delete", "options", "any", "ws", "sse" } do
      api[word]("/" .. word, f)
    end
    api.scope("/v1/").get("", f)
    api.scope("/{room}").get("/{id}", f)
    gate.scope("/").get("/top", f)
    assert.same({ "GET /api/get", "POST /api/post", "PUT /api/put", "PATCH /api/patch",
      "DELETE /api/delete", "OPTIONS /api/options", "ANY /api/any", "WS /api/ws", "SSE /api/sse",
      "GET /api/v1", "GET /api/{room}/{id}", "GET /top" }, routes())
  end)

  local refused = {
    { "gate.get()", "gate.get: pattern must be a string (got nil)" },
    { "gate.get(5, f)", "gate.get: pattern must be a string (got 5)" },
    { "gate.get('x', f)", "gate.get: pattern \"x\" must start with '/'" },
    { "gate.get('', f)", "gate.get: pattern \"\" cannot be used: it must start with '/'" },
    { "gate.get('/{a', f)", "gate.get: pattern \"/{a\" cannot be used: segment \"{a\" is neither plain text" },
    { "gate.get('/{a:[}', f)", "the Lua pattern \"[\" of {a} cannot be used: a '[' is not closed" },
    { "gate.get('/a/:id', f)",
      "gate.get: pattern \"/a/:id\" cannot be used: segment \":id\" is no placeholder here: write {id}" },
    { "gate.sse('/a/*', f)", "segment \"*\" is no placeholder here: write {rest...}" },
    { "gate.get('/{x:%b().*}', f)", "gate.get: pattern \"/{x:%b().*}\" cannot be used: the Lua pattern" },
    { "gate.use('/api/*', f)", "gate.use: prefix \"/api/*\": a prefix covers all that is below it: write \"/api\"" },
    { "gate.use('/*', f)", "gate.use: prefix \"/*\": a prefix covers all that is below it: leave it out" },
    { "gate.scope('/a/**')", "write \"/a\"" },
    { "gate.get('/x')", "gate.get: handler must be a function (got nil)" },
    { "gate.get('/x', {})", "gate.get: handler must be a function (got a table)" },
    { "gate.get('/x', f, nil)", "gate.get: handler must be a function (got nil)" },
    { "gate.get('/x', 7, f)", "gate.get: middleware 1 must be a function (got 7)" },
    { "gate.get('/x', f, nil, f)", "gate.get: middleware 2 must be a function (got nil)" },
    { "gate.any('/x', 'text')", "gate.any: handler must be a function (got a string)" },
    { "gate.ws('/x')", "gate.ws: handler must be a function or a table of callbacks (got nil)" },
    { "gate.ws('/x', {})", "gate.ws: a table of callbacks needs at least one of: open, message, close" },
    { "gate.ws('/x', { upgrade = f })", "needs at least one of" },
    { "gate.ws('/x', { opne = f })",
      "gate.ws: unknown option \"opne\": did you mean \"open\"? (known: close, compress, drain, envelope, gap" },
    { "gate.ws('/x', { open = 1 })", "gate.ws: option \"open\" must be a function (got 1)" },
    { "gate.ws('/x', { open = f, compress = 'yes' })", "option \"compress\" must be true, false, or a table" },
    { "gate.ws('/x', { open = f, compress = 1 })", "option \"compress\" must be true, false, or a table" },
    { "gate.ws('/x', { open = f, compress = { level = 9 } })", "option \"compress\" must be true, false, or a table" },
    { "gate.ws('/x', { open = f, compress = { true } })", "option \"compress\" must be true, false, or a table" },
    { "gate.ws('/x', { open = f, compress = { context_takeover = 1 } })",
      "with context_takeover = true or false (got" },
    { "gate.sse('/x', { open = f, compress = true })",
      "gate.sse: unknown option \"compress\": it is for gate.ws alone (known: close, drain" },
    { "gate.ws('/x', { open = f, f })", "gate.ws: options are name = value (got [1])" },
    { "gate.ws('/x', { open = f, heartbeat = -1 })", "option \"heartbeat\" must be a number of seconds" },
    { "gate.ws('/x', { open = f, max_message = 0 })", "option \"max_message\" must be a whole number" },
    { "gate.ws('/x', { open = f, protocols = 'chat' })", "option \"protocols\" must be a list" },
    { "gate.ws('/x', { open = f, protocols = {} })", "option \"protocols\" must be a list" },
    { "gate.ws('/x', { open = f, protocols = { 'a b' } })", "option \"protocols\" must be a list" },
    { "gate.ws('/x', { open = f, protocols = { 'a', x = 1 } })", "option \"protocols\" must be a list" },
    { "gate.ws('/x', { open = f, on_full = 'drop' })",
      "option \"on_full\" must be \"refuse\" or \"close\" (got a string)" },
    { "gate.sse('/x', { open = f, on_full = true })", "option \"on_full\" must be \"refuse\" or \"close\" (got true)" },
    { "gate.sse('/x', { message = f })", "gate.sse: unknown option \"message\": it is for gate.ws alone" },
    { "gate.sse('/x', { open = f, keepalive = 'x' })", "gate.sse: option \"keepalive\" must be a number" },
    { "gate.use()", "gate.use: the first argument must be a prefix or a middleware (got nil)" },
    { "gate.use('/x')", "gate.use: at least one middleware is needed" },
    { "gate.use('/x', 5)", "gate.use: middleware 1 must be a function (got 5)" },
    { "gate.use(f, 5)", "gate.use: middleware 2 must be a function (got 5)" },
    { "gate.use('x', f)", "gate.use: prefix \"x\" must start with '/'" },
    { "gate.use('/{a}', f)", "gate.use: prefix \"/{a}\" holds a placeholder" },
    { "gate.scope('/{a}').use(f)", "scope.use: prefix \"/{a}\" holds a placeholder" },
    { "gate.scope()", "gate.scope: prefix must be a string (got nil)" },
    { "gate.scope('/x', 5)", "gate.scope: middleware 1 must be a function (got 5)" },
    { "gate.scope('/{a...}')", "gate.scope: prefix \"/{a...}\" cannot end in a rest placeholder" },
    { "gate.scope('/a').get('x', f)", "scope.get: pattern \"x\" must start with '/'" },
    { "gate.scope('/{a}').get('/{a}', f)", "scope.get: pattern \"/{a}/{a}\" cannot be used: placeholder" },
  }
  for _, row in ipairs(refused) do
    it("refuses " .. row[1], function()
      local message = failure("\n\n" .. row[1])
      assert.equal("hello.lua:3: ", message:sub(1, 13))
      assert.truthy(message:find(row[2], 1, true), message)
    end)
  end

  it("names the line of the call, not of the call's last line", function()
    local message = failure("\ngate.get('/a', f)\n\ngate.get('/a', f)")
    assert.equal("hello.lua:4: gate.get: route GET /a is already registered at hello.lua:2", message)
  end)

  it("takes routes of the same shape for the same", function()
    local message = failure("gate.get('/a/{x}', f)\ngate.get('/a/{y}', f)")
    assert.equal("hello.lua:2: gate.get: route GET /a/{y} is already registered as /a/{x} at hello.lua:1", message)
    message = failure("gate.ws('/s', f)\ngate.sse('/s', f)\ngate.get('/s', f)\ngate.ws('/s', f)")
    assert.equal("hello.lua:4: gate.ws: route WS /s is already registered at hello.lua:1", message)
  end)

  it("refuses registration once the scripts are loaded", function()
    local api = generation.gate.scope("/api")
    generation.gate.api = api
    generation.app.finish()
    for _, call in ipairs { "gate.get('/x', f)", "gate.ws('/x', f)", "gate.use(f)", "gate.scope('/x')",
      "gate.api.get('/x', f)" } do
      local message = failure(call)
      assert.truthy(message:find("^hello.lua:1: .*routes can only be registered while scripts load$"), message)
    end
  end)
end)
