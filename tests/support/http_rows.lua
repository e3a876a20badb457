-- Tables of requests with the answers they must get. Every row is tried whole,
-- byte by byte, and behind a valid request in the same packet; after it the
-- script has run for the valid requests only.
--
--   { "RFC section: what", 400, bytes }    refused: that status, and the end
--   { "RFC section: what", bytes, seen }   answered: what the script saw of it
local assert = require "luassert"
local busted = require "busted"
local http = require "support.http"
local tidegate = require "support.server"

local http_rows = {}

-- Answers everything with what it sees, once the whole body is there. JSON is UTF-8, so
-- values are read as ISO-8859-1 (RFC 9110 5.5).
local SCRIPT = [[
local gate = require "tidegate"
local count = 0
gate.use(function(req)
  if req.path == "/count" then return tostring(count) end
  local body = req:body()
  if not body then return 400 end
  count = count + 1
  local headers = {}
  for name, value in pairs(req.headers) do
    headers[name] = value:gsub("[\x80-\xff]", function(byte) return utf8.char(byte:byte()) end)
  end
  return { method = req.method, path = req.raw_path, query = req.query, headers = headers, body = body }
end)
]]

-- Small, so that rows beyond them are short.
local LIMITS = { "--header-bytes", "1024", "--header-count", "20", "--url-bytes", "300", "--body-bytes", "2000" }

local GOOD = http.format_request("GET", "/good")

-- How a row is sent; each returns how many valid requests stood before it.
local ways = {
  ["whole"] = function(connection, bytes)
    connection:send(bytes)
    return 0
  end,
  ["byte by byte"] = function(connection, bytes)
    local socket = connection.socket
    -- What the server no longer waits for need not be sent.
    for at = 1, #bytes do
      if socket:peek() ~= "" then break end
      socket:send_in_pieces(bytes:sub(at, at), 1)
    end
    return 0
  end,
  ["behind a valid request"] = function(connection, bytes)
    connection:send(GOOD .. bytes)
    assert.equal("/good", connection:response():json().path)
    return 1
  end,
}

local function method_of(bytes)
  return bytes:match "^[\r\n]*(%S*)"
end

local function check_refusal(connection, status, bytes)
  local method = method_of(bytes)
  local response = connection:response { method = method }
  assert.equal(status, response.status)
  assert.equal("close", response.headers.connection)
  assert.truthy(response.headers.date)
  if method ~= "HEAD" then assert.matches("^[^\n]+\n$", response.body) end
  connection:expect_end()
  return 0
end

local function check_answer(connection, seen)
  local response = connection:response()
  assert.equal(200, response.status)
  local saw = response:json()
  for name, value in pairs(seen) do
    if name == "headers" then
      for field, text in pairs(value) do assert.same({ field, text or nil }, { field, saw.headers[field] }) end
    else
      assert.same({ name, value }, { name, saw[name] })
    end
  end
  -- The request ended where it should: the next one is read from its beginning.
  connection:send(GOOD)
  assert.equal("/good", connection:response():json().path)
  return 2
end

local function check_row(server, row, send)
  local _, second, third = table.unpack(row)
  local is_refused = type(second) == "number"
  local bytes = is_refused and third or second
  local before = tonumber(http.get(server, "/count").body)
  local connection <close> = http.connect(server)
  local runs = send(connection, bytes)
  runs = runs + (is_refused and check_refusal(connection, second, bytes) or check_answer(connection, third))
  assert.equal(before + runs, tonumber(http.get(server, "/count").body), "runs of the script")
end

-- The tests of one spec: one for each table, row and way.
---@param subject string
---@param tables table<string, table[]>  what a row is about -> rows
function http_rows.describe(subject, tables)
  busted.describe(subject, function()
    local server
    busted.setup(function() server = tidegate.start { scripts = SCRIPT, args = LIMITS } end)
    busted.teardown(function() server:stop() end)

    for what, rows in pairs(tables) do
      for _, row in ipairs(rows) do
        local outcome = type(row[2]) == "number" and row[2] or "answered"
        for way, send in pairs(ways) do
          busted.it(("%s, RFC %s: %s, %s"):format(what, row[1], outcome, way),
            function() check_row(server, row, send) end)
        end
      end
    end
  end)
end

return http_rows
