-- Programs that scripts start with io.popen and os.execute: what they inherit is what any shell
-- would give them, and nothing of the server's.
local http = require "support.http"
local loop = require "support.loop"
local process = require "support.process"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"
local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end
local at_load = output_of "ls -l /proc/self/fd"
gate.get("/files", function() return output_of "ls -l /proc/self/fd" end)
gate.get("/files-at-load", function() return at_load end)
gate.get("/signals", function() return output_of "cat /proc/self/status" end)
gate.get("/status", function()
  local ok, how, code = os.execute "exit 3"
  return { ok = ok or false, how = how, code = code }
end)
]]

-- The open files beyond 0 to 2, as "number target" lines; `ls` itself has the folder open.
local function extra_files(listing)
  local list = {}
  for number, target in listing:gmatch "(%d+) %-> ([^\n]+)" do
    if tonumber(number) > 2 and not target:find "^/proc/%d+/fd$" then list[#list + 1] = number .. " " .. target end
  end
  table.sort(list)
  return table.concat(list, "\n")
end

-- What the tests' own children have is none of the server's.
local function ours(command, ...)
  return process.run(command, { args = { ... } }).out
end

describe("a program that a script starts", function()
  local server, held
  setup(function()
    server = tidegate.start { scripts = SCRIPT, workers = 2, listen = { "127.0.0.1:0", "unix:./gate.sock" } }
    held = {}
    for i = 1, 8 do held[i] = http.connect(server.addresses[i % 2 + 1]) end
    for i = 1, 8 do assert.equal(200, held[i]:get("/status").status) end
  end)
  teardown(function() server:stop() end)

  for _, path in ipairs { "/files", "/files-at-load" } do
    it("has no file of the server open (" .. path .. ")", function()
      local expected = extra_files(ours("ls", "-l", "/proc/self/fd"))
      for i = 1, 8 do
        local listing = held[i]:get(path).body
        assert.matches(" 2 %-> ", listing)
        assert.equal(expected, extra_files(listing))
      end
    end)
  end

  it("has no signal blocked or ignored that the server was not started with", function()
    local before = ours("cat", "/proc/self/status")
    for i = 1, 8 do
      local status = held[i]:get("/signals").body
      for _, field in ipairs { "SigBlk:%s*(%x+)", "SigIgn:%s*(%x+)" } do
        assert.equal(before:match(field), status:match(field), field)
      end
    end
  end)

  it("ends with the status that scripts see", function()
    assert.same({ ok = false, how = "exit", code = 3 }, held[1]:get("/status"):json())
  end)
end)

describe("a program whose handle no script has any more", function()
  it("is waited for neither after a reload nor when the server stops", function()
    local server <close> = tidegate.start { scripts = [[
      local gate = require "tidegate"
      program = io.popen "exec sleep 30 >/dev/null 2>&1"
      gate.get("/", function() collectgarbage() return "collected" end)
    ]] }
    assert.is_true(server:edit { ["app.lua"] = [[
      local gate = require "tidegate"
      kept = io.popen "exec sleep 30 >/dev/null 2>&1"
      gate.get("/", function() collectgarbage() return "again" end)
    ]] })
    local begun = loop.now()
    assert.equal("again", http.get(server, "/").body)
    server:signal "sigterm"
    server:wait_end(20, 0)
    assert.is_true(loop.now() - begun < 10)
  end)
end)
