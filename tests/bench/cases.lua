-- What the bench measures: one row a case.
--
--   name     first column of the table
--   set      "short" (also part of the full run) or "full"
--   args     arguments of the load generator (bench_load --help)
--   metric   which field of its output: cpu_us (server CPU per unit, microseconds),
--            bytes (memory per connection), wire_bytes (what clients read, per unit),
--            p99_us, per_second, grown_kb
--   divide   the metric is divided by this
--   columns  what is compared: names of servers.lua, or tables
--            { label, server, args, workers, cpus, setup }: args are added to the
--            row's, setup is a path that is asked for before the load starts
--   target   the second column is at most this times the first
--   at_least target that must be exceeded instead
--   limit    target as a value of the second column instead of a ratio
--   repeats  at most so many rounds
--   plot, x  the plot it is a point of, and where
--
-- The first column is what the last table column, the ratio, compares with; the
-- second is Tidegate.
local cases = {}

local function case(row)
  row.set = row.set or "short"
  row.metric = row.metric or "cpu_us"
  cases[#cases + 1] = row
end

local ALL = { "raw", "tidegate", "nchan", "ws", "socketio" }
local OURS = { "raw", "tidegate" }

local function fanout(name, connections, inflight, kind, target, columns, set)
  case {
    name = name, set = set, target = target, columns = columns,
    args = { mode = "fanout", connections = connections, inflight = inflight, kind = kind },
  }
end

-- ---- against the limit, and beside the peers ---------------------------------

fanout("fan-out, 1,000 WebSockets, 1 in flight", 1000, 1, "ws", 1.05, ALL)
fanout("the same, 16 in flight", 1000, 16, "ws", 1.10, ALL)
fanout("the same, 64 in flight", 1000, 64, "ws", 1.15, { "raw", "tidegate", "nchan", "ws" })
fanout("fan-out, 1,000 streams, 16 in flight", 1000, 16, "sse", 1.10, { "raw", "tidegate", "nchan", "ws" })
fanout("fan-out, half each, 16 in flight", 1000, 16, "half", 1.10, { "raw", "tidegate", "nchan" }, "full")
fanout("fan-out, 100 WebSockets, 16 in flight", 100, 16, "ws", 1.10, OURS)
fanout("fan-out, 10,000 WebSockets, 16 in flight", 10000, 16, "ws", 1.10,
  { "raw", "tidegate", "nchan", "ws" }, "full")
fanout("fan-out, 19,000 WebSockets, 16 in flight", 19000, 16, "ws", 1.10, OURS)
fanout("fan-out, 10,000 streams, 16 in flight", 10000, 16, "sse", 1.10, { "raw", "tidegate", "nchan" }, "full")
fanout("fan-out, 19,000 streams, 16 in flight", 19000, 16, "sse", 1.10, OURS, "full")

-- What compression costs at the server and what it saves on the wire: raw sends
-- the same messages as they are.
local KIB = { mode = "fanout", connections = 1000, inflight = 16, size = 1024 }
local COMPRESSED = { path = "/ws/compressed", compress = 1 }
for _, row in ipairs {
  { "fan-out of 1 KiB, compressed (raw: not), 1,000 WebSockets, 16 in flight", "cpu_us", 1.10 },
  { "the same, bytes on the wire for each 1 KiB", "wire_bytes", 0.5 },
} do
  case {
    name = row[1], metric = row[2], target = row[3], args = KIB,
    columns = { "raw", { server = "tidegate", args = COMPRESSED }, { server = "ws", args = COMPRESSED } },
  }
end

for _, depth in ipairs { { 1, 1.10 }, { 16, 2.0 } } do
  case {
    name = ("echo, 100 connections, %d in flight"):format(depth[1]),
    args = { mode = "echo", path = "/ws/echo", connections = 100, inflight = depth[1], size = 20 },
    columns = { "raw", "tidegate", "ws", "socketio" },
    target = depth[2],
  }
  case {
    name = ("the same, %d in flight, with a C app instead of Lua"):format(depth[1]),
    args = { mode = "echo", path = "/ws/echo", connections = 100, inflight = depth[1], size = 20 },
    columns = { "raw", { server = "capp", label = "Tidegate" } },
    target = 1.10,
  }
end

case {
  name = "handshake with an auth check, and close",
  args = { mode = "connect", path = "/ws/auth?token=0123456789abcdef", connections = 100 },
  columns = { "raw", "tidegate", "ws" },
  target = 1.4,
}

case {
  name = "HTTP hello, keep-alive, 100 connections",
  args = { mode = "http", path = "/hello", connections = 100 },
  columns = { "nginx_lua", "tidegate", "raw", "ws" },
  target = 1.0,
}

for _, row in ipairs {
  { "memory per idle WebSocket, subscribed", "ws", "/ws/sub", 450, ALL },
  { "the same, with a string in ws.data", "ws", "/ws/named", 900,
    { { server = "raw", args = { path = "/ws/sub" } }, "tidegate" } },
  { "memory per idle stream, subscribed", "sse", "/sse/sub", 450, { "raw", "tidegate", "nchan", "ws" } },
} do
  case {
    name = row[1] .. " (bytes)",
    args = { mode = "idle", kind = row[2], path = row[3], connections = 10000, seconds = 0.1 },
    columns = row[5], metric = "bytes", limit = row[4],
    repeats = 3,  -- memory does not depend on what else the machine does
  }
end

-- ---- Tidegate against itself -------------------------------------------------

local function itself(row)
  row.group = "itself"
  for _, column in ipairs(row.columns) do column.server = "tidegate" end
  case(row)
end

itself {
  name = "publish from Lua, no subscribers: one topic; 1,000 topics",
  args = { mode = "http", path = "/publish/10000/1", connections = 1 },
  columns = { { label = "1 topic" }, { label = "1,000 topics", args = { path = "/publish/10000/1000" } } },
  divide = 10000, limit = 1.0,
}
for _, count in ipairs { 1000, 1000000 } do
  itself {
    name = ("publish from Lua beside %d kept topics"):format(count),
    set = count == 1000 and "full" or "short",
    args = { mode = "http", path = "/publish/10000/1", connections = 1 },
    columns = { { label = "1 topic" }, { label = count .. " topics", setup = "/keep/" .. count } },
    divide = 10000, target = 1.1,
  }
end
itself {
  name = "publishes per second, 1,000 topics: 1 worker; 2 workers",
  args = { mode = "http", path = "/publish/10000/1000", connections = 16 },
  columns = { { label = "1 worker", workers = 1, cpus = "all" }, { label = "2 workers", workers = 2, cpus = "all" } },
  metric = "per_second", divide = 1 / 10000, at_least = 1.5,
}
itself {
  name = "fan-out, 16 in flight: 100; 19,000 WebSockets",
  args = { mode = "fanout", inflight = 16 },
  columns = { { label = "100", args = { connections = 100 } }, { label = "19,000", args = { connections = 19000 } } },
  target = 1.25,
}
itself {
  name = "fan-out of 1 KiB, 1,000 WebSockets, 16 in flight: as it is; compressed",
  args = KIB, target = 1.10,
  columns = { { label = "as it is" }, { label = "compressed", args = COMPRESSED } },
}
for _, row in ipairs {
  { "p99 latency of 100 healthy readers (us): alone; beside 1,000 stalled ones", "p99_us", { target = 1.5 } },
  { "memory that the server grows by then (KB)", "grown_kb", { limit = 2048 } },
} do
  itself {
    name = row[1], metric = row[2], target = row[3].target, limit = row[3].limit,
    args = { mode = "fanout", connections = 100, rate = 200, size = 1000, warmup = 2, seconds = 3 },
    columns = { { label = "alone" }, { label = "beside", args = { stalled = 1000 } } },
  }
end
-- WebSockets and streams that nobody reads, and requests that never end. The kernel
-- asks each of those it cannot send to now and then, in the server's time.
for _, row in ipairs {
  { "p99 latency of 100 healthy readers (us): alone; beside 5,000 slow clients", "p99_us" },
  { "CPU of a delivery to them (us)", "cpu_us" },
} do
  itself {
    name = row[1], metric = row[2], target = 1.5,
    args = { mode = "fanout", kind = "half", connections = 100, rate = 200, size = 1000, warmup = 2, seconds = 3 },
    columns = { { label = "alone" }, { label = "beside", args = { stalled = 2500, partial = 2500 } } },
  }
end

-- ---- plots --------------------------------------------------------------------

for _, count in ipairs { 10, 30, 100, 300, 1000, 3000, 10000, 19000 } do
  case {
    name = ("%d"):format(count), set = "full", group = "plot", plot = "fanout", x = count,
    args = { mode = "fanout", connections = count, inflight = 16 },
    columns = count > 10000 and OURS or { "raw", "tidegate", "nchan", "ws" },
    repeats = 3,
  }
end

for _, rate in ipairs { 25, 50, 100, 200, 400, 800, 1600 } do
  case {
    name = ("%d"):format(rate), set = "full", group = "plot", plot = "latency", x = rate,
    args = { mode = "fanout", connections = 1000, rate = rate }, metric = "p99_us", divide = 1000,
    columns = { "raw", "tidegate", "nchan", "ws" },
    repeats = 3,
  }
end

return cases
