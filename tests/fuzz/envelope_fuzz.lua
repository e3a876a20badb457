-- Decodes an envelope as a client does.
local core = require "tidegate.core"

local function or_nil(text) return text ~= "" and text or nil end

return function(envelope, topic, event, key, payload)
  local got = assert(core.json.decode(envelope))
  assert(got.id == "epoch-0", "id")
  assert(got.topic == or_nil(topic), "topic")
  assert(got.event == or_nil(event), "event")
  assert(got.key == or_nil(key), "key")
  assert(got.data == (payload or ""), "data")
end
