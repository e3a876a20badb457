-- Wrong arguments of functions that scripts call: one error, with the position
-- in the script, that names the function and the argument.
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

-- What a handler does (with ws, stream and res at hand), and the error it gets.
local ROWS = {
  { "gate.publish('t', { f = print })",
    "publish: value has no JSON form: Cannot serialise function: type not supported" },
  { "gate.publish('t', { [1] = 1, [1000] = 2 })", "publish: value has no JSON form: .*sparse array" },
  { "gate.publish('t', { 0 / 0 })", "publish: value has no JSON form: .*NaN or Inf" },
  { "local t = {} t.t = t gate.publish('t', t)", "publish: value has no JSON form: .*excessive nesting" },
  { "return gate.publish('t', { f = print })", "publish: value has no JSON form" },
  { "gate.publish('t', true)", "publish: value must be a string or a table %(got boolean%)" },
  { "gate.publish('t')", "publish: value must be a string or a table %(got n%w+%)" },
  { "ws:send({ print })", "send: data has no JSON form: Cannot serialise function" },
  { "ws:send({ math.huge })", "send: data has no JSON form: .*NaN or Inf" },
  { "ws:send(print)", "send: data must be a string or a table %(got function%)" },
  { "ws:send(5)", "send: data must be a string or a table %(got number%)" },
  { "ws:send('x', 'blob')", "send: kind must be \"text\" or \"binary\"" },
  { "ws:recv(0 / 0)", "bad argument #1 to 'recv' %(must be a number of seconds, not negative%)" },
  { "ws:recv('soon')", "bad argument #1 to 'recv' %(number expected, got string%)" },
  { "stream:send({ data = { print } })", "send: data has no JSON form: Cannot serialise function" },
  { "stream:send({ data = true })", "send: data must be a string or a table %(got boolean%)" },
  { "stream:send(5)", "send: event must be a string or a table %(got number%)" },
  { "stream:send(true)", "send: event must be a string or a table %(got boolean%)" },
  { "stream:send({ retry = 'x', data = 'y' })", "send: retry must be a number from 0 to 2147483647 %(got string%)" },
  { "stream:send({ retry = -1, data = 'y' })", "send: retry must be a number from 0 to 2147483647 %(got %-1%)" },
  { "stream:send({ retry = 0 / 0, data = 'y' })", "send: retry must be a number from 0 to 2147483647 %(got %-?nan%)" },
  { "stream:send({ retry = 1e300, data = 'y' })", "send: retry must be a number from 0 to 2147483647 %(got 1e%+300%)" },
  { "stream:send({ retry = 1.5, data = 'y' })", "send: retry must be a whole number %(got 1.5%)" },
  { "stream:send({ retry = math.huge })", "send: retry must be a number from 0 to 2147483647 %(got inf%)" },
  { "res:cookie('a', 'b', { max_age = 'q' })", "cookie: max_age must be a number from 0 to 2147483647 %(got string%)" },
  { "res:cookie('a', 'b', { max_age = -1 })", "cookie: max_age must be a number from 0 to 2147483647 %(got %-1%)" },
  { "res:cookie('a', 'b', { max_age = 0 / 0 })",
    "cookie: max_age must be a number from 0 to 2147483647 %(got %-?nan%)" },
  { "res:cookie('a', 'b', { max_age = math.maxinteger })", "cookie: max_age must be a number from 0 to 2147483647" },
  { "gate.every(0, print)", "bad argument #1 to 'every' %(must be a number of seconds from 0.001 to 1000000000%)" },
  { "gate.every(0 / 0, print)", "bad argument #1 to 'every' %(must be a number of seconds from 0.001 to 1000000000%)" },
  { "gate.after(-1, print)", "bad argument #1 to 'after' %(must be a number of seconds from 0 to 1000000000%)" },
  { "gate.after(1e300, print)", "bad argument #1 to 'after' %(must be a number of seconds from 0 to 1000000000%)" },
}

-- One row a line, so that a row's line is its number and those before it.
local HEAD = [[local gate = require "tidegate"; local ws, stream; local rows = {}
gate.ws("/ws", { open = function(it) ws = it it:send "open" end })
gate.sse("/sse", { open = function(it) stream = it it:send "open" end })
]]
local TAIL = [[
gate.get("/row/{n}", function(req, res)
  local ok, message = pcall(rows[tonumber(req.params.n)], res)
  if ok then return 500, "did not raise" end
  return message
end)
gate.get("/body", function() return { f = print } end)
gate.get("/valid", function(_, res)
  res:cookie("a", "b", { max_age = 1.5 })
  res:cookie("c", "d", { max_age = 0 })
  gate.every(0.001, print):cancel()
  return tostring(stream:send { retry = 3.0, data = "y" })
end)
]]

describe("a wrong argument", function()
  local server, first_line
  setup(function()
    local lines = {}
    for i, row in ipairs(ROWS) do lines[i] = ("rows[%d] = function(res) %s end\n"):format(i, row[1]) end
    first_line = select(2, HEAD:gsub("\n", ""))
    server = tidegate.start { scripts = HEAD .. table.concat(lines) .. TAIL }
    ws.connect(server, "/ws"):receive()
    sse.connect(server, "/sse"):receive()
  end)
  teardown(function() server:stop() end)

  for i, row in ipairs(ROWS) do
    it("is named: " .. row[1], function()
      local body = http.get(server, "/row/" .. i).body
      assert.matches(("^[^ ]*app.lua:%d: "):format(first_line + i) .. row[2], body)
    end)
  end

  it("is named in the log when it is what a handler returned", function()
    local mark = server:mark()
    assert.equal(500, http.get(server, "/body").status)
    server:wait_for_log("app.lua:%d+: this handler returned a table that has no JSON form: ", mark)
  end)

  it("is none at the bounds; a fraction of a second is rounded up", function()
    local stream <close> = sse.connect(server, "/sse")
    stream:receive()
    local response = http.get(server, "/valid")
    assert.equal("true", response.body)
    assert.matches("a=b;.*Max%-Age=2;.*c=d;.*Max%-Age=0;", response.headers["set-cookie"])
    assert.equal("y", stream:receive().data)
    assert.equal(3, stream.parser.retry)
  end)
end)
