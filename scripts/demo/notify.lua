-- The notices: any program that can POST tells something to every open page.
local gate = require "tidegate"

gate.topic("demo/notices", { history = 20, ttl = 3600 })

local NOTICE_BYTES = 500

-- The body is the text itself, or JSON with a field `text`.
local function read_text(req)
  if (req.headers["content-type"] or ""):find("^application/json") then
    local sent = req:json()
    return type(sent) == "table" and sent.text
  end
  return req:body()
end

gate.post("/demo/notify", function(req)
  local text = read_text(req)
  if type(text) ~= "string" or text == "" or #text > NOTICE_BYTES then
    return 400, { error = "send 1 to " .. NOTICE_BYTES .. " bytes of text" }
  end
  local id, message = gate.publish("demo/notices", { text = text, at = gate.now() }, { event = "notice" })
  if not id then return 400, { error = message } end
  return { id = id, told = gate.count("demo/notices") }
end)
