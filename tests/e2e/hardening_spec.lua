-- What once crashed, hung or lost something: each case was found by attacking
-- or reading the server, and must not come back.
local http = require "support.http"
local loop = require "support.loop"
local tcp = require "support.tcp"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.get("/ok", function() return "ok" end)
gate.get("/sleep", function(req) gate.sleep(tonumber(req.query.s)) return "slept" end)
gate.get("/big", function() return ("0123456789abcdef"):rep(4096):rep(128) end)
gate.get("/page", function() return ("p"):rep(200000) end)
gate.post("/gsub", function(req) return (("x"):gsub("x", function() return req:body() end)) end)
gate.post("/early", function() return "early" end)
gate.get("/sort", function()
  local list = { 2, 1, 3 }
  table.sort(list, function(a, b) gate.sleep(0.01) return a < b end)
end)
gate.get("/closing", function()
  local c <close> = setmetatable({}, { __close = function() while true do end end })
  error "on purpose"
end)
gate.get("/two-writers", function(_, res)
  local failed
  gate.spawn(function()
    gate.sleep(0.05)
    failed = select(2, pcall(res.write, res, "second"))
    gate.log.info("second writer: " .. tostring(failed))
  end)
  for _ = 1, 12 do res:write(("w"):rep(1024 * 1024)) end
end)
gate.ws("/once", function(ws)
  ws.data.runs = (ws.data.runs or 0) + 1
  gate.log.info("once run " .. ws.data.runs)
  if ws.data.runs == 1 then gate.sleep(0.2) end
end)
gate.ws("/slow", {
  message = function(_, data) gate.log.info("slow got " .. data:sub(1, 4)) gate.sleep(0.005) end,
  close = function(_, code) gate.log.info("slow closed " .. code) end,
})
]]

local function start(options)
  options = options or {}
  options.scripts = options.scripts or SCRIPT
  return tidegate.start(options)
end

describe("a server that is", function()
  local server
  setup(function() server = start { args = { "--handler-time", "0.3", "--workers", "1" } } end)
  teardown(function() server:stop() end)
  after_each(function() tcp.close_all() end)

  it("asked to wait behind a C function says that it cannot", function()
    local connection <close> = http.connect(server)
    local mark = server:mark()
    connection:send "POST /gsub HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
    assert.equal(500, connection:response().status)
    server:wait_for_log("cannot wait here", mark)
    assert.equal(500, http.get(server, "/sort").status)
    assert.equal("ok", http.get(server, "/ok").body)
  end)

  it("kept in __close without end stops it", function()
    assert.equal(500, http.get(server, "/closing").status)
    assert.equal("ok", http.get(server, "/ok").body)
  end)

  it("written a response by two tasks refuses the second", function()
    local connection <close> = http.connect(server, { paused = true, receive_buffer = 65536 })
    local mark = server:mark()
    connection:send(http.format_request("GET", "/two-writers"))
    server:wait_for_log("second writer: .*another task waits", mark)
    connection.socket:resume()
    assert.equal(12 * 1024 * 1024, #connection:response().body)
  end)

  it("left a message when a task function returns does not run it again", function()
    local client = ws.connect(server, "/once")
    local mark = server:mark()
    client:send "m"
    client:wait_close()
    assert.equal("ok", http.get(server, "/ok").body)
    assert.is_nil(server:find_log("once run 2", mark))
  end)

  it("sent the end of a client's side still sends all of the answer", function()
    local connection <close> = http.connect(server)
    connection:send(http.format_request("GET", "/big"))
    connection.socket:shutdown()
    assert.equal(8 * 1024 * 1024, #connection:response().body)
  end)

  it("sent a broken body behind the answer still sends the answer", function()
    local connection <close> = http.connect(server)
    connection:send "POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    assert.equal("early", connection:response().body)
    connection:expect_end()
  end)

  it("sent the end behind pipelined requests answers them all", function()
    local connection <close> = http.connect(server)
    connection:send(http.format_request("GET", "/sleep?s=0.1") .. http.format_request("GET", "/ok"):rep(2))
    connection.socket:shutdown()
    assert.equal("slept", connection:response().body)
    assert.equal("ok", connection:response().body)
    assert.equal("ok", connection:response().body)
    connection:expect_end()
  end)

  it("reset by clients while handlers wake lives on", function()
    for _ = 1, 40 do
      local held = {}
      for i = 1, 10 do
        held[i] = tcp.connect(server)
        held[i]:send(http.format_request("GET", "/sleep?s=0.02"))
      end
      for i = 1, 10 do held[i]:close() end
    end
    assert.equal("ok", http.get(server, "/ok").body)
  end)

  it("not read while messages and the close wait gets them all, in order", function()
    local client = ws.connect(server, "/slow")
    local mark = server:mark()
    for i = 1, 60 do client:send(("%04d"):format(i) .. ("x"):rep(4000)) end
    client:send_frame { opcode = 8, data = "\x03\xe8" }
    client.socket:shutdown()
    server:wait_for_log("slow closed 1000", mark)
    assert.truthy(server:find_log("slow got 0060", mark))
  end)
end)

describe("a client that asks and never reads", function()
  it("is not answered into memory", function()
    local server <close> = start { args = { "--workers", "1" } }
    local connection <close> = http.connect(server, { paused = true, receive_buffer = 4096 })
    local requests = http.format_request("GET", "/page"):rep(500)
    connection:send(requests)
    loop.poll(function() return http.get(server, "/ok").body == "ok" end, "answer")
    local status = assert(io.open("/proc/" .. server.process.pid .. "/status")):read "a"
    local kib = tonumber(status:match "VmRSS:%s+(%d+)")
    local allowed = os.getenv "TIDEGATE_PRESET" == "release" and 60000 or 1000000
    assert.is_true(kib < allowed, "resident KiB: " .. kib)
    connection.socket:resume()
    for _ = 1, 500 do assert.equal(200000, #connection:response().body) end
  end)
end)

describe("a session whose route vanished", function()
  it("outlives more reloads until it is closed", function()
    -- The handler runs until the last reload.
    local server <close> = start { scripts = { ["app.lua"] = SCRIPT, ["x.lua"] = [[
      local gate = require "tidegate"
      local last = gate.keep("last", {})
      gate.ws("/x", function() repeat gate.sleep(0.01) until last.is_loaded end)
    ]] } }
    local client = ws.connect(server, "/x", { auto_close = false })
    assert.is_true(server:edit { ["x.lua"] = false })
    for i = 1, 2 do assert.is_true(server:edit { ["y.lua"] = "-- " .. i }) end
    assert.is_true(server:edit { ["y.lua"] = "require('tidegate').keep('last', {}).is_loaded = true" })
    assert.equal(1012, (client:wait_close()))
  end)
end)

-- Takes all memory down to the last bytes, and holds it until its client goes.
local FULL = [[
local gate = require "tidegate"
gate.ws("/fill", { message = function(ws)
  local held, size = {}, 1048576
  while size >= 16 do
    local ok, text = pcall(string.rep, "x", size + #held % 7)
    ok = ok and pcall(rawset, held, #held + 1, text)
    if not ok then size = size // 2 end
  end
  ws:recv()
end })
gate.ws("/callback", { message = function(ws, text) ws:send("got " .. #text) end })
gate.ws("/task", function(ws)
  for text in ws:messages() do ws:send("got " .. #text) end
end)
]]

describe("a VM whose memory is full", function()
  for _, bytes in ipairs { 3000, 200000 } do
    it(("fails handlers of messages of %d bytes, and serves again when it has some"):format(bytes), function()
      local server <close> = start { scripts = FULL, args = { "--workers", "1", "--vm-memory", "8000000" } }
      local filler = ws.connect(server, "/fill")
      local clients = { ws.connect(server, "/callback"), ws.connect(server, "/task") }
      for _, client in ipairs(clients) do assert.equal("got 1", (client:ask "a")) end
      filler:send "fill"
      for _, client in ipairs(clients) do
        client:send(("m"):rep(bytes))
        assert.equal(1011, (client:wait_close()))
      end
      server:wait_for_log "not enough memory"
      filler:drop()
      loop.poll(function()
        local ok, client = pcall(ws.connect, server, "/callback")
        return ok and client:ask "abc" == "got 3"
      end, "answer")
    end)
  end
end)
