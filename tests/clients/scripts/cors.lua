-- Streams for pages of another origin, whose cookie and token they tell.
local gate = require "tidegate"

local function tell(path, options)
  local scope = gate.scope(path, gate.guard.cors(options))
  scope.sse("/stream", {
    upgrade = function(req) return { who = req.cookies.who or "nobody", token = req:bearer() or "none" } end,
    open = function(stream) stream:send { data = stream.data } end,
  })
end

local page = gate.env.PAGE_ORIGIN
if page then
  tell("/cors/own", { origins = { page }, credentials = true })
  tell("/cors/others", { origins = { "https://a.example" }, credentials = true })
  tell("/cors/all", { origins = "*" })
end
