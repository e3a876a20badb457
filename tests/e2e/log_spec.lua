-- The log on its way out: whoever reads standard error may stand still, be gone or out of room,
-- and the server goes on serving, stops when it is told to, and says what it dropped.
local files = require "support.files"
local http = require "support.http"
local loop = require "support.loop"
local process = require "support.process"
local redirected = require "support.redirected"
local tcp = require "support.tcp"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"
gate.get("/log", function(req)
  local text = req.query.text:rep(tonumber(req.query.times or 1))
  for i = 1, tonumber(req.query.lines or 1) do gate.log.info(("line %06d %s"):format(i, text)) end
  return "logged"
end)
gate.get("/dropped", function() return tostring(gate.stats().log_dropped) end)
]]

-- A server whose standard error nobody reads until `process:read_err()`, or goes where `redirect`
-- says. No line of its own in between: a turn that logs much is a slow one.
local function start(redirect, workers)
  return redirected.start(SCRIPT, redirect or "", {
    workers = workers, ignores_err = true, env = { TIDEGATE_SLOW_TURN = "0" },
  })
end

local function wait_end(server, seconds)
  tcp.close_all()
  return server.process:wait(seconds)
end

describe("a server whose standard error nobody reads", function()
  it("goes on serving, and stops when it is told to", function()
    local server <close> = start()
    for _ = 1, 3 do assert.equal("logged", server:get "/log?text=x&times=80&lines=8000") end
    assert.is_true(tonumber(server:get "/dropped") > 0)
    server.process:kill "sigterm"
    loop.wait(function() return server.process.code end, "end of the server")
    assert.same({ 0, 0 }, { server.process.code, server.process.signal })
    server.process:read_err()
    wait_end(server)
  end)

  it("says how many lines it dropped as soon as somebody reads again", function()
    local server <close> = start()
    server:get "/log?text=x&times=80&lines=20000"
    server.process:read_err()
    local noted
    loop.wait(function()
      for _, line in ipairs(server.process.err) do
        noted = noted or line:match " warn  (%d+) lines of the log dropped"
      end
      return noted
    end, "note of dropped lines")
    assert.equal(server:get "/dropped", noted)
    -- What came is the beginning, in order and whole; and what comes from now on is there.
    assert.equal("logged", server:get "/log?text=after")
    local expected = 1
    loop.wait(function() return server.process.err[#server.process.err]:find "after" end, "the next line")
    for _, line in ipairs(server.process.err) do
      local number, text = line:match " info  line (%d+) (x*)$"
      if number then
        assert.same({ expected, 80 }, { tonumber(number), #text })
        expected = expected + 1
      end
    end
    assert.equal(20000, expected - 1 + noted)
    server.process:kill "sigterm"
    assert.equal(0, wait_end(server))
    assert.matches(" stopped$", server.process.err[#server.process.err])
  end)

  it("writes lines of many times PIPE_BUF as a whole, of all workers", function()
    local server <close> = start(nil, 2)
    server.process:read_err()
    local connections = {}
    for i = 1, 8 do
      connections[i] = http.connect(server)
      local path = ("/log?text=%s&times=30000&lines=5"):format(("abcdefgh"):sub(i, i))
      connections[i]:send(http.format_request("GET", path))
    end
    for i = 1, 8 do assert.equal("logged", connections[i]:response().body) end
    server.process:kill "sigterm"
    assert.equal(0, wait_end(server))
    local whole = 0
    for _, line in ipairs(server.process.err) do
      local text = line:match " line %d+ (%a+)$"
      if #line > 200 then
        assert.truthy(text and text == text:sub(1, 1):rep(30000), "torn: " .. line:sub(1, 80))
        whole = whole + 1
      end
    end
    assert.equal(40, whole + tonumber(server.process:tail():match "(%d+) lines? of the log dropped" or 0))
  end)
end)

describe("a server", function()
  for name, redirect in pairs { ["on a full disk"] = "2>/dev/full", ["closed from the start"] = "2>&-",
                                ["all closed, and input and output, too"] = "0<&- 1>&- 2>&-" } do
    it("with standard error " .. name .. " serves and stops", function()
      local server <close> = start(redirect)
      assert.equal("logged", server:get "/log?text=x&lines=1000")
      server.process:kill "sigterm"
      server.process:read_err()
      assert.equal(0, wait_end(server))
      assert.same({}, server.process.err)
    end)
  end

  it("with a reader that has gone away serves and stops", function()
    local server <close> = start "2>&1 | head -n 2 >/dev/null"
    for _ = 1, 3 do assert.equal("logged", server:get "/log?text=x&lines=1000") end
    loop.poll(function() return tonumber(server:get "/dropped") > 0 end, "lines that nobody took")
  end)

  it("that cannot start ends even when nobody reads why", function()
    local folder = files.new_folder()
    files.write(folder .. "/app.lua", [[
      for _ = 1, 20000 do require("tidegate").log.info(("x"):rep(80)) end
      error "no"
    ]])
    local child = process.start(tidegate.binary, { ignores_err = true, args = { "--listen", "127.0.0.1:0", folder } })
    loop.wait(function() return child.code end, "end of the server")
    assert.equal(1, child.code)
    child:read_err()
    child:wait()
    files.remove_tree(folder)
  end)
end)

describe("--check", function()
  it("fails when what it prints gets nowhere", function()
    local folder = files.new_folder()
    files.write(folder .. "/app.lua", SCRIPT)
    local result = process.run("/bin/sh", { args = { "-c", '"$0" --check "$1" >/dev/full', tidegate.binary, folder } })
    files.remove_tree(folder)
    assert.equal(1, result.status)
    assert.matches("standard output: No space left", result.err)
  end)
end)
