-- Presence for scripts: joins and leaves as the hub tells them, on the topic
-- that accompanies each topic with members.

local check = require "tidegate.check"
local core = require "tidegate.core"

local presence = {}

check.hide_file()

local LONGEST = 255 - #"presence:"  -- as that of a topic with members

---Calls fn for every change of who is in the topics that match, on one worker.
---@param pattern string topic pattern
---@param fn fun(topic: string, diff: tidegate.presence_diff)
function presence.on_presence(pattern, fn)
  check.dot("gate.on_presence", pattern)
  check.type("gate.on_presence", "pattern", pattern, "string")
  check.type("gate.on_presence", "handler", fn, "function")
  if pattern == "" then check.fail("gate.on_presence", "pattern must not be empty") end
  if #pattern > LONGEST then
    check.fail("gate.on_presence", "pattern must be 1 to %d bytes long (got %d)", LONGEST, #pattern)
  end
  local ok, reason = pcall(core.subscribe, "presence:" .. pattern, function(_, text)
    local diff = core.json.decode(text)
    fn(diff.topic, { joins = diff.joins, leaves = diff.leaves })
  end)
  -- Told where the script stands, and in the words of what it called.
  if not ok then
    reason = tostring(reason):gsub("^[^:]*:%d+: ", ""):gsub("^gate%.subscribe ", "")
      :gsub("^bad argument #1 to '[^']*' ", "pattern ")
    check.fail("gate.on_presence", "%s", reason)
  end
end

return presence
