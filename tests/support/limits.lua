-- The limit of open files of this process: Lua cannot raise it, prlimit can.
local uv = require "luv"

local limits = {}

local function read_limit()
  for line in io.lines "/proc/self/limits" do
    local soft, hard = line:match "^Max open files%s+(%d+)%s+(%d+)"
    if soft then return tonumber(soft), tonumber(hard) end
  end
  error "no limit of open files in /proc/self/limits"
end

-- Raises the soft limit to the hard one; returns what holds then.
---@return integer
function limits.raise_open_files()
  local soft, hard = read_limit()
  if soft < hard then
    os.execute(("prlimit --pid %d --nofile=%d:%d"):format(uv.os_getpid(), hard, hard))
  end
  return (read_limit())
end

return limits
