-- What clients leave unread holds memory: all of a worker together have a bound, and those who
-- hold most are cut for it.
local http = require "support.http"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local ends = {}
gate.ws("/small", {
  open = function(ws) repeat local ok = ws:send(("x"):rep(30000)) ws:drain() until not ok end,
})
gate.get("/pieces", function(_, res)
  local ok, _, code
  repeat ok, _, code = res:write(("x"):rep(100000)) until not ok
  ends[#ends + 1] = code
end)
gate.ws("/ws", {
  message = function(ws) repeat local ok = ws:send(("x"):rep(900000)) ws:drain() until not ok end,
  close = function(_, code) ends[#ends + 1] = tostring(code) end,
})
gate.get("/stats", function() return gate.stats() end)
gate.get("/ends", function() return gate.json.array(ends) end)
]]

local MB = 1048576

describe("what clients leave unread", function()
  local server
  local function stats() return http.get(server, "/stats"):json() end

  setup(function()
    server = tidegate.start { scripts = SCRIPT, args = { "--workers", "1", "--output-memory", tostring(8 * MB) } }
  end)
  teardown(function() server:stop() end)

  it("has a bound for all of them: those who hold most are cut, and scripts hear of it", function()
    local before = server:memory()
    local slow = ws.connect(server, "/small")
    slow.socket:pause()
    local greedy = {}
    for _ = 1, 20 do
      local request, session = http.connect(server, { paused = true }), ws.connect(server, "/ws")
      request:send(http.format_request("GET", "/pieces"))
      session.socket:pause()
      session:send "go"
      table.move({ request.socket, session.socket }, 1, 2, #greedy + 1, greedy)
    end
    loop.poll(function() return stats().shed_readers >= 20 end, "greedy clients to be cut")
    assert(server:wait_for_log("leave more than output_memory unread"))
    if not loop.is_sanitized then assert.is_true(server:memory() - before < 32 * MB) end
    loop.poll(function()
      local codes = {}
      for _, code in ipairs(http.get(server, "/ends"):json()) do codes[code] = true end
      return codes["1006"] and codes.closed
    end, "ends of requests and sessions")
    for _, socket in ipairs(greedy) do socket:close() end
    slow.socket:resume()
    for _ = 1, 300 do assert.equal(30000, #slow:receive()) end  -- more than the kernel holds
    slow:drop()
    assert.equal(0, stats().slow_readers)
  end)
end)
