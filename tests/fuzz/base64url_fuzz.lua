-- Each text has one spelling, and only that is decoded.
local crypto = require("tidegate.core").crypto

local FORMS = {
  { write = crypto.base64url, read = crypto.base64url_decode, other = "[^%w_-]", code = "base64url" },
  { write = crypto.base64, read = crypto.base64_decode, other = "[^%w+/=]", code = "base64" },
  { write = crypto.hex, read = crypto.hex_decode, other = "[^%x]", code = "hex" },
}

return function(text, other)
  for _, form in ipairs(FORMS) do
    local written = form.write(text)
    assert(not written:find(form.other), "only the alphabet of RFC 4648")
    assert(form.read(written) == text, "it comes back")
    local decoded, message, code = form.read(text)
    local lower = form.code == "hex" and text:lower() or text
    assert(not decoded or form.write(decoded) == lower, "one spelling")
    assert(decoded or type(message) == "string" and code == form.code, "a failure is nil, message, code")
  end
  assert(crypto.equal(text, other or "") == (text == (other or "")), "equal")
end
