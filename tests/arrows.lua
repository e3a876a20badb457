-- Checks the shape of the tree: dependencies in core/ only point downward, no
-- modules include each other, no file is too long or without an opening comment, and
-- the tables of folders name their files. Run with Lua 5.4 from the top of the
-- repository. First it shows on small bad trees that each rule can fail. Speaks TAP.

-- An include may point to the same or a later row. Rooms that do not exist yet have
-- their place; a file in none of these rows fails. So does one of a room whose modules
-- are given here and that is none of them: rows { room, module ... }.
local ORDER = {
  "main.c", "script/bind", "script/serve", "script/reload", "script/vm",
  "cluster", "client",
  { "net", "server", "turn" },
  { "net", "http1", "sse", "ws" },
  { "net", "http1_call", "http1_response", "wire", "ws_extra" },
  { "net", "ws_shared", "ws_unfinished" },
  { "net", "overflow", "session" },
  { "net", "conn", "listen", "refusal" },
  { "net", "address", "output", "poll", "sock", "spare_file", "spares", "stats", "turn_clock", "unix_file", "work",
    "worker" },
  { "net", "app" },
  "store",
  { "hub", "deliver", "history", "join", "life", "sweep" },
  { "hub", "presence", "publish", "pump" },
  { "hub", "port", "reader" },
  { "hub", "id", "tap", "topics" },
  { "hub", "batch", "cursor", "state" },
  { "hub", "keys", "members", "rules", "topic" },
  { "hub", "counters", "hub" },
  "proto", "base",
}

-- What each row must not include: Lua patterns over the included name.
local LUA = { "^lua", "^lauxlib" }
local LOOP = { "^uv" }
local SOCKETS = { "^sys/socket", "^sys/un%.h", "^netinet/", "^netdb" }
local TLS = { "^openssl/ssl", "^openssl/bio" }
local FORBIDDEN = {
  ["main.c"] = { LUA },
  cluster = { LUA },
  client = { LUA },
  net = { LUA },
  store = { LUA, LOOP, SOCKETS, TLS, { "^proto/" } },
  hub = { LUA, LOOP, SOCKETS, { "^openssl/", "^llhttp", "^proto/ws", "^proto/http" } },
  proto = { LUA, LOOP, SOCKETS, TLS },
  base = { LUA, LOOP, SOCKETS, { "^openssl/", "^llhttp", "^zlib", "^sqlite" } },
}

local MAX_LINES = 500

-- The README whose tables name all files of their folder, and no other.
local READMES = {
  "core/base", "core/hub", "core/net", "core/script", "lua/tidegate", "tests/e2e", "tests/support",
}

-- A room of one row, a folder of a room, or a module of a room -> how far down it is.
local rank = {}
for index, row in ipairs(ORDER) do
  if type(row) == "string" then rank[row] = index end
  for i = 2, type(row) == "table" and #row or 0 do rank[row[1] .. "/" .. row[i]] = index end
end

-- A .c and its .h are one module.
local function module_of(path) return (path:gsub("%.[ch]$", "")) end

local function room_of(path) return path:match "^([^/]+)/" or path end

-- How far down a path relative to core/ is, nil when it is in no row.
local function rank_of(path)
  return rank[path:match "^([^/]+/[^/]+)/"] or rank[room_of(path)] or rank[module_of(path)]
end

local function read_includes(text)
  local includes, number = {}, 0
  for line in text:gmatch "([^\n]*)\n?" do
    number = number + 1
    local open, name = line:match '^%s*#%s*include%s*([<"])([^>"]+)[>"]'
    if name then includes[#includes + 1] = { name = name, line = number, is_own = open == '"' } end
  end
  return includes
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- Every .c and .h file of core/, relative to it -> its includes.
local function parse_core(files)
  local tree = {}
  for path, text in pairs(files) do
    local inner = path:match "^core/(.*%.[ch])$"
    if inner then tree[inner] = read_includes(text) end
  end
  return tree
end

-- ---- arrows ----------------------------------------------------------------

local function is_forbidden(room, name)
  for _, patterns in ipairs(FORBIDDEN[room] or {}) do
    for _, pattern in ipairs(patterns) do
      if name:find(pattern) then return true end
    end
  end
  return false
end

-- What is wrong with one include, nil when nothing is.
local function check_include(tree, path, include)
  local name = include.name
  if is_forbidden(room_of(path), name) then return ("must not know %s"):format(name) end
  if not include.is_own then return nil end
  if not tree[name] then return ("includes %s, which is not in core/"):format(name) end
  local target = rank_of(name)
  if target and target < rank_of(path) then return ("points up to %s"):format(name) end
end

local function check_arrows(tree, problems)
  for _, path in ipairs(sorted_keys(tree)) do
    local is_placed = rank_of(path)
    if not is_placed then problems[#problems + 1] = path .. ": is in no row of the order" end
    for _, include in ipairs(is_placed and tree[path] or {}) do
      local problem = check_include(tree, path, include)
      if problem then problems[#problems + 1] = ("%s:%d: %s"):format(path, include.line, problem) end
    end
  end
end

-- ---- cycles ----------------------------------------------------------------

-- module -> module it includes -> the first include that says so, as "path:line".
local function module_graph(tree)
  local graph = {}
  for _, path in ipairs(sorted_keys(tree)) do
    local from = module_of(path)
    graph[from] = graph[from] or {}
    for _, include in ipairs(tree[path]) do
      local to = module_of(include.name)
      if include.is_own and tree[include.name] and (to ~= from or include.name == path) then
        graph[from][to] = graph[from][to] or ("%s:%d includes %s"):format(path, include.line, include.name)
      end
    end
  end
  return graph
end

-- The shortest way from a module back to itself, nil when there is none.
local function shortest_cycle(graph, start)
  local came_from, queue = {}, { start }
  for _, module in ipairs(queue) do
    for _, to in ipairs(sorted_keys(graph[module])) do
      if to == start then
        local way = { start }
        while module ~= start do
          table.insert(way, 2, module)
          module = came_from[module]
        end
        return way
      end
      if not came_from[to] then
        came_from[to] = module
        queue[#queue + 1] = to
      end
    end
  end
end

local function describe_cycle(graph, way)
  local names, steps = table.concat(way, " -> ") .. " -> " .. way[1], {}
  for i, module in ipairs(way) do steps[i] = "\n  " .. graph[module][way[i % #way + 1]] end
  return "cycle: " .. names .. table.concat(steps)
end

-- One problem for each shortest cycle. Every module that is in a cycle is in one of these.
local function check_cycles(tree, problems)
  local graph, is_told = module_graph(tree), {}
  for _, module in ipairs(sorted_keys(graph)) do
    local way = not is_told[module] and shortest_cycle(graph, module)
    if way then
      for _, member in ipairs(way) do is_told[member] = true end
      problems[#problems + 1] = describe_cycle(graph, way)
    end
  end
end

local function check_includes(files)
  local tree, problems = parse_core(files), {}
  check_arrows(tree, problems)
  check_cycles(tree, problems)
  return problems
end

-- ---- each file ---------------------------------------------------------------

local function check_lengths(files)
  local problems = {}
  for _, path in ipairs(sorted_keys(files)) do
    local _, count = files[path]:gsub("\n", "")
    if count > MAX_LINES then
      problems[#problems + 1] = ("%s: has %d lines, more than %d"):format(path, count, MAX_LINES)
    end
  end
  return problems
end

local OPENING = { c = "^// %S", h = "^// %S", lua = "^%-%-%-? ?%S" }

local function check_openings(files)
  local problems = {}
  for _, path in ipairs(sorted_keys(files)) do
    local opening = OPENING[path:match "%.(%w+)$"]
    if opening and not files[path]:find(opening) then
      problems[#problems + 1] = path .. ": does not begin with a comment that says what it is for"
    end
  end
  return problems
end

-- ---- tables of files -----------------------------------------------------------

-- The names in the column "file" of all tables of a README, and the names with an ending in
-- any column of these: sets.
local function read_tables(text)
  local named, mentioned, column = {}, {}, nil
  for line in text:gmatch "([^\n]*)\n?" do
    local cells = {}
    for cell in line:gmatch "|([^|]*)" do cells[#cells + 1] = cell:match "^%s*(.-)%s*$" end
    if #cells == 0 then column = nil end
    for i, cell in ipairs(cells) do if cell == "file" then column = i end end
    for name in (column and cells[column] or ""):gmatch "`([^`]+)`" do named[name:match "[^/]*$"] = true end
    for name in (column and line or ""):gmatch "`([%w_]+%.%l+)`" do mentioned[name] = true end
  end
  return named, mentioned
end

local function stem_of(name) return name:match "^[^.]+" end

local function check_table(files, folder, problems)
  local named, mentioned = read_tables(files[folder .. "/README.md"] or "")
  local is_there = {}
  for _, path in ipairs(sorted_keys(files)) do
    local name = path:sub(1, #folder + 1) == folder .. "/" and (path:match "[^/]+%.[ch]$" or path:match "[^/]+%.lua$")
    if name then
      is_there[name], is_there[stem_of(name)] = true, true
      if not (named[name] or named[stem_of(name)] or mentioned[name]) then
        problems[#problems + 1] = ("%s/README.md: no table names %s"):format(folder, path:sub(#folder + 2))
      end
    end
  end
  for _, name in ipairs(sorted_keys(named)) do
    if not is_there[name] then
      problems[#problems + 1] = ("%s/README.md: names %s, which is not there"):format(folder, name)
    end
  end
end

local function check_tables(files)
  local problems = {}
  for _, folder in ipairs(READMES) do check_table(files, folder, problems) end
  return problems
end

-- ---- the checker's own tests -----------------------------------------------

-- What each tree below core/ must be blamed for (nil: nothing).
local SELF_TESTS = {
  { "a clean tree passes", nil,
    { ["base/a.h"] = "", ["client/b.c"] = '#include "base/a.h"\n#include <uv.h>',
      ["main.c"] = '#include "script/bind/c.h"',
      ["script/bind/c.c"] = '#include <lua.h>\n#include "script/bind/c.h"\n#include "script/vm/d.h"',
      ["script/bind/c.h"] = "", ["script/vm/d.h"] = '#include "client/inner/e.h"', ["client/inner/e.h"] = "" } },
  { "an include that points up", "base/a.c:2: points up to client/b.h",
    { ["base/a.c"] = '#include <stdio.h>\n#include "client/b.h"', ["client/b.h"] = "" } },
  { "an include that points up inside script/", "script/vm/a.c:1: points up to script/serve/b.h",
    { ["script/vm/a.c"] = '#include "script/serve/b.h"', ["script/serve/b.h"] = "" } },
  { "reload above vm, below serve", "script/reload/a.c:1: points up to script/serve/b.h",
    { ["script/reload/a.c"] = '#include "script/serve/b.h"', ["script/serve/b.h"] = '#include "script/vm/c.h"',
      ["script/vm/c.h"] = "" } },
  { "an include that points up inside net/", "net/conn.c:1: points up to net/session.h",
    { ["net/conn.c"] = '#include "net/session.h"', ["net/session.h"] = "" } },
  { "the seam of net/, below all its rows", "net/app.h:1: points up to net/worker.h",
    { ["net/server.h"] = '#include "net/app.h"', ["net/session.c"] = '#include "net/app.h"',
      ["net/app.h"] = '#include "net/worker.h"', ["net/worker.h"] = "" } },
  { "modules of one row of net/ pass", nil,
    { ["net/conn.c"] = '#include "net/refusal.h"', ["net/refusal.h"] = '#include "net/listen.h"',
      ["net/listen.h"] = "" } },
  { "an include that points up inside hub/", "hub/topic.h:1: points up to hub/port.h",
    { ["hub/topic.h"] = '#include "hub/port.h"', ["hub/port.h"] = '#include "hub/hub.h"', ["hub/hub.h"] = "" } },
  { "a file of net/ in none of its rows", "net/a.h: is in no row of the order", { ["net/a.h"] = "" } },
  { "a file of hub/ in none of its rows", "hub/inner/hub.c: is in no row of the order", { ["hub/inner/hub.c"] = "" } },
  { "net that knows the client", "net/conn.c:1: points up to client/b.h",
    { ["net/conn.c"] = '#include "client/b.h"', ["client/b.h"] = "" } },
  { "the hub that knows the store", "hub/life.c:1: points up to store/b.h",
    { ["hub/life.c"] = '#include "store/b.h"', ["store/b.h"] = "" } },
  { "an include of the top file", "base/a.c:1: points up to main.c",
    { ["base/a.c"] = '#include "main.c"', ["main.c"] = "" } },
  { "two headers that include each other",
    "cycle: base/a -> base/b -> base/a\n  base/a.h:1 includes base/b.h\n  base/b.h:1 includes base/a.h",
    { ["base/a.h"] = '#include "base/b.h"', ["base/b.h"] = '#include "base/a.h"' } },
  { "two modules that include each other from their .c files",
    "cycle: base/a -> base/b -> base/a\n  base/a.c:2 includes base/b.h\n  base/b.c:1 includes base/a.h",
    { ["base/a.h"] = "", ["base/a.c"] = '#include "base/a.h"\n#include "base/b.h"', ["base/b.h"] = "",
      ["base/b.c"] = '#include "base/a.h"' } },
  { "a longer cycle", "cycle: base/a -> base/b -> base/c -> base/a\n  base/a.h:1 includes base/b.h\n"
    .. "  base/b.c:1 includes base/c.h\n  base/c.h:1 includes base/a.h",
    { ["base/a.h"] = '#include "base/b.h"', ["base/b.h"] = "", ["base/b.c"] = '#include "base/c.h"',
      ["base/c.h"] = '#include "base/a.h"' } },
  { "two cycles through one module, each of them once", "cycle: base/a -> base/b -> base/a\n"
    .. "  base/a.h:1 includes base/b.h\n  base/b.h:1 includes base/a.h\ncycle: base/c -> base/b -> base/c\n"
    .. "  base/c.h:1 includes base/b.h\n  base/b.h:2 includes base/c.h",
    { ["base/a.h"] = '#include "base/b.h"', ["base/b.h"] = '#include "base/a.h"\n#include "base/c.h"',
      ["base/c.h"] = '#include "base/b.h"' } },
  { "a file that includes itself", "cycle: base/a -> base/a\n  base/a.h:1 includes base/a.h",
    { ["base/a.h"] = '#include "base/a.h"' } },
  { "a folder outside the order", "util/a.c: is in no row of the order", { ["util/a.c"] = "#include <stdio.h>" } },
  { "a file of script/ outside its rows", "script/a.c: is in no row of the order", { ["script/a.c"] = "" } },
  { "a folder of script/ that is no row", "script/odd/a.c: is in no row of the order", { ["script/odd/a.c"] = "" } },
  { "a file beside main.c", "util.c: is in no row of the order", { ["util.c"] = "" } },
  { "an include that is not relative to core/", "base/a.c:1: includes a.h, which is not in core/",
    { ["base/a.c"] = '#include "a.h"', ["base/a.h"] = "" } },
}

-- One more test for everything that a room must not include: { file, included name }.
for _, pair in ipairs {
  { "main.c", "lua.h" }, { "cluster/a.c", "lua.h" }, { "client/a.c", "lualib.h" }, { "net/conn.c", "lauxlib.h" },
  { "store/a.c", "lua.h" }, { "store/a.c", "uv.h" }, { "store/a.c", "sys/socket.h" }, { "store/a.c", "proto/sse.h" },
  { "hub/hub.h", "lua.h" }, { "hub/id.c", "uv.h" }, { "hub/id.c", "netinet/in.h" }, { "hub/id.c", "openssl/sha.h" },
  { "hub/id.c", "proto/ws_frame.h" }, { "hub/id.c", "proto/http_parse.h" }, { "proto/a.c", "lua.h" },
  { "proto/a.c", "uv.h" }, { "proto/a.c", "sys/socket.h" }, { "proto/a.c", "openssl/ssl.h" },
  { "base/a.c", "lua.h" }, { "base/a.c", "uv.h" }, { "base/a.c", "openssl/sha.h" }, { "base/a.c", "zlib.h" },
  { "base/a.c", "sqlite3.h" },
} do
  local path, name = pair[1], pair[2]
  SELF_TESTS[#SELF_TESTS + 1] = { ("%s in %s"):format(name, path), ("%s:1: must not know %s"):format(path, name),
    { [path] = ("# include <%s>"):format(name) } }
end

local counts = { pass = 0, fail = 0 }

local function report(is_ok, name, details)
  local key = is_ok and "pass" or "fail"
  counts[key] = counts[key] + 1
  print(("%s %d - %s"):format(is_ok and "ok" or "not ok", counts.pass + counts.fail, name))
  if not is_ok then print("  " .. details:gsub("\n", "\n  ")) end
end

local function self_test(name, check, expected, files)
  local got = table.concat(check(files), "\n")
  report(got == expected, "self-test: " .. name, ("expected %q, got %q"):format(expected, got))
end

for _, test in ipairs(SELF_TESTS) do
  local files = {}
  for path, text in pairs(test[3]) do files["core/" .. path] = text .. "\n" end
  self_test(test[1], check_includes, test[2] or "", files)
end
self_test("a file of 500 lines", check_lengths, "", { ["core/net/a.c"] = ("\n"):rep(MAX_LINES) })
self_test("a file of 501 lines", check_lengths, "core/net/a.c: has 501 lines, more than 500",
  { ["core/net/a.c"] = ("\n"):rep(MAX_LINES + 1) })
self_test("files that begin with a comment", check_openings, "",
  { ["core/a.c"] = "// What a is for.\n", ["lua/a.lua"] = "-- What a is for.\n", ["tests/run"] = "run\n" })
for path, text in pairs { ["core/a.c"] = "#include <a.h>\n", ["core/a.h"] = "//\n", ["lua/a.lua"] = "return {}\n" } do
  self_test("a file that does not, " .. path, check_openings,
    path .. ": does not begin with a comment that says what it is for", { [path] = text })
end

-- The problems of one table of files, beside which stand a.c, a.h, b.h and inner/c.lua.
local function check_small_table(table_text)
  local problems = {}
  check_table({ ["x/README.md"] = table_text, ["x/a.c"] = "", ["x/a.h"] = "", ["x/b.h"] = "", ["x/inner/c.lua"] = "" },
    "x", problems)
  return problems
end

self_test("a table of all files", check_small_table, "",
  "| row | file | what |\n|---|---|---|\n| top | `a`, `b.h` | as `d.c` |\n| | `inner/c.lua` | |\n\nnot | `d` |\n")
self_test("a table without a file", check_small_table, "x/README.md: no table names b.h",
  "| file |\n|---|\n| `a` |\n| `c` |\n\n| word |\n|---|\n| `b` |\n")
self_test("a table with a file that is gone", check_small_table, "x/README.md: names d, which is not there",
  "| file | what |\n|---|---|\n| `a`, `b` |\n| `c`, `d` | |\n")

-- ---- the tree itself -------------------------------------------------------

-- Path -> text of all files, without those that nobody wrote by hand.
local function read_files()
  local files = {}
  local find = assert(io.popen("find core lua scripts tests -type f -not -path '*/node_modules/*' "
    .. "-not -path 'tests/fuzz/c*/*'"))
  for path in find:lines() do
    local file <close> = assert(io.open(path, "rb"))
    files[path] = file:read "a"
  end
  find:close()
  return files
end

local files = read_files()
local count = #sorted_keys(files)
report(files["core/main.c"] ~= nil and count > 100, "there are files to check", ("found %d"):format(count))

for _, check in ipairs {
  { check_includes, "includes in core/ point downward, without a cycle" },
  { check_lengths, ("none of %d files has more than %d lines"):format(count, MAX_LINES) },
  { check_openings, "files of C and Lua begin with a comment" },
  { check_tables, "tables of files name what is there" },
} do
  local problems = check[1](files)
  report(#problems == 0, check[2], table.concat(problems, "\n"))
end

print(("1..%d\n# pass %d\n# fail %d"):format(counts.pass + counts.fail, counts.pass, counts.fail))
os.exit(counts.fail == 0 and 0 or 1)
