-- Measures the router alone. Run from the top folder:
--   LUA_PATH="./lua/?.lua;./lua/?/init.lua" lua5.4 tests/lua/router_bench.lua
-- Goals: a static match below 0.3 us, one of three placeholders below 1.5 us.

local pattern = require "tidegate.pattern"
local router = require "tidegate.router"

local paths = router.new(function(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end)

local function add(text)
  paths:add(assert(pattern.parse(text)), "GET", { text = text })
end

for i = 1, 200 do
  add("/static/page" .. i)
  add("/things" .. i .. "/{id}")
end
add "/{a}/{b}/{c}"
add "/{a}/{b:%d+}/edit"
add "/files/{path...}"

local cases = {
  { "static", "/static/page100" },
  { "one placeholder", "/things100/42" },
  { "three placeholders", "/alpha/beta/gamma" },
  { "a constrained one, after going back", "/alpha/12/edit" },
  { "the same, percent-encoded", "/alpha/%31%32/edit" },
  { "rest", "/files/a/b/c" },
  { "nothing", "/static/none" },
}

-- The best of several rounds: the others measure the machine's other work.
local function measure(path)
  local rounds, best = 200000, math.huge
  for _ = 1, 7 do
    collectgarbage()
    local started = os.clock()
    for _ = 1, rounds do paths:find(path, "GET", "*") end
    best = math.min(best, os.clock() - started)
  end
  return best / rounds * 1e6
end

for _, case in ipairs(cases) do
  print(("%-40s %6.3f us"):format(case[1], measure(case[2])))
end
