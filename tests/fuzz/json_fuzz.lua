-- What is decoded can be encoded, and comes back as the same value.
local equal = require "equal"
local json = require("tidegate.core").json

return function(text)
  local value, message, code = json.decode(text)
  if value == nil then
    assert(type(message) == "string" and code == "json", "a failure is nil, message, code")
    return
  end
  local written, problem = json.encode(value)
  assert(written, problem)
  assert(not written:find("%c"), "control characters are escaped")
  local again = json.decode(written)
  assert(equal(value, again), "the same value comes back")
end
