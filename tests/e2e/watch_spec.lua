-- What a change of the script directory is, and when it is taken up: half-written, emptied
-- and missing scripts are waited for, other files are none of its business.
local http = require "support.http"
local loop = require "support.loop"
local script_tree = require "support.script_tree"
local tidegate = require "support.server"
local uv = require "luv"
local ws = require "support.ws"

local script = script_tree.script

local SESSION = "require('tidegate').ws('/ws', { message = function(ws, text) ws:send(text) end })\n"

local function count_log(server, pattern, mark)
  local count = 0
  for at = (mark or 0) + 1, #server.log do
    if server.log[at]:find(pattern) then count = count + 1 end
  end
  return count
end

local function start(scripts, args)
  return tidegate.start { scripts = scripts, args = { "--log-level", "debug", table.unpack(args or {}) } }
end

-- Saves a script, and waits until it is live.
local function fence(server, text)
  local mark = server:mark()
  server:write("fence.lua", script(text))
  loop.poll(function() return http.get(server, "/version").body == text end, "version " .. text)
  server:wait_for_log("is live", mark) -- the log is written a moment later
end

local function each_mode(name, test)
  for mode, args in pairs { auto = {}, poll = { "--watch", "poll", "--watch-interval", "0.1" } } do
    it(name .. ", watch = " .. mode, function() test(args, mode) end)
  end
end

-- Changes that follow each other in less time than the server waits for the next. try() returns
-- whether all went well, and if not, whether the server had that time: a busy machine may give it.
local function try_in_time(try)
  for _ = 1, 10 do
    local is_well, was_slow = try()
    if is_well or not was_slow then return assert.is_true(is_well) end
  end
  error "the machine is too busy for this test"
end

-- A save in two halves, between which nothing else happens.
local function save_in_halves(args, rest)
  local server <close> = start({ ["app.lua"] = SESSION, ["fence.lua"] = script "v1" }, args)
  local client <close> = ws.connect(server, "/ws")
  local mark, began = server:mark(), loop.now()
  local file = assert(io.open(server.dir .. "/app.lua", "w"))
  file:write("-- the first half\n"):flush()
  server:wait_for_log("app.lua changed: waiting", mark)
  loop.run_for(0.4)
  file:write(SESSION):close()
  local was_slow = loop.now() - began >= rest
  local is_live = server:wait_for_outcome(mark)
  local is_kept, answer = pcall(client.ask, client, "still here")
  return is_live and is_kept and answer == "still here" and count_log(server, "is live", mark) == 1, was_slow
end

-- Scripts that need each other, and change one after the other.
local function save_one_by_one()
  local server <close> = start { ["app.lua"] = "require 'a' require 'b'", ["a.lua"] = "", ["b.lua"] = "",
    ["fence.lua"] = script "v1" }
  local mark = server:mark()
  server:write("app.lua", "require 'c'\n")
  local failed_at = server:wait_for_log("T%d+:%d+:(%d+%.%d+)Z debug reload failed", mark)
  server:write("c.lua", "return 1")
  local seconds, microseconds = uv.gettimeofday()
  local was_slow = (seconds + microseconds / 1e6 - tonumber(failed_at)) % 60 >= 0.3
  server:wait_for_log("is live", mark)
  local began = loop.now()
  server:remove "c.lua"
  loop.run_for(0.5)
  server:remove "app.lua"
  was_slow = was_slow or loop.now() - began >= 1
  server:wait_for_log("generation 3 is live", mark)
  return count_log(server, "error", mark) == 0, was_slow
end

describe("a script", function()
  each_mode("half written is not taken up before it is whole", function(args, mode)
    local rest = mode == "poll" and 0.5 or 5
    try_in_time(function() return save_in_halves(args, rest) end)
  end)

  it("that stays open for writing is taken up after 5 s", function()
    local server <close> = start { ["app.lua"] = script "v1" }
    local mark = server:mark()
    local file = assert(io.open(server.dir .. "/app.lua", "w"))
    file:write(script "v2"):flush()
    server:wait_for_log("warn  a script has been open for writing for 5 s", mark)
    assert.is_true(server:wait_for_outcome(mark))
    assert.equal("v2", http.get(server, "/version").body)
    file:close()
  end)

  each_mode("that is missing for a while keeps its sessions", function(args)
    local server <close> = start({ ["app.lua"] = SESSION, ["fence.lua"] = script "v1" }, args)
    local client <close> = ws.connect(server, "/ws")
    local mark = server:mark()
    server:remove "app.lua"
    server:wait_for_log("app.lua is gone: waiting", mark)
    loop.run_for(0.3)
    server:write("app.lua", SESSION .. "-- saved\n")
    assert.is_true(server:wait_for_outcome(mark))
    assert.equal("still here", client:ask "still here")
    mark = server:mark()
    server:remove "app.lua"
    assert.is_true(server:wait_for_outcome(mark))
    assert.equal(1012, (client:wait_close()))
  end)

  it("is waited for longer when it is the last", function()
    local server <close> = start { ["app.lua"] = SESSION }
    local client <close> = ws.connect(server, "/ws")
    local mark = server:mark()
    server:remove "app.lua"
    server:wait_for_log("app.lua is gone: waiting", mark)
    loop.run_for(2)
    server:write("app.lua", SESSION .. "-- saved\n")
    assert.is_true(server:wait_for_outcome(mark))
    assert.equal("still here", client:ask "still here")
  end)

  it("that fails while others still change is no failure", function() try_in_time(save_one_by_one) end)

  it("that fails and rests is reported, at once to those who ask", function()
    local server <close> = start { ["app.lua"] = script "v1" }
    local mark = server:mark()
    server:write("app.lua", "x x")
    server:wait_for_log("error reload failed, generation 1 stays: .*app.lua:1:", mark)
    local result = tidegate.run { "reload", server.dir }
    assert.equal(1, result.status)
    assert.matches("app.lua:1:", result.err)
    loop.wait(function() return count_log(server, "error reload failed", mark) == 2 end, "both lines")
  end)

  it("that changes all the time does not keep others from going live", function()
    local server <close> = start { ["app.lua"] = script "v1" }
    local n, timer = 0, uv.new_timer()
    timer:start(8, 8, loop.guard(function()
      n = n + 1
      server:write("busy.lua", "return " .. n)
    end))
    local began = loop.now()
    server:write("app.lua", script "v2")
    loop.poll(function() return http.get(server, "/version").body == "v2" end, "version v2")
    loop.close(timer)
    assert.is_true(loop.is_sanitized or loop.now() - began < 5)
  end)
end)

describe("files that are no scripts", function()
  each_mode("set off nothing", function(args)
    local writes = "local f = io.open(require('tidegate').dir .. '/cache.txt', 'w') f:write(os.time()) f:close()"
    local server <close> = start({ ["app.lua"] = writes, ["fence.lua"] = script "v1" }, args)
    local log = assert(io.open(server.dir .. "/server.log", "a"))
    local timer = uv.new_timer()
    timer:start(8, 8, loop.guard(function() log:write("a line\n"):flush() end))
    local mark = server:mark()
    fence(server, "v2")
    loop.run_for(0.3)
    fence(server, "v3")
    loop.close(timer)
    log:close()
    assert.equal(2, count_log(server, "is live", mark))
  end)
end)

describe("a script that writes scripts while it loads", function()
  local function writer(content)
    return ("local f = io.open(require('tidegate').dir .. '/made.lua', 'w') f:write(%s) f:close()"):format(content)
  end

  it("may write the same again", function()
    local server <close> = start { ["app.lua"] = writer "'return 1'", ["fence.lua"] = script "v1" }
    fence(server, "v2")
    fence(server, "v3")
    loop.run_for(0.3)
    assert.is_true(count_log(server, "is live") <= 3) -- made.lua may be taken up by itself
    assert.equal(0, count_log(server, "whenever the scripts load"))
  end)

  it("does not do so for ever when it is new each time", function()
    local server <close> = start { ["app.lua"] = writer "'return ' .. math.random(1 << 40)" ,
      ["fence.lua"] = script "v1" }
    local _, at = server:wait_for_log "warn  whenever the scripts load, made.lua changed: loading them again in 5 s"
    server:wait_for_log("is live", at)
    local mark = server:mark()
    loop.run_for(0.3)
    assert.equal(0, count_log(server, "is live", mark))
    fence(server, "v2")
    local _, again = server:wait_for_log("warn  whenever the scripts load, .*: loading them again in 5 s", mark)
    server:wait_for_log("warn  whenever the scripts load, made.lua changed: loading them again in 10 s", again)
  end)
end)

describe("what is no file", function()
  it("does not hold up a server that runs, its start, or --check", function()
    local server <close> = start { ["fence.lua"] = script "v1" }
    assert(os.execute(("mkfifo '%s/x.lua'"):format(server.dir)))
    fence(server, "v2")
    server:wait_for_log "warn  .*x.lua is a FIFO, not a file: not loaded"
    local result = tidegate.run { "--check", server.dir }
    assert.equal(0, result.status)
    assert.matches("x.lua is a FIFO", result.err)
    assert.equal(0, tidegate.run({ "reload", server.dir }).status)
  end)
end)

describe("watch = off", function()
  it("leaves it to tidegate reload", function()
    local server <close> = start({ ["app.lua"] = script "v1" }, { "--watch", "off" })
    local mark = server:mark()
    server:write("app.lua", script "v2")
    loop.run_for(0.3)
    assert.equal(0, count_log(server, "loading", mark))
    assert.equal(0, tidegate.run({ "reload", server.dir }).status)
    assert.equal("v2", http.get(server, "/version").body)
  end)
end)

describe("watch", function()
  it("is one of its words", function()
    local result = tidegate.run { "--watch", "sometimes", "." }
    assert.equal(2, result.status)
    assert.matches('%-%-watch: "sometimes" is not auto, poll or off', result.err)
  end)
end)

describe("the working directory", function()
  it("may be replaced under a server that was started from it", function()
    local tree <close> = script_tree.new()
    tree:sh "put work/app/a.lua"
    tree.server = tidegate.start { dir = ".", cwd = tree.root .. "/work/app" }
    assert.equal("v1", tree:version())
    tree:sh("rm -r work; put work/app/a.lua", 2)
    tree:wait_for "v2"
  end)
end)
