-- The locale of the process: a script cannot change it, so that numbers stay numbers.
local http = require "support.http"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"
local got = table.pack(os.setlocale "de_DE.UTF-8")
gate.topic("room", { presence = true, history = 5 })
gate.get("/locale", function() return { got[1] or "none", got[3], os.setlocale() } end)
gate.get("/number", function() return { n = 1.5, text = tostring(1.5), back = gate.json.decode "2.25" } end)
gate.ws("/room", { open = function(ws) ws:join("room", { as = "ann" }) ws:send "in" end })
gate.get("/members", function() return { list = gate.presence "room" } end)
]]

-- LOCPATH is where glibc finds compiled locales; the folder has the one the script asks for.
local function make_locale()
  local dir = os.tmpname()
  os.remove(dir)
  local made = os.execute(("mkdir %s && localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >%s/log 2>&1"):format(dir, dir, dir))
  return dir, made
end

describe("a locale with a comma for a point", function()
  local server, dir
  setup(function()
    dir = make_locale()
    server = tidegate.start { scripts = SCRIPT, workers = 2, env = { LOCPATH = dir } }
  end)
  teardown(function()
    server:stop()
    os.execute("rm -rf " .. dir)
  end)
  after_each(function() require("support.tcp").close_all() end)

  it("is not what a script can set", function()
    assert.same({ "none", "locale", "C" }, http.get(server, "/locale"):json())
  end)

  it("does not come into numbers of JSON, of Lua, and of the hub", function()
    assert.equal('1.5', http.get(server, "/number").body:match '"n":([^,}]+)')
    assert.same({ n = 1.5, text = "1.5", back = 2.25 }, http.get(server, "/number"):json())
    local client = require("support.ws").connect(server, "/room")
    assert.equal("in", (client:receive()))
    local members = http.get(server, "/members")
    assert.is_nil(members.body:match '"since":%d+,%d')
    assert.is_true(members:json().list[1].since > 1600000000)
  end)
end)
