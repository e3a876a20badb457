-- app: what a generation hands to the server, and that generations are apart.
local fake_core = require "lua.support.fake_core"

describe("app", function()
  local generation
  before_each(function() generation = fake_core.load() end)

  local function run_script(text)
    assert(load("local gate = ... local function f() end " .. text, "@hello.lua"))(generation.gate)
  end

  it("lists routes with their scripts' positions", function()
    run_script "gate.get('/x', f)\ngate.any('/y/{z}', f)\ngate.ws('/w', f)\ngate.sse('/w', f)"
    assert.same({
      { method = "GET", pattern = "/x", source = "hello.lua:1" },
      { method = "ANY", pattern = "/y/{z}", source = "hello.lua:2" },
      { method = "WS", pattern = "/w", source = "hello.lua:3" },
      { method = "SSE", pattern = "/w", source = "hello.lua:4" },
    }, generation.app.finish().routes)
  end)

  it("gives routes of sessions with key, kind, callbacks and options", function()
    local function open() end
    local function task() end
    generation.gate.get("/first", task)
    generation.gate.ws("/chat/{room}", { open = open, heartbeat = 5, max_message = 100, protocols = { "a" } })
    generation.gate.sse("/feed", { close = open, keepalive = 2 })
    generation.gate.scope("/s").ws("/{id:%d+}", task)
    local session_routes = generation.app.finish().session_routes
    assert.equal(3, #session_routes)
    assert.same({ key = "ws /chat/{room}", kind = "ws",
      options = { open = open, heartbeat = 5, max_message = 100, protocols = { "a" } } }, session_routes[1])
    assert.same({ key = "sse /feed", kind = "sse", options = { close = open, keepalive = 2 } }, session_routes[2])
    assert.same({ key = "ws /s/{id:%d+}", kind = "ws", task = task, options = {} }, session_routes[3])
  end)

  it("does not see what a script does to its table afterwards", function()
    local callbacks = { open = function() end }
    generation.gate.ws("/x", callbacks)
    callbacks.open = nil
    assert.is_function(generation.app.finish().session_routes[1].options.open)
  end)

  it("keeps generations apart", function()
    run_script "gate.get('/x', f) gate.use(f)"
    local first = generation
    generation = fake_core.load()
    run_script "gate.get('/x', f)"
    assert.equal(1, #generation.app.finish().routes)
    assert.not_equal(first.gate, generation.gate)
    first.gate.get("/more", print)
    assert.equal(2, #first.app.finish().routes)
  end)

  it("works without any route", function()
    assert.same({}, generation.app.finish().routes)
    assert.equal(404, (generation.request("GET", "/")))
  end)

  it("leaves no globals behind", function()
    local before = {}
    for name in pairs(_G) do before[name] = true end
    generation = fake_core.load()
    run_script "gate.get('/x', f) gate.use('/y', f) gate.ws('/{z}', f)"
    generation.request("GET", "/x")
    generation.request("GET", "/z", { is_upgrade = true })
    for name in pairs(_G) do assert.is_true(before[name], name) end
  end)
end)
