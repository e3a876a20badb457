-- A thousand clients that have stopped reading, on a busy topic: the server
-- holds the log and next to nothing for each of them, those that read get
-- everything, and whoever reads on is told exactly what went by. Latencies are
-- printed, not judged.
local followers = require "support.followers"
local http = require "support.http"
local limits = require "support.limits"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local STALLED = math.min(loop.is_sanitized and 200 or 1000, limits.raise_open_files() - 200)
local HEALTHY = 6  -- of each kind
local HISTORY, SIZE = 40, 4096
local QUIET, BUSY = 300, 300  -- messages
local GROUPS = 10  -- the stalled stop one group after the other

-- A message in the log exists as published and in two encoded forms.
local LOG_BYTES = HISTORY * 3 * (SIZE + 256)
-- Allocator, batches and the kernel's page granularity; against the gigabyte that queues of their own would take.
local SLACK_BYTES = 4 * 1024 * 1024

local SCRIPT = ([[
local gate = require "tidegate"
gate.topic("busy", { history = %d })
local fill = (" "):rep(%d)
gate.ws("/busy", {
  open = function(ws) ws:join "busy" end,
  gap = function(ws, topic, missed) ws:send { missed = missed } end,
})
gate.sse("/busy", { open = function(stream) stream:join "busy" end })
gate.post("/publish", function(req) return gate.publish("busy", req.query.n .. fill) end)
gate.get("/count", function() return tostring(gate.count "busy") end)
]]):format(HISTORY, SIZE)

describe("stalled clients", function()
  it(("%d on a busy topic cost little, and lose nothing silently"):format(STALLED), function()
    local server <close> = tidegate.start { scripts = SCRIPT, workers = 2, listen = { "127.0.0.1:0", "unix:./socket" } }
    local healthy, stalled = followers.group(server, "/busy", HEALTHY), {}
    for i = 1, QUIET do
      if i == QUIET // 4 then healthy:take_times() end
      healthy:publish()
    end
    local quiet_times = healthy:take_times()

    -- The socket of a unix path holds less than that of TCP, so fewer bytes stall it.
    ws.open_many(server.addresses[2], "/busy", STALLED, function(index)
      local follower = followers.new()
      stalled[index] = follower
      return { on_message = function(data) followers.take(follower, data) end,
        on_open = function(client) follower.client = client end }
    end)
    loop.poll(function() return tonumber(http.get(server, "/count").body) == #healthy + STALLED end, "all joined")
    local before, peak = server:memory(), 0
    local joined_at = healthy.published

    local paused = 0
    for i = 1, BUSY do
      -- Not all at the same place of the log.
      while paused < math.min(STALLED, STALLED * (i // 5) // GROUPS) do
        paused = paused + 1
        stalled[paused].client.socket:pause()
      end
      if i == BUSY // 2 then healthy:take_times() end  -- from here on nobody's socket takes anything
      healthy:publish()
      if i % 10 == 0 then peak = math.max(peak, server:memory()) end
    end
    local times, published = healthy:take_times(), healthy.published
    local growth, allowed = peak - before, LOG_BYTES + STALLED * 1024 + SLACK_BYTES

    for _, follower in ipairs(healthy) do
      assert.same({ published, 0 }, { follower.received, follower.missed })
    end
    local missed = 0
    for _, follower in ipairs(stalled) do follower.client.socket:resume() end
    for i, follower in ipairs(stalled) do
      loop.wait(function()
        return follower.last == published and follower.received + follower.missed == published - joined_at
      end, function()
        return ("sum of %d at stalled client %d: %d received, %d missed"):format(published - joined_at, i,
          follower.received, follower.missed)
      end)
      assert.is_true(follower.missed > 0, "it was stalled long enough to miss something")
      missed = missed + follower.missed
    end
    io.stderr:write(("\n%d stalled clients missed %d messages in all; memory grew by %.1f MiB of %.1f allowed; "
      .. "p99 of the healthy %.2f ms without and %.2f ms with them\n"):format(STALLED, missed, growth / 2 ^ 20,
      allowed / 2 ^ 20, followers.percentile(quiet_times, 0.99), followers.percentile(times, 0.99)))
    if not loop.is_sanitized then
      assert.is_true(growth <= allowed, ("memory grew by %d bytes, %d are allowed"):format(growth, allowed))
    end
  end)
end)
