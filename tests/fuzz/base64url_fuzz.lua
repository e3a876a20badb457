-- Each text has one spelling, and only that is decoded.
local core = require "tidegate.core"

return function(text, other)
  local written = core.base64url_encode(text)
  assert(not written:find "[^%w_-]", "only the alphabet of RFC 4648 section 5, no padding")
  assert(core.base64url_decode(written) == text, "it comes back")
  local decoded = core.base64url_decode(text)
  assert(not decoded or core.base64url_encode(decoded) == text, "one spelling")
  assert(core.equal(text, other or "") == (text == (other or "")), "equal")
end
