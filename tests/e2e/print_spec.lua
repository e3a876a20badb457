-- What scripts print: it goes to standard output, whole lines, and whoever reads there holds up
-- nobody.
local files = require "support.files"
local http = require "support.http"
local loop = require "support.loop"
local redirected = require "support.redirected"
local tcp = require "support.tcp"

local SCRIPT = [[
local gate = require "tidegate"
print "while loading"
gate.get("/print", function(req)
  local text = req.query.text:rep(tonumber(req.query.times or 1))
  for i = 1, tonumber(req.query.lines or 1) do print("line", i, text) end
  return "printed"
end)
gate.get("/write", function(req)
  io.write(req.query.text)
  return "written"
end)
gate.get("/complain", function(req)
  for i = 1, tonumber(req.query.lines) do io.stderr:write("complaint ", i, "\n") end
  return "written"
end)
gate.get("/dropped", function()
  local stats = gate.stats()
  return { prints = stats.print_dropped, log = stats.log_dropped }
end)
]]

local function start(redirect, options) return redirected.start(SCRIPT, redirect, options or {}) end

local function dropped(server) return http.get(server, "/dropped"):json() end

-- Stops it; returns its exit status, and what it printed.
local function stop(server)
  tcp.close_all()
  server.process:kill "sigterm"
  loop.wait(function() return server.process.code end, "end of the server")
  return server.process.code, files.read(server.folder .. "/out")
end

describe("what scripts print", function()
  it("into a pipe that nobody reads holds up neither the server nor its stop", function()
    local server <close> = start ">$folder/fifo"
    for _ = 1, 3 do assert.equal("printed", server:get "/print?text=x&times=80&lines=20000") end
    assert.is_true(dropped(server).prints > 0)
    assert.equal(0, dropped(server).log)
    loop.poll(function()
      return server.process:tail():find "warn  nobody takes what scripts print from stdout: dropping it"
    end, "a warning")
    server.process:kill "sigterm"
    assert.equal(0, server.process:wait())
  end)

  it("to standard error that nobody reads holds up neither", function()
    local server <close> = start(">$folder/out", { ignores_err = true })
    assert.equal("written", server:get "/complain?lines=200000")
    assert.is_true(dropped(server).log > 0)
    assert.equal(0, (stop(server)))
  end)

  it("has whole lines, of all workers", function()
    local server <close> = start(">$folder/out", { workers = 2 })
    local connections = {}
    for i = 1, 8 do
      connections[i] = http.connect(server)
      local path = ("/print?text=%s&times=30000&lines=4"):format(("abcdefgh"):sub(i, i))
      connections[i]:send(http.format_request("GET", path))
    end
    for i = 1, 8 do assert.equal("printed", connections[i]:response().body) end
    local lost = dropped(server).prints
    local status, printed = stop(server)
    assert.equal(0, status)
    local whole = 0
    for line in printed:gmatch "[^\n]+" do
      local letter = line:match "^line\t%d\t(%a)"
      assert.is_true(line == "while loading" or line:sub(8) == letter:rep(30000), "torn: " .. line:sub(1, 80))
      if letter then whole = whole + 1 end
    end
    assert.equal(8 * 4, whole + lost)
  end)

  it("is all there after a stop, in order", function()
    local server <close> = start ">$folder/out"
    server:get "/write?text=begun..."
    server:get "/print?text=done&lines=2"
    server:get "/write?text=last"
    local status, printed = stop(server)
    assert.equal(0, status)
    assert.equal("while loading\nbegun...line\t1\tdone\nline\t2\tdone\nlast", printed)
  end)

  it("is there at once, line by line", function()
    local server <close> = start ">$folder/out"
    server:get "/write?text=one%0A"
    loop.poll(function() return files.read(server.folder .. "/out") == "while loading\none\n" end, "the line")
  end)

  for name, redirect in pairs { ["whose reader is gone"] = "8<>$folder/gone >$folder/gone 8>&-",
                                ["that is a full disk"] = ">/dev/full", ["that is closed"] = ">&-" } do
    it("into an output " .. name .. " holds up neither the server nor its stop", function()
      local server <close> = start(redirect)
      for _ = 1, 3 do assert.equal("printed", server:get "/print?text=x&lines=1000") end
      server.process:kill "sigterm"
      assert.equal(0, server.process:wait())
    end)
  end
end)
