-- What is decoded is JSON to the letter (RFC 8259), can be encoded, and comes back as
-- the same value. What is encoded is UTF-8.
local equal = require "equal"
local json = require("tidegate.core").json

local function check_taken(text)
  assert(utf8.len(text), "JSON is UTF-8 (8.1)")
  assert(not text:find("\0", 1, true), "a NUL ends nothing (2)")
  local plain = text:gsub("\\.", "")
  for inside in plain:gmatch '"([^"]*)"' do
    assert(not inside:find "[\0-\31]", "control characters are escaped (7)")
  end
  local bare = plain:gsub('"[^"]*"', ""):gsub("%d%.%d", "")
  assert(not bare:find(".", 1, true), "a point stands between digits (6)")
end

local function check_any_text(text)
  local written, message, code = json.encode { text }
  assert((written ~= nil) == (utf8.len(text) ~= nil), "what is encoded is UTF-8 (8.1)")
  assert(written or type(message) == "string" and code == "utf8", "a failure is nil, message, code")
end

return function(text)
  check_any_text(text)
  local value, message, code = json.decode(text)
  if value == nil then
    assert(type(message) == "string" and code == "json", "a failure is nil, message, code")
    return
  end
  check_taken(text)
  local written, problem = json.encode(value)
  assert(written, problem)
  assert(not written:find("%c"), "control characters are escaped")
  local again = json.decode(written)
  assert(equal(value, again), "the same value comes back")
end
