-- Sessions that follow a topic of numbered messages ("7 ..."), each at most once
-- and in order, and count those and what they are told to have missed. A group of
-- them that keep up shows how long a message takes to the last.
local cjson = require "cjson"
local http = require "support.http"
local loop = require "support.loop"
local sse = require "support.sse"
local ws = require "support.ws"

local followers = {}

-- { received, missed, last }; on_message(n) may be set.
function followers.new() return { received = 0, missed = 0, last = 0 } end

---@param follower table
---@param text string a message, or the notice of a gap
function followers.take(follower, text)
  local n = tonumber(text:match "^%d+")
  if not n then
    follower.missed = follower.missed + cjson.decode(text).missed
  else
    if n <= follower.last then error(("message %d after %d"):format(n, follower.last), 0) end
    follower.received, follower.last = follower.received + 1, n
    if follower.on_message then follower.on_message(n) end
  end
end

local function follow(kind, address, path)
  local follower = followers.new()
  follower.client = kind.connect(address, path, {
    on_message = function(data) followers.take(follower, data) end,
    on_event = function(event) followers.take(follower, event.data) end,
  })
  return follower
end

local Group = {}
Group.__index = Group

-- Opens `count` WebSockets and as many streams at `path` that keep up.
-- group.published counts messages, group.times holds how long each took to each.
---@param address table|string
---@param path string
---@param count integer
function followers.group(address, path, count)
  local group = setmetatable({ published = 0, times = {}, publisher = http.connect(address) }, Group)
  for _ = 1, count do
    table.insert(group, follow(ws, address, path))
    table.insert(group, follow(sse, address, path))
  end
  return group
end

-- Publishes the next message by POST /publish?n=..., and waits until all have it.
function Group:publish()
  local n, left, started = self.published + 1, #self, loop.now()
  self.published = n
  for _, follower in ipairs(self) do
    follower.on_message = function(got)
      if got ~= n then error(("message %d where %d was due"):format(got, n), 0) end
      self.times[#self.times + 1], left = loop.now() - started, left - 1
    end
  end
  local response = self.publisher:request("POST", "/publish?n=" .. n, { body = "" })
  if response.status ~= 200 then error("publishing was answered with " .. response.status, 0) end
  loop.wait(function() return left == 0 end, "message at all who read")
end

-- The times since the last call, in order; a new count begins.
function Group:take_times()
  local times = self.times
  self.times = {}
  table.sort(times)
  return times
end

-- Milliseconds that `share` of the sorted times stay within.
---@param times number[]
---@param share number
function followers.percentile(times, share)
  return times[math.max(1, math.ceil(#times * share))] * 1000
end

return followers
