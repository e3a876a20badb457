-- Every limit of a request, by its refusal: sizes, counts and times.
local http = require "support.http"
local loop = require "support.loop"
local tcp = require "support.tcp"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"
gate.get("/", function() return "ok" end)
gate.get("/{rest...}", function(req) return tostring(#req.path) end)
gate.post("/body", function(req)
  local body, message = req:body()
  return body and tostring(#body) or message
end)
]]

local function head_of(size)
  local start = "GET / HTTP/1.1\r\nHost: x\r\nX-Fill: "
  return start .. ("a"):rep(size - #start - 4) .. "\r\n\r\n"
end

local function headers(count)
  local lines = { "GET / HTTP/1.1\r\nHost: x\r\n" }
  for i = 2, count do lines[i] = ("X-%d: y\r\n"):format(i) end
  return table.concat(lines) .. "\r\n"
end

local function target(size)
  return "GET /" .. ("a"):rep(size - 1) .. " HTTP/1.1\r\nHost: x\r\n\r\n"
end

local function body(size)
  return ("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"):format(size) .. ("b"):rep(size)
end

local function chunks(size)
  local whole, rest = size // 100, size % 100
  local parts = { "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" }
  for _ = 1, whole do parts[#parts + 1] = "64\r\n" .. ("b"):rep(100) .. "\r\n" end
  if rest > 0 then parts[#parts + 1] = ("%x\r\n%s\r\n"):format(rest, ("b"):rep(rest)) end
  return table.concat(parts) .. "0\r\n\r\n"
end

-- { what, refusal, request of a size, the largest that passes }
local SIZES = {
  { "header_bytes", 431, head_of, 1024 },
  { "header_count", 431, headers, 20 },
  { "url_bytes", 414, target, 300 },
  { "body_bytes", 413, body, 2000 },
  { "body_bytes in chunks", 413, chunks, 2000 },
}
local DEFAULTS = { 32768, 100, 8192, 1048576, 1048576 }

local function check_limit(server, case, largest)
  local passed, connection = http.raw(server, case[3](largest))
  assert.equal(200, passed.status, case[1])
  connection:close()
  local refused, ended = http.raw(server, case[3](largest + 1))
  assert.equal(case[2], refused.status)
  assert.equal("close", refused.headers.connection)
  ended:expect_end()
end

describe("limits of a request", function()
  local server
  setup(function()
    server = tidegate.start { scripts = SCRIPT, args = {
      "--header-bytes", "1024", "--header-count", "20", "--url-bytes", "300", "--body-bytes", "2000",
      "--header-timeout", "0.15", "--body-timeout", "0.2", "--idle-timeout", "0.25",
    } }
  end)
  teardown(function() server:stop() end)

  for _, case in ipairs(SIZES) do
    it(("%s: %d beyond"):format(case[1], case[2]), function() check_limit(server, case, case[4]) end)
  end

  it("a body announced as too large is refused before it comes", function()
    local response, connection = http.raw(server, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2001\r\n\r\n")
    assert.equal(413, response.status)
    connection:expect_end()
  end)

  it("a huge Content-Length is no small one", function()
    for _, length in ipairs { "18446744073709551617", "99999999999999999999999999" } do
      local response, connection = http.raw(server,
        ("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n"):format(length))
      assert.is_true(response.status == 413 or response.status == 400)
      connection:expect_end()
    end
  end)

  it("a head that never ends: 408, however steadily it comes", function()
    local connection <close> = http.connect(server)
    local socket = connection.socket
    connection:send "GET / HTTP/1.1\r\n"
    loop.poll(function()
      if not socket.is_ended then pcall(socket.send, socket, "A: b\r\n") end
      return socket:peek() ~= ""
    end, "refusal", 0.02)
    assert.equal(408, connection:response().status)
    connection:expect_end()
  end)

  it("a second head that never ends: 408", function()
    local connection <close> = http.connect(server)
    assert.equal(200, connection:get("/").status)
    connection:send "GET "
    assert.equal(408, connection:response().status)
    connection:expect_end()
  end)

  it("a body that never comes: 408", function()
    local connection <close> = http.connect(server)
    connection:send "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"
    assert.equal(408, connection:response().status)
    connection:expect_end()
  end)

  it("a connection on which nothing happens is closed without a word", function()
    local silent, used = tcp.connect(server), http.connect(server)
    assert.equal(200, used:get("/").status)
    assert.equal("", silent:read_to_end())
    used:expect_end()
    silent:close()
    used:close()
  end)
end)

describe("limits by default", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  for i, case in ipairs(SIZES) do
    it(("%s is %d"):format(case[1], DEFAULTS[i]), function() check_limit(server, case, DEFAULTS[i]) end)
  end
end)

describe("the connection limit of a worker", function()
  it("sends its 503 also to clients that have asked already (9112 9.6)", function()
    local server <close> = tidegate.start { scripts = SCRIPT, args = { "--connections", "1" } }
    local held <close> = http.connect(server)
    assert.equal(200, held:get("/").status)
    for _ = 1, 100 do
      local response, connection = http.raw(server, http.format_request("GET", "/"))
      assert.equal(503, response.status)
      connection:expect_end()
      connection:close()
    end
  end)

  it("refuses with 503 and takes new ones when old ones have gone", function()
    local server <close> = tidegate.start { scripts = SCRIPT, args = { "--connections", "3" } }
    local held = {}
    for i = 1, 3 do
      held[i] = http.connect(server)
      assert.equal(200, held[i]:get("/").status)
    end
    local refused = http.connect(server)
    assert.equal(503, refused:response().status)
    refused:expect_end()
    refused:close()
    assert.equal(200, held[2]:get("/").status)
    held[1]:close()
    loop.poll(function()
      local ok, response = pcall(http.get, server, "/")
      return ok and response.status == 200
    end, "free place")
  end)
end)
