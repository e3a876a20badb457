-- Where the server listens: IPv4, IPv6, unix sockets, and several at once.
local http = require "support.http"
local sse = require "support.sse"
local tcp = require "support.tcp"
local tidegate = require "support.server"
local uv = require "luv"
local ws = require "support.ws"

local SCRIPT = [[
local gate = require "tidegate"
local vm = gate.keep("vm", { id = gate.id() })
gate.get("/peer", function(req) return req.peer end)
gate.get("/vm", function() return vm.id end)
gate.ws("/echo", { message = function(ws, data) ws:send(data .. " from " .. ws.peer) end })
gate.sse("/one", function(stream) stream:send(stream.peer) end)
]]

-- { address to listen on, what the log shows, the peer that scripts see }
local KINDS = {
  { "127.0.0.1:0", "^http://127%.0%.0%.1:%d+$", "127.0.0.1" },
  { "[::1]:0", "^http://%[::1%]:%d+$", "::1" },
  { "unix:./gate.sock", "^unix:/.*/gate%.sock$", "unix" },
  { "localhost:0", "^http://.+:%d+$", nil },
}

local function listen_of(kinds)
  local list = {}
  for i, kind in ipairs(kinds) do list[i] = kind[1] end
  return list
end

describe("a server", function()
  it("listens on IPv4, IPv6, a unix socket and a name at once, on all workers", function()
    local server <close> = tidegate.start { scripts = SCRIPT, workers = 2, listen = listen_of(KINDS) }
    assert.equal(#KINDS, #server.addresses)
    for i, kind in ipairs(KINDS) do
      local address = server.addresses[i]
      assert.matches(kind[2], address)
      local peer = kind[3] or http.get(address, "/peer").body
      assert.equal(peer, http.get(address, "/peer").body)
      local client <close> = ws.connect(address, "/echo")
      assert.equal("hi from " .. peer, client:ask "hi")
      local stream <close> = sse.connect(address, "/one")
      assert.equal(peer, stream:receive().data)
    end
  end)

  for _, kind in ipairs { KINDS[1], KINDS[3] } do
    it("spreads connections to " .. kind[1] .. " over its workers", function()
      local server <close> = tidegate.start { scripts = SCRIPT, workers = 2, listen = { kind[1] } }
      local seen, count = {}, 0
      for _ = 1, 300 do
        local id = http.get(server, "/vm").body
        if not seen[id] then seen[id], count = true, count + 1 end
        if count == 2 then break end
      end
      assert.equal(2, count)
    end)
  end

  it("that may open no more files serves those it has, and the others when it may again", function()
    -- Those that hold the descriptors ask for nothing for as long as a busy machine needs.
    local server <close> = tidegate.start { scripts = SCRIPT, open_files = 64, args = { "--header-timeout", "600" } }
    local early, held = http.connect(server), {}
    assert.equal(200, early:get("/peer").status)
    for i = 1, 100 do held[i] = tcp.connect(server) end
    local _, mark = server:wait_for_log " warn  new connections wait for file descriptors"
    local late <close> = http.connect(server)
    late:send(http.format_request("GET", "/peer"))
    -- While it tries again and again.
    for _ = 1, 20 do
      assert.equal(200, early:get("/peer").status)
      held[#held + 1] = tcp.connect(server)
    end
    for _, socket in ipairs(held) do socket:close() end
    assert.equal(200, late:response().status)
    server:wait_for_log("new connections are accepted again", mark)
    assert.is_nil(server:find_log("new connections wait", mark), "said once")
    early:close()
  end)

  it("replaces the socket file of a server that has died", function()
    local first = tidegate.start { scripts = SCRIPT, listen = { "unix:./gate.sock" } }
    local path = first.address:match "^unix:(.+)$"
    first.process:kill "sigkill"
    first.process:wait()
    assert.truthy(uv.fs_stat(path))
    local second = tidegate.start { scripts = SCRIPT, listen = { "unix:" .. path } }
    assert.equal("unix", http.get(second, "/peer").body)
    second:stop()
    first:kill()
  end)

  it("leaves the socket file of a living server alone", function()
    local server <close> = tidegate.start { scripts = SCRIPT, listen = { "unix:./gate.sock" } }
    local result = tidegate.run { "--listen", server.address, server.dir }
    assert.equal(1, result.status)
    assert.equal("unix", http.get(server, "/peer").body)
  end)
end)
