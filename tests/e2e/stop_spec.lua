-- Graceful stop: what is in progress is finished, sessions are told, nothing
-- new is taken, and the end comes within the grace time.
local http = require "support.http"
local loop = require "support.loop"
local sse = require "support.sse"
local tcp = require "support.tcp"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.get("/sleep", function(req)
  gate.log.info "sleeping"
  gate.sleep(tonumber(req.query.s))
  return "slept"
end)
gate.post("/body", function(req)
  gate.log.info "waiting for the body"
  return req:body()
end)
gate.get("/big", function() return ("0123456789abcdef"):rep(4096):rep(64) end)
-- More than the kernel takes for a client that does not read.
gate.get("/pieces", function(_, res)
  res:write(("x"):rep(16 * 1024 * 1024))
  gate.log.info "all written"
end)
gate.ws("/ws", {
  message = function(ws, data) ws:send(data) end,
  close = function(ws, code) gate.log.info("told " .. code) end,
})
gate.sse("/sse", { open = function(stream) stream:send "open" end,
                   close = function() gate.log.info "stream told" end })
gate.ws("/busy", function(ws)
  gate.log.info "busy"
  gate.sleep(3600)
end)
]]

local function start(options)
  options = options or {}
  options.scripts = SCRIPT
  return tidegate.start(options)
end

-- Nobody takes connections any more.
local function wait_refused(server)
  loop.poll(function()
    local socket, failure = tcp.try_connect(server)
    -- A reset is the end of one that was still in the queue.
    if not socket then return failure == "ECONNREFUSED" end
    socket:close()
  end, "refused connection")
end

for _, signal in ipairs { "sigterm", "sigint", "sigquit" } do
  describe("on " .. signal, function()
    it("an idle server ends at once", function()
      local server <close> = start { workers = 2 }
      server:signal(signal)
      server:wait_end(5)
    end)

    it("everything in progress is finished and everybody told", function()
      local server <close> = start { workers = 2, listen = { "127.0.0.1:0", "unix:./gate.sock" } }
      local sleeping, idle = http.connect(server), http.connect(server.addresses[2])
      local client, stream = ws.connect(server, "/ws"), sse.connect(server, "/sse")
      assert.equal("open", stream:receive().data)
      assert.equal("hello", client:ask "hello")
      idle:request("GET", "/sleep?s=0")
      local mark = server:mark()
      sleeping:send(http.format_request("GET", "/sleep?s=0.5"))
      server:wait_for_log("sleeping", mark)
      server:signal(signal)
      assert.equal(1001, (client:wait_close()))
      stream:wait_end()
      idle:expect_end()
      wait_refused(server)
      local response = sleeping:response()
      assert.same({ 200, "slept", "close" }, { response.status, response.body, response.headers.connection })
      sleeping:expect_end()
      sleeping:close()
      idle:close()
      server:wait_end()
      assert.truthy(server:find_log "told 1001")
      assert.truthy(server:find_log "stream told")
    end)
  end)
end

describe("a stopping server", function()
  it("takes the rest of a body", function()
    local server <close> = start()
    local connection <close> = http.connect(server)
    connection:send "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nda"
    server:wait_for_log "waiting for the body"
    server:signal "sigterm"
    wait_refused(server)
    connection:send "ta"
    assert.equal("data", connection:response().body)
    connection:close()
    server:wait_end()
  end)

  it("sends all of a response to a slow reader", function()
    local server <close> = start()
    local connection <close> = http.connect(server, { paused = true, receive_buffer = 65536 })
    connection:send(http.format_request("GET", "/big"))
    local other = http.get(server, "/sleep?s=0.01")
    assert.equal(200, other.status)
    server:signal "sigterm"
    wait_refused(server)
    connection.socket:resume()
    assert.equal(4 * 1024 * 1024, #connection:response().body)
    connection:close()
    server:wait_end()
  end)

  it("cuts what takes longer than --grace", function()
    local server <close> = start { args = { "--grace", "0.3" } }
    local connection <close> = http.connect(server)
    connection:send(http.format_request("GET", "/sleep?s=60"))
    server:wait_for_log "sleeping"
    server:signal "sigterm"
    local started = loop.now()
    local ok = pcall(connection.response, connection)
    assert.is_false(ok)
    server:wait_end()
    assert.is_true(loop.now() - started >= 0.25, "the grace time was not given")
  end)

  it("resets a response that only the end of the connection completes, and that is not all sent", function()
    local server <close> = start { args = { "--grace", "0.3", "--send-queue", "33554432" } }
    local socket <close> = tcp.connect(server, { paused = true, receive_buffer = 65536 })
    socket:send "GET /pieces HTTP/1.0\r\n\r\n"
    server:wait_for_log "all written"
    server:signal "sigterm"
    server:wait_for_log "connections are cut"
    socket:resume()
    socket:wait_end()
    assert.is_true(socket:was_reset())
    server:wait_end()
  end)

  it("does not wait for clients that do not answer its close", function()
    local server <close> = start { args = { "--grace", "0.3" } }
    local client = ws.connect(server, "/ws", { auto_close = false })
    server:signal "sigterm"
    loop.wait(function() return client.close_code == 1001 end, "close frame")
    server:wait_end()
  end)

  it("does not wait for a task that sleeps in a session", function()
    local server <close> = start { args = { "--grace", "3600" } }
    local client = ws.connect(server, "/busy")
    server:wait_for_log "busy"
    server:signal "sigterm"
    assert.equal(1001, (client:wait_close()))
    server:wait_end()
  end)

  it("removes its unix socket", function()
    local server <close> = start { listen = { "unix:./gate.sock" } }
    local path = server.address:match "^unix:(.+)$"
    assert.equal(200, http.get(server, "/sleep?s=0").status)
    server:signal "sigterm"
    server.process:wait()
    local there = io.open(path)
    assert.is_nil(there)
    server:wait_end()
  end)

  it("ends at once on a second signal", function()
    local server <close> = start()
    local connection <close> = http.connect(server)
    connection:send(http.format_request("GET", "/sleep?s=60"))
    server:wait_for_log "sleeping"
    server:signal "sigterm"
    wait_refused(server)
    loop.poll(function()
      server:signal "sigterm"
      return server.process.is_done
    end, "end after a second signal")
    server:wait_end(nil, 128 + 15)
  end)
end)
