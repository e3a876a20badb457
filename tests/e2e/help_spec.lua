-- Mistakes of beginners: each error says which line of the script, what is wrong, and what to
-- write instead. At load `tidegate --check` prints it; in a handler the log has it.
local files = require "support.files"
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

-- A third line of a script, and what is said of it behind "app.lua:3: ".
local AT_LOAD = {
  -- names
  { "gate.gett('/x', f)", "attempt to call a nil value (field 'gett'); did you mean gate.get?" },
  { "gate.Get('/x', f)", "attempt to call a nil value (field 'Get'); did you mean gate.get?" },
  { "gate.log.warning 'x'", "(field 'warning'); did you mean gate.log.warn?" },
  { "gate.loq.info 'x'", "attempt to index a nil value (field 'loq'); did you mean gate.log?" },
  { "gate.json.encod {}", "did you mean gate.json.encode?" },
  { "gate.json.stringify {}", "did you mean gate.json.encode?" },
  { "gate.jwt.sing({}, 'x')", "did you mean gate.jwt.sign?" },
  { "gate.guard.cros {}", "did you mean gate.guard.cors?" },
  { "gate.scope('/a').gte('/x', f)", "did you mean scope.get?" },
  { "require 'tidgate'", 'there is no module "tidgate", neither among the scripts nor on the system; '
    .. 'did you mean "tidegate"?' },
  -- dots and colons
  { "gate:get('/x', f)", "gate.get: write gate.get(...), with a dot instead of the colon" },
  { "gate:ws('/x', f)", "gate.ws: write gate.ws(...), with a dot instead of the colon" },
  { "gate:use(f)", "gate.use: write gate.use(...), with a dot instead of the colon" },
  { "gate:scope('/x')", "gate.scope: write gate.scope(...), with a dot instead of the colon" },
  { "gate.scope('/a'):get('/x', f)", "scope.get: write scope.get(...), with a dot" },
  { "gate:on_presence('x', f)", "gate.on_presence: write gate.on_presence(...), with a dot" },
  { "gate.jwt:sign({}, 'x')", "gate.jwt.sign: write gate.jwt.sign(...), with a dot" },
  { "gate.jwt:verify('x', 'y')", "gate.jwt.verify: write gate.jwt.verify(...), with a dot" },
  { "gate.guard:cors {}", "gate.guard.cors: write gate.guard.cors(...), with a dot" },
  { "gate.log:info 'x'", "log: write gate.log.info(...), with a dot" },
  { "gate:publish('t', 'x')", "publish is called with a dot, not with a colon" },
  { "gate:every(1, f)", "every is called with a dot, not with a colon" },
  -- arguments in the wrong place
  { "gate.get(f, '/x')", "gate.get: pattern must be a string (got a function)" },
  { "gate.get('/x')", "gate.get: handler must be a function (got nil)" },
  { "gate.get('/x', f())", "gate.get: handler must be a function (got nil); is it defined above this line, and given" },
  { "gate.get('/x', 'f')", "gate.get: handler must be a function (got a string)" },
  { "gate.get('x', f)", "gate.get: pattern \"x\" must start with '/'" },
  { "gate.get('/a/:id', f)", 'segment ":id" is no placeholder here: write {id}' },
  { "gate.get('/a/*', f)", 'segment "*" is no placeholder here: write {rest...} for the rest of the path' },
  { "gate.use('/api/*', f)", 'gate.use: prefix "/api/*": a prefix covers all that is below it: write "/api"' },
  { "gate.use()", "gate.use: the first argument must be a prefix or a middleware (got nil)" },
  { "gate.use('/x')", "gate.use: at least one middleware is needed" },
  { "gate.every('1s', f)", "bad argument #1 to 'every' (number expected, got string)" },
  { "gate.every(1, f())", "bad argument #2 to 'every' (function expected, got no value)" },
  { "gate.sleep(1)", "cannot wait while scripts load; use gate.spawn or gate.after" },
  { "gate.spawn(f())", "bad argument #1 to 'spawn' (function expected, got no value)" },
  -- options
  { "gate.topic('x', { histroy = 1 })",
    'topic: unknown option "histroy": did you mean "history"? (known: bytes, history, lag, limit, presence, ttl)' },
  { "gate.topic('x', { presence = { grce = 1 } })",
    'topic: presence: unknown option "grce": did you mean "grace"? (known: grace)' },
  { "gate.publish('x', 'y', { to = 1 })", 'publish: unknown option "to" (known: event, except, key, kind' },
  { "gate.ws('/x', { onmessage = f })", 'gate.ws: unknown option "onmessage": did you mean "message"? (known: close,' },
  { "gate.ws('/x', { on_message = f })", 'unknown option "on_message": did you mean "message"?' },
  { "gate.sse('/x', { message = f })", 'gate.sse: unknown option "message": it is for gate.ws alone (known: ' },
  { "gate.guard.cors { origin = '*' }", 'gate.guard.cors: unknown option "origin": did you mean "origins"?' },
  { "gate.jwt.verify('x', 'y', { issuer = 'z' })", 'gate.jwt.verify: unknown option "issuer" (known: alg, aud, iss' },
}

describe("a mistake at load is named:", function()
  for _, row in ipairs(AT_LOAD) do
    it(row[1], function()
      local folder = files.new_folder()
      files.write(folder .. "/app.lua", 'local gate = require "tidegate"\nlocal function f() end\n' .. row[1] .. "\n")
      local result = tidegate.run { "--check", folder, "--workers", "1" }
      files.remove_tree(folder)
      assert.equal(1, result.status)
      assert.matches("/app.lua:3: ", result.err, 1, true)
      assert.truthy(result.err:find(row[2], 1, true), result.err)
    end)
  end

  it("a script without its first line", function()
    local folder = files.new_folder()
    files.write(folder .. "/app.lua", 'gate.get("/", function() return "x" end)\n')
    local result = tidegate.run { "--check", folder }
    files.remove_tree(folder)
    assert.matches("/app.lua:1: attempt to index a nil value (global 'gate'); the script lacks local gate", result.err,
      1, true)
  end)

  it("but not when a script only looks whether there is such a function", function()
    local folder = files.new_folder()
    files.write(folder .. "/app.lua", [[
      local gate = require "tidegate"
      for _, name in ipairs { "static", "gett", "fetch2", "stores", "call" } do assert(gate[name] == nil) end
      assert(gate.log.warning == nil and gate.guard.rates == nil and gate.json.parse == nil)
      if gate.gett then error "there" end
    ]])
    local result = tidegate.run { "--check", folder, "--workers", "1" }
    files.remove_tree(folder)
    assert.same({ 0, "" }, { result.status, result.err })
  end)
end)

-- What a handler does, and what the log has of it.
local IN_HANDLERS = {
  { "http", "return true", "this handler returned true; it may return a string, a table, a status, or status, body" },
  { "http", "return 99", "this handler returned 99; a status is a whole number from 200 to 599" },
  { "http", "return req.body",
    "this handler returned a function; .* %(was the function to be called, as req:body%(%)%?%)" },
  { "http", "return { print }", "this handler returned a table that has no JSON form: " },
  { "http", "return 'no such page', 404",
    "this handler returned a string and then 404; the order is status, body, headers" },
  { "http", "return 'x', { ['X-A'] = 'b' }", "this handler returned a string and then a table; the order is" },
  { "http", "return { a = 1 }, 201", "this handler returned a table and then 201; the order is" },
  { "http", "return 200, 'x', 'text/html'", "this handler returned headers as a string; they must be a table" },
  { "http", "return req", "this handler returned a tidegate.req; it may return" },
  { "http", "return gate.spawn(print)", "this handler returned a tidegate.timer; it may return" },
  { "http", "return gate.get('/y', print)", "gate.get: routes can only be registered while scripts load" },
  { "http", "gate.ws('/y', print)", "gate.ws: routes can only be registered while scripts load" },
  { "http", "return gate.jwt.verify('x', nil)", "gate.jwt.verify: secret must be a non%-empty string %(got nil%)" },
  { "http", "return gate.jwt.verify(req.bearer, 'x')", "gate.jwt.verify: token is a function; was it to be called" },
  { "http", "return req.json().a", "req.json: write req:json%(...%), with a colon" },
  { "http", "return req.query_all('a')", "req.query_all: write req:query_all%(...%), with a colon" },
  { "http", "return res.status(404)", "res.status: write res:status%(...%), with a colon" },
  { "http", "return req.body.name", "%(field 'body'%); body is a method: write req:body%(...%)" },
  { "http", "return req:headers()['x']", "%(method 'headers'%); headers is a field: write .headers, without" },
  { "http", "return req.quary.a", "%(field 'quary'%); did you mean query%?" },
  { "http", "return req:jsn()", "%(method 'jsn'%); did you mean req:json%?" },
  { "http", "res:setHeader('a', 'b')", "%(method 'setHeader'%); did you mean res:header%?" },
  { "http", "res:cookie('a', 'b', { maxage = 1 })", 'cookie: unknown option "maxage": did you mean "max_age"%?' },
  { "http", "coroutine.yield()", "coroutine.yield was called outside a coroutine of the script's own" },
  { "http", "res:write 'a' return 404", "this handler returned 404 after the response had started: it is dropped" },
  { "ws", "ws.send('x')", "ws.send: write ws:send%(...%), with a colon" },
  { "ws", "ws.join('x')", "conn.join: write conn:join%(...%), with a colon" },
  { "ws", "for m in ws.messages() do end", "ws.messages: write ws:messages%(...%), with a colon" },
  { "ws", "ws:sned('x')", "attempt to call a nil value %(method 'sned'%); did you mean ws:send%?" },
  { "ws", "ws:join('x', { sinse = 1 })", 'join: unknown option "sinse": did you mean "since"%? %(known: as, info' },
  { "ws", "ws.dta.x = 1", "%(field 'dta'%); did you mean data%?" },
  { "ws", "return 401", "this open returned 401, but the session exists already: refuse in upgrade, or call close" },
  { "upgrade", "return 'ann'", "this upgrade returned a string %(expected a table, true, nil, false or a status%)" },
  { "upgrade", "return {}, 'x'", "this upgrade returned headers as a string; they must be a table of name = value" },
  { "upgrade", "return {}, { ['X-A'] = 'a\\nb' }", "this handler returned header X%-A, which has characters that" },
  { "upgrade", "return {}, { Upgrade = 'x' }", "a header of the handshake was set %(Upgrade" },
  { "upgrade", "return {}, { ['Connection'] = 'x' }",
    "this handler returned the header Connection, which belongs to the server" },
  { "upgrade", "return gate.jwt.verify('x')", "gate.jwt.verify: secret must be a non%-empty string" },
  { "sse", "stream.send('x')", "stream.send: write stream:send%(...%), with a colon" },
  { "sse", "stream:recv()", "%(method 'recv'%); recv is a method of ws" },
  { "task", "return 401", "this function returned 401, but the session exists already" },
  { "guard", "return true", "this handler returned true; it may return" },
  { "guard", "next()", "" },
  { "guard", "local a = 1",
    "this middleware neither answered nor called next: to pass on, it ends with return next%(%)" },
  { "guard", "next() next()", "this middleware called next twice" },
  { "guard", "next() return gate.jwt.verify('x')", "gate.jwt.verify: secret must be a non%-empty string" },
}

local FORMS = {
  http = "gate.get('/%d', function(req, res) %s end)\n",
  guard = "gate.get('/%d', function(req, res, next) %s end, function() return 'x' end)\n",
  ws = "gate.ws('/%d', { open = function(ws) %s end })\n",
  upgrade = "gate.ws('/%d', { open = print, upgrade = function(req) %s end })\n",
  sse = "gate.sse('/%d', { open = function(stream) %s end })\n",
  task = "gate.sse('/%d', function(stream) %s end)\n",
}

describe("a mistake in a handler is named:", function()
  local server
  setup(function()
    local lines = { 'local gate = require "tidegate"\n' }
    for i, row in ipairs(IN_HANDLERS) do lines[i + 1] = FORMS[row[1]]:format(i, row[2]) end
    server = tidegate.start { scripts = table.concat(lines) }
  end)
  teardown(function() server:stop() end)

  for i, row in ipairs(IN_HANDLERS) do
    it(row[1] .. ": " .. row[2], function()
      local mark = server:mark()
      if row[1] == "ws" then
        assert.equal(1011, (ws.connect(server, "/" .. i):wait_close()))
      elseif row[1] == "sse" or row[1] == "task" then
        sse.connect(server, "/" .. i):close()
      elseif row[1] == "upgrade" then
        local key = { Upgrade = "websocket", Connection = "Upgrade", ["Sec-WebSocket-Version"] = "13",
                      ["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ==" }
        assert.equal(500, http.get(server, "/" .. i, key).status)
      else
        local status = http.get(server, "/" .. i).status
        assert.equal((row[3] == "" or row[3]:find "dropped") and 200 or 500, status)
      end
      if row[3] ~= "" then server:wait_for_log(("/app.lua:%d: .*"):format(i + 1) .. row[3], mark) end
    end)
  end
end)

describe("a call that fails and is overlooked", function()
  local SCRIPT = [[
    local gate = require "tidegate"
    gate.get("/", function(req, res)
      res:header("X-A", "a\nb")
      res:cookie("a", "b c")
      gate.publish("", "x")
      gate.count ""
      return "x"
    end)
  ]]

  it("is named in the log in development", function()
    local server <close> = tidegate.start { scripts = SCRIPT, args = { "--dev" } }
    assert.equal("x", http.get(server, "/").body)
    local _, mark = server:wait_for_log 'warn  .*/app.lua:3: header returned nil, "a header name .*", "header"$'
    _, mark = server:wait_for_log('/app.lua:4: cookie returned nil, "a cookie\'s value may not .*", "cookie"$', mark)
    _, mark = server:wait_for_log('/app.lua:5: publish returned nil, "a topic .*", "topic"$', mark)
    server:wait_for_log('/app.lua:6: count returned nil, ".*", "topic"$', mark)
  end)

  it("is not otherwise", function()
    local server <close> = tidegate.start { scripts = SCRIPT }
    local mark = server:mark()
    assert.equal("x", http.get(server, "/").body)
    assert.is_nil(server:find_log("returned nil", mark))
  end)
end)
