-- What requests under way may hold together, and what becomes of those behind an answer: a
-- handshake that was refused with its body, and a client that has ended its side.
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
gate.post("/body", function(req) return tostring(#req:body()) end)
gate.get("/large", function() return ("x"):rep(300000) end)
gate.get("/stats", function() return gate.stats() end)
gate.ws("/ws", { message = function() end })
]]

local MB = 1048576

describe("requests under way", function()
  local server
  setup(function()
    server = tidegate.start { scripts = SCRIPT,
      args = { "--message-memory", tostring(8 * MB), "--send-queue", "60000" } }
  end)
  teardown(function() server:stop() end)

  it("hold message_memory together; beyond it they get 503, and others are served", function()
    local before = server:memory()
    local unfinished = {}
    for i = 1, 40 do
      unfinished[i] = http.connect(server)
      unfinished[i]:send("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" .. ("x"):rep(999999))
    end
    loop.poll(function() return http.get(server, "/stats"):json().refused_memory >= 32 end, "refusals")
    if not loop.is_sanitized then assert.is_true(server:memory() - before < 24 * MB) end
    loop.poll(function()
      local answered = 0
      for _, connection in ipairs(unfinished) do
        if connection.socket:peek():find("^HTTP/1.1 503 ") then answered = answered + 1 end
      end
      return answered >= 32
    end, "503 of 32 requests")
    for _, connection in ipairs(unfinished) do connection:close() end
    loop.poll(function()
      return http.post(server, "/body", ("x"):rep(1000000)).body == "1000000"
    end, "room for a body")
  end)

  it("are not read behind a handshake that was refused for its body", function()
    local connection = http.connect(server)
    local head = ws.handshake("/ws", { headers = { ["Content-Length"] = "3" } })
    connection:send(head .. "abcGET /stats HTTP/1.1\r\nHost: x\r\n\r\n")
    local response = connection:response()
    assert.same({ 400, "close" }, { response.status, response.headers.connection })
    connection:expect_end()
  end)

  it("are all answered to a client that has ended its side", function()
    local connection = http.connect(server, { paused = true })
    connection:send(http.format_request("GET", "/large"):rep(20))
    connection.socket:shutdown()
    connection.socket:resume()
    for _ = 1, 20 do assert.equal(300000, #connection:response().body) end
    connection:expect_end()
  end)
end)
