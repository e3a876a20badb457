-- `require "tidegate"`: the table `gate` that scripts work with. What needs no
-- Lua of its own is the server's function itself.

local app = require "tidegate.app"
local check = require "tidegate.check"
local core = require "tidegate.core"
local cors = require "tidegate.guard.cors"
local jwt = require "tidegate.jwt"
local presence = require "tidegate.presence"

check.hide_file()

-- A table of this generation's own: what scripts put into it does not outlive them.
local function own(name, functions)
  local copy = {}
  for key, value in pairs(functions) do copy[key] = value end
  return check.note_misses("gate." .. name, copy)
end

---@type tidegate.Gate
local gate = {
  publish = core.publish,
  topic = core.topic,
  count = core.count,
  history = core.history,
  topics = core.topics,
  presence = core.presence,
  on_presence = presence.on_presence,
  subscribe = core.subscribe,
  sleep = core.sleep,
  every = core.every,
  after = core.after,
  spawn = core.spawn,
  env = core.env,
  log = own("log", core.log),
  json = own("json", core.json),
  null = core.json.null,
  crypto = own("crypto", core.crypto),
  now = core.now,
  id = core.id,
  keep = core.keep,
  stats = core.stats,
  dir = core.dir,
  version = core.version,
  jwt = own("jwt", jwt),
  guard = own("guard", { cors = cors }),
}

for name, fn in pairs(app.root) do gate[name] = fn end

return check.note_misses("gate", gate)
