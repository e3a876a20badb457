-- Direct sends: the bounded queue of a session, waiting for it to drain, what a
-- send at the bound does, and that control frames always get through.
local frame = require "support.frame"
local http = require "support.http"
local loop = require "support.loop"
local sse = require "support.sse"
local tidegate = require "support.server"
local ws = require "support.ws"

-- Sessions are told by HTTP requests what to do: POST /NAME/ACTION is answered
-- with what the action returned.
local SCRIPT = [[
local gate = require "tidegate"
gate.topic("huge/*", { bytes = 1 << 26, history = 4096 })
local generation = "GENERATION"
local conns = gate.keep "conns"
local chunk = ("x"):rep(16384)

local callbacks = {
  open = function(conn)
    conns[conn.params.name] = conn
    conn:join("huge/" .. conn.params.name)
    conn:send "open"
  end,
  drain = function(conn) gate.log.info("drain of " .. conn.params.name) end,
  close = function(conn, code)
    local ok, message, err = conn:drain()
    gate.log.info(("closed %s: %d, drain %s %s %s"):format(conn.params.name, code, ok, message, err))
  end,
}
local function route(more)
  local all = {}
  for name, value in pairs(callbacks) do all[name] = value end
  for name, value in pairs(more) do all[name] = value end
  return all
end
local function on_message(ws, data)
  gate.log.info(("message %s in generation %s"):format(data, generation))
end
gate.ws("/ws/{name}", route { message = on_message, ON_FULL })
gate.sse("/sse/{name}", route { ON_FULL })
gate.ws("/strict/ws/{name}", route { message = on_message, on_full = "close" })
gate.sse("/strict/sse/{name}", route { on_full = "close" })

local actions = {}

-- One message always fits an empty queue: this one is larger than what the
-- kernel ever takes for a client that does not read.
function actions.fill(conn)
  conn:drain()
  assert(conn:send(("x"):rep(FILL_BYTES)))
  gate.sleep(0)
  assert(conn:buffered() > 2 * QUEUE_BYTES, "the kernel took it")
  return conn:send "x"
end

function actions.fill_and_drain(conn)
  conn:drain()
  assert(conn:send(("x"):rep(FILL_BYTES)))
  gate.log.info "drains"
  return conn:drain()
end

function actions.drain(conn, query)
  gate.log.info(query.log or "drains")
  local results = table.pack(conn:drain(tonumber(query.s)))
  gate.log.info("drain in generation " .. generation)
  return table.unpack(results, 1, results.n)
end

-- Nothing else gets its turn while a drain has nothing to wait for.
function actions.drain_at_once(conn)
  conn:drain()
  local others_ran = false
  gate.spawn(function() others_ran = true end)
  local ok = conn:drain()
  return ok, others_ran, conn:buffered()
end

function actions.buffered(conn) return conn:buffered() end

function actions.count(conn)
  local before = conn:buffered()
  conn:send "12345"
  local queued = conn:buffered()
  return before, queued, conn:drain(), conn:buffered()
end

function actions.several(conn)
  local results, left = {}, 3
  for i = 1, 3 do
    gate.spawn(function()
      results[i] = tostring(conn:drain())
      left = left - 1
    end)
  end
  gate.log.info "several wait"
  local own = conn:drain()
  while left > 0 do gate.sleep(0) end
  return own, table.unpack(results)
end

-- A topic message that is larger than all buffers, behind a direct send.
function actions.before_topic(conn)
  conn:send "direct"
  gate.publish("huge/" .. conn.params.name, ("y"):rep(FILL_BYTES))
  return conn:drain()
end

-- Topic messages until one of them is cut, with a direct send behind it. A
-- drain that a slow machine ended too early leaves nothing queued.
function actions.behind_topic(conn)
  local directs = 0
  repeat
    for _ = 1, 64 do gate.publish("huge/" .. conn.params.name, chunk) end
    conn:send "direct"
    directs = directs + 1
  until not conn:drain(0.05) and conn:buffered() > 0
  return directs, conn:buffered() < 64
end

function actions.in_coroutine(conn)
  return pcall(coroutine.wrap(function() conn:drain() end))
end
function actions.bad_seconds(conn) return pcall(conn.drain, conn, -1) end

-- More than the queue holds, in one turn.
function actions.burst(conn)
  local sent, results = 0, {}
  while true do
    local ok, message, code = conn:send(chunk)
    if not ok then
      local again = table.pack(conn:send(chunk))
      return sent, message, code, again[1], again[3]
    end
    sent = sent + 1
  end
end

function actions.ping(conn) return conn:ping "from the script" end
function actions.pings(conn)
  local sent = 0
  while true do
    local ok, message, code = conn:ping(("p"):rep(125))
    if not ok then return sent, message, code end
    sent = sent + 1
  end
end
function actions.close(conn) return conn:close(4001, "bye") end
function actions.spawn_background(conn)
  background = conn
  return true
end

gate.every(0.005, function()
  local conn = background
  if not conn then return end
  background = nil
  gate.log.info "background waits"
  conn:drain()
  gate.log.info "background woken"
end)

gate.post("/do/{name}/{action}", function(req)
  local results = table.pack(actions[req.params.action](conns[req.params.name], req.query))
  for i = 1, results.n do results[i] = tostring(results[i]) end
  return table.concat(results, " ", 1, results.n)
end)
]]

local QUEUE, FILL = 65536, 8 << 20

local function script(generation, on_full)
  local names = { GENERATION = generation, ON_FULL = on_full or "", QUEUE_BYTES = tostring(QUEUE),
    FILL_BYTES = tostring(FILL) }
  return (SCRIPT:gsub("%f[%w_][%u_]+%f[^%w_]", names))
end

local serial = 0
local function new_name()
  serial = serial + 1
  return "n" .. serial
end

-- A client that stops reading once it is open.
local opens = {
  ws = function(server, name, prefix)
    local client = ws.connect(server, (prefix or "") .. "/ws/" .. name, { receive_buffer = 65536 })
    assert(client:receive() == "open")
    client.socket:pause()
    return client
  end,
  sse = function(server, name, prefix)
    local client = sse.connect(server, (prefix or "") .. "/sse/" .. name, { receive_buffer = 65536 })
    assert(client:receive().data == "open")
    client.socket:pause()
    return client
  end,
}

-- Lets a client read on after a fill, whose pieces are put together only once.
local function read_on(client)
  local socket, parts, size = client.socket, {}, 0
  local on_data = socket.on_data
  socket.on_data = function(chunk)
    parts[#parts + 1], size = chunk, size + #chunk
    if size < FILL then return end
    socket.on_data = on_data
    on_data(table.concat(parts))
  end
  socket:resume()
end

local function received(client) return client.messages or client.events end

describe("direct sends", function()
  local server
  setup(function() server = tidegate.start { scripts = script "1", args = { "--send-queue", tostring(QUEUE) } } end)
  teardown(function() server:stop() end)
  after_each(function() require("support.tcp").close_all() end)

  local function ask(name, action)
    local response = http.post(server, ("/do/%s/%s"):format(name, action))
    assert.equal(200, response.status)
    return response.body
  end

  -- Sends the request; the function that is returned takes the answer.
  local function start(name, action)
    local connection = http.connect(server)
    connection:send(http.format_request("POST", ("/do/%s/%s"):format(name, action), { body = "" }))
    return function() return connection:response().body end
  end

  for kind, open in pairs(opens) do
    describe("on " .. kind, function()
      it("are counted by buffered until they have gone", function()
        local name = new_name()
        open(server, name)
        local size = kind == "ws" and 2 + 5 or #"data: 12345\n\n"
        assert.equal(("0 %d true 0"):format(size), ask(name, "count"))
      end)

      it("drain at once when nothing waits", function()
        local name = new_name()
        open(server, name)
        assert.equal("true false 0", ask(name, "drain_at_once"))
      end)

      it("are refused when the queue is full, and told when there is room", function()
        local name = new_name()
        local client = open(server, name)
        assert.equal("nil full full", ask(name, "fill"))
        read_on(client)
        server:wait_for_log("drain of " .. name)
      end)

      it("drain when the client reads", function()
        local name = new_name()
        local client = open(server, name)
        ask(name, "fill")
        assert.equal("nil timeout timeout", ask(name, "drain?s=0"))
        assert.equal("nil timeout timeout", ask(name, "drain?s=0.02"))
        local mark = server:mark()
        local finish = start(name, "drain?s=100")
        server:wait_for_log("drains", mark)
        read_on(client)
        assert.equal("true", finish())
        assert.equal("0", ask(name, "buffered"))
      end)

      it("wake every task that waits", function()
        local name = new_name()
        local client = open(server, name)
        ask(name, "fill")
        local mark = server:mark()
        local finish = start(name, "several")
        server:wait_for_log("several wait", mark)
        read_on(client)
        assert.equal("true true true true", finish())
      end)

      it("that wait are over when the client leaves", function()
        local name = new_name()
        local client = open(server, name)
        ask(name, "fill")
        local mark = server:mark()
        local finish = start(name, "drain")
        server:wait_for_log("drains", mark)
        client.socket:close()
        assert.equal("nil closed closed", finish())
        server:wait_for_log("closed " .. name .. ": %d+, drain nil closed closed")
        assert.equal("nil closed closed", ask(name, "drain"))
        assert.equal("0", ask(name, "buffered"))
      end)

      it("do not wait for a topic message that is cut behind them", function()
        local name = new_name()
        open(server, name)
        assert.equal("true", ask(name, "before_topic"))
      end)

      it("wait for a topic message that is cut before them", function()
        local name = new_name()
        local client = open(server, name)
        local directs, is_small = ask(name, "behind_topic"):match "^(%d+) (%a+)$"
        assert.equal("true", is_small)
        local mark = server:mark()
        local finish = start(name, "drain")
        server:wait_for_log("drains", mark)
        client.socket:resume()
        assert.equal("true", finish())
        -- 64 topic messages for every direct one. The last direct one overtakes
        -- those of the log, not the one that was cut.
        local total = tonumber(directs) * 65
        loop.wait(function() return #received(client) == total end, total .. " messages")
        local last
        for i, message in ipairs(received(client)) do
          if (message[1] or message.data) == "direct" then last, directs = i, directs - 1 end
        end
        assert.equal(0, directs)
        assert.is_true(last < total)
      end)

      it("cannot be waited for where a task cannot wait", function()
        local name = new_name()
        open(server, name)
        assert.matches("^false .*app.lua:%d+: cannot wait inside a coroutine", ask(name, "in_coroutine"))
        assert.matches("^false .*must be a number of seconds, not negative", ask(name, "bad_seconds"))
      end)

      it("close where the route says so", function()
        local name = new_name()
        local client = open(server, name, "/strict")
        local sent = ask(name, "burst"):match "^(%d+) full full nil closed$"
        assert.truthy(sent)
        assert.equal("nil closed closed", ask(name, "drain"))
        client.socket:resume()
        if kind == "ws" then
          assert.same({ 1013, "too slow" }, { client:wait_close() })
          server:wait_for_log("closed " .. name .. ": 1013,")
        else
          client:wait_end()
          server:wait_for_log("closed " .. name .. ": 0,")
        end
        assert.equal(tonumber(sent), #received(client))
        assert.is_nil(server:find_log("drain of " .. name))
      end)

      it("that wait are over when the route closes", function()
        local name = new_name()
        local client = open(server, name, "/strict")
        local mark = server:mark()
        local finish = start(name, "fill_and_drain")
        server:wait_for_log("drains", mark)
        assert.equal("0 full full nil closed", ask(name, "burst"))
        read_on(client)
        assert.equal("nil closed closed", finish())
      end)

      it("only are refused where the route does not say so", function()
        local name = new_name()
        local client = open(server, name)
        assert.matches("^%d+ full full nil full$", ask(name, "burst"))
        client.socket:resume()
        server:wait_for_log("drain of " .. name)
        assert.equal("true", ask(name, "drain"))
      end)

      it("are waited for over a reload, by the generation that began", function()
        local name = new_name()
        local client = open(server, name)
        ask(name, "fill")
        local mark = server:mark()
        ask(name, "spawn_background")
        server:wait_for_log("background waits", mark)
        local finish = start(name, "drain")
        server:wait_for_log("drains", mark)
        assert.is_true((server:edit { ["app.lua"] = script("2", 'on_full = "close"') }))
        local finish_new = start(name, "drain?log=drains-too")
        server:wait_for_log("drains%-too", mark)
        read_on(client)
        assert.equal("true", finish())
        assert.equal("true", finish_new())
        server:wait_for_log("drain in generation 1", mark)
        server:wait_for_log("drain in generation 2", mark)
        -- A task that ended with its generation is not woken.
        assert.is_nil(server:find_log("background woken", mark))
        -- And what a send at the bound does is the new generation's to say.
        assert.matches("^%d+ full full nil closed$", ask(name, "burst"))
        if kind == "ws" then assert.equal(1013, (client:wait_close())) else client:wait_end() end
        assert.is_true((server:edit { ["app.lua"] = script "1" }))
      end)
    end)
  end

  describe("that fill the queue", function()
    local name, client
    before_each(function()
      name = new_name()
      client = opens.ws(server, name)
      assert.equal("nil full full", ask(name, "fill"))
    end)

    -- What the client has sent so far has been handled by the server.
    local function fence()
      local mark = server:mark()
      client:send "fence"
      server:wait_for_log("message fence", mark)
    end

    it("let through the pong to the newest ping, in bounded memory", function()
      local most = tonumber(ask(name, "buffered")) + 2 + 125
      for i = 1, 2000 do client:send_frame { opcode = frame.PING, data = (i .. ("p"):rep(125)):sub(1, 125) } end
      fence()
      local queued = tonumber(ask(name, "buffered"))
      assert.is_true(queued <= most, ("%d bytes wait"):format(queued))
      client:send_frame { opcode = frame.PING, data = "last" }
      fence()
      read_on(client)
      loop.wait(function() return client.pongs[1] end, "pong")
      assert.equal("next", client:ping "next")
      assert.same({ "last", "next" }, client.pongs)
    end)

    it("do not let a pong overtake or replace what came between", function()
      client:send_frame { opcode = frame.PING, data = "one" }
      fence()
      assert.equal("true", ask(name, "ping"))
      client:send_frame { opcode = frame.PING, data = "two" }
      client:send_frame { opcode = frame.PING, data = "three" }
      fence()
      read_on(client)
      loop.wait(function() return client.pongs[2] end, "second pong")
      assert.same({ "one", "three" }, client.pongs)
      assert.same({ "from the script" }, client.pings)
    end)

    it("let a ping of the script through, but no pile of them", function()
      assert.equal("1 full full", ask(name, "pings"))
      read_on(client)
      assert.equal("true", ask(name, "drain"))
      loop.wait(function() return client.pings[1] end, "ping")
      client.socket:pause()
      assert.equal("nil full full", ask(name, "fill"))
      assert.equal("true", ask(name, "ping"))
      read_on(client)
      loop.wait(function() return client.pings[2] end, "second ping")
      assert.equal("from the script", client.pings[2])
    end)

    it("let the script's close frame through", function()
      assert.equal("true", ask(name, "close"))
      read_on(client)
      assert.same({ 4001, "bye" }, { client:wait_close() })
      server:wait_for_log("closed " .. name .. ": 4001,")
      assert.is_nil(server:find_log("drain of " .. name))
    end)

    it("let the answer to the client's close frame through", function()
      client:send_close(4002)
      server:wait_for_log("closed " .. name .. ": 4002,")
      read_on(client)
      assert.equal(4002, (client:wait_close()))
    end)
  end)
end)
