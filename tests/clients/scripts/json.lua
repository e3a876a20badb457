-- Texts through gate.json: each line is one in base64; what it comes back as, or "-" when it is refused.
local gate = require "tidegate"

gate.post("/json/same", function(req)
  local out = {}
  for line in req:body():gmatch "[^\n]+" do
    local value, _, code = gate.json.decode(gate.crypto.base64_decode(line))
    assert(value ~= nil or code == "json")
    out[#out + 1] = value == nil and "-" or gate.crypto.base64(assert(gate.json.encode(value)))
  end
  return table.concat(out, "\n")
end)
