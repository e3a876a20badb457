-- Millions of frames of every kind leave nothing behind: memory is what it was
-- after the first of them. `FRAMES=10000000` runs that many.
local frame = require "support.frame"
local loop = require "support.loop"
local tidegate = require "support.server"
local ws = require "support.ws"

local SESSIONS = 20
local FRAMES = tonumber(os.getenv "FRAMES") or (loop.is_sanitized and 40000 or 2000000)
local SLACK_BYTES = 2 * 1024 * 1024

local SCRIPT = [[
local gate = require "tidegate"
gate.ws("/echo", { message = function(ws, data, kind) ws:send(data, kind) end })
]]

-- A batch of frames, and how many they are, and how many messages and pings among
-- them. Some messages are longer than what the server reads at once, so that
-- frames are cut anywhere.
local function make_batch()
  local frames, messages, pings = {}, 0, 0
  local function add(fields) frames[#frames + 1] = frame.encode(fields) end
  for i = 1, 100 do
    add { data = "text " .. i }
    add { opcode = frame.BINARY, data = ("\0\xff"):rep(i) }
    add { opcode = frame.PING, data = "p" .. i }
    add { opcode = frame.PONG }
    add { data = "\xe2", fin = false }
    add { opcode = frame.PING, data = "between" }
    add { opcode = frame.CONTINUATION, fin = false, data = "\x82" }
    add { opcode = frame.CONTINUATION, data = "\xac" }
    messages, pings = messages + 3, pings + 2
  end
  add { data = ("long "):rep(20000) }
  return { bytes = table.concat(frames), frames = #frames, messages = messages + 1, pings = pings }
end

describe("frames", function()
  it(("leave nothing behind: %d of them"):format(FRAMES), function()
    local server <close> = tidegate.start { scripts = SCRIPT }
    local clients = ws.open_many(server, "/echo", SESSIONS, { on_message = function() end })
    local batch = make_batch()

    local function is_answered(client)
      return client.received_count == batch.messages and #client.pongs == batch.pings
    end

    local function exchange()
      for _, client in ipairs(clients) do
        client.received_count, client.pongs = 0, {}
        client:send_raw(batch.bytes)
      end
      local last = 1
      loop.wait(function()
        while last <= SESSIONS and is_answered(clients[last]) do last = last + 1 end
        return last > SESSIONS
      end, "answers to a batch", loop.deadline * 4)
    end

    local function send(count)
      for _ = 1, math.ceil(count / (SESSIONS * batch.frames)) do exchange() end
    end

    send(FRAMES / 5)
    local before, started = server:memory(), loop.now()
    send(FRAMES)
    local growth = server:memory() - before
    io.stderr:write(("\n%d frames in %.1f s: memory grew by %.0f KiB to %.1f MiB\n"):format(
      FRAMES, loop.now() - started, growth / 1024, server:memory() / 2 ^ 20))
    if not loop.is_sanitized then
      assert.is_true(growth < SLACK_BYTES, ("memory grew by %d bytes"):format(growth))
    end
  end)
end)
