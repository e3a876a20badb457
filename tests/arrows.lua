-- Checks the shape of the tree: dependencies in core/ only point downward, no
-- modules include each other, and no file is too long. Run with Lua 5.4 from the
-- top of the repository, or with another core folder to check (lua/ is looked for
-- beside it). First it shows on small bad trees that each rule can fail. Speaks TAP.

-- An include may point to the same or a later row. Rooms that do not exist yet have
-- their place; a file in none of these rows fails.
local ORDER = {
  "main.c", "script/bind", "script/serve", "script/reload", "script/vm",
  "cluster", "client", "net", "store", "hub", "proto", "base",
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

local rank = {}
for index, name in ipairs(ORDER) do rank[name] = index end

-- The row of ORDER that a path relative to core/ belongs to, nil when none.
local function row_of(path)
  local room, inner = path:match "^([^/]+)/([^/]+)/"
  local row = room and room .. "/" .. inner
  if rank[row] then return row end
  row = path:match "^([^/]+)/" or path
  return rank[row] and row
end

-- A .c and its .h are one module.
local function module_of(path) return (path:gsub("%.[ch]$", "")) end

local function read_includes(file)
  local includes, number = {}, 0
  for line in io.lines(file) do
    number = number + 1
    local open, name = line:match '^%s*#%s*include%s*([<"])([^>"]+)[>"]'
    if name then includes[#includes + 1] = { name = name, line = number, is_own = open == '"' } end
  end
  return includes
end

local function list_files(root, names)
  local files = {}
  local find = assert(io.popen(("cd '%s' && find . -type f %s | LC_ALL=C sort"):format(root, names)))
  for found in find:lines() do files[#files + 1] = (found:gsub("^%./", "")) end
  find:close()
  return files
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- Every .c and .h file below root: path relative to root -> its includes.
local function read_tree(root)
  local tree = {}
  for _, path in ipairs(list_files(root, "-name '*.[ch]'")) do tree[path] = read_includes(root .. "/" .. path) end
  return tree
end

-- ---- arrows ----------------------------------------------------------------

local function is_forbidden(row, name)
  for _, patterns in ipairs(FORBIDDEN[row] or {}) do
    for _, pattern in ipairs(patterns) do
      if name:find(pattern) then return true end
    end
  end
  return false
end

-- What is wrong with one include, nil when nothing is.
local function check_include(tree, row, include)
  local name = include.name
  if is_forbidden(row, name) then return ("must not know %s"):format(name) end
  if not include.is_own then return nil end
  if not tree[name] then return ("includes %s, which is not in core/"):format(name) end
  local target = row_of(name)
  if target and rank[target] < rank[row] then return ("points up to %s"):format(name) end
end

local function check_arrows(tree, problems)
  for _, path in ipairs(sorted_keys(tree)) do
    local row = row_of(path)
    if not row then problems[#problems + 1] = path .. ": is in no row of the order" end
    for _, include in ipairs(row and tree[path] or {}) do
      local problem = check_include(tree, row, include)
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

-- All problems of the includes below root, as lines; and how many files it has.
local function check_tree(root)
  local tree, problems = read_tree(root), {}
  check_arrows(tree, problems)
  check_cycles(tree, problems)
  return problems, #sorted_keys(tree)
end

-- ---- length ----------------------------------------------------------------

local function check_lengths(root)
  local problems, files = {}, list_files(root, "")
  for _, path in ipairs(files) do
    local count = 0
    for _ in io.lines(root .. "/" .. path) do count = count + 1 end
    if count > MAX_LINES then
      problems[#problems + 1] = ("%s: has %d lines, more than %d"):format(path, count, MAX_LINES)
    end
  end
  return problems, #files
end

-- ---- the checker's own tests -----------------------------------------------

-- What each tree must be blamed for (nil: nothing).
local SELF_TESTS = {
  { "a clean tree passes", nil,
    { ["base/a.h"] = "", ["net/b.c"] = '#include "base/a.h"\n#include <uv.h>',
      ["main.c"] = '#include "script/bind/c.h"',
      ["script/bind/c.c"] = '#include <lua.h>\n#include "script/bind/c.h"\n#include "script/vm/d.h"',
      ["script/bind/c.h"] = "", ["script/vm/d.h"] = '#include "net/inner/e.h"', ["net/inner/e.h"] = "" } },
  { "an include that points up", "base/a.c:2: points up to net/b.h",
    { ["base/a.c"] = '#include <stdio.h>\n#include "net/b.h"', ["net/b.h"] = "" } },
  { "an include that points up inside script/", "script/vm/a.c:1: points up to script/serve/b.h",
    { ["script/vm/a.c"] = '#include "script/serve/b.h"', ["script/serve/b.h"] = "" } },
  { "reload above vm, below serve", "script/reload/a.c:1: points up to script/serve/b.h",
    { ["script/reload/a.c"] = '#include "script/serve/b.h"', ["script/serve/b.h"] = '#include "script/vm/c.h"',
      ["script/vm/c.h"] = "" } },
  { "net that knows the client", "net/a.c:1: points up to client/b.h",
    { ["net/a.c"] = '#include "client/b.h"', ["client/b.h"] = "" } },
  { "the hub that knows the store", "hub/a.c:1: points up to store/b.h",
    { ["hub/a.c"] = '#include "store/b.h"', ["store/b.h"] = "" } },
  { "an include of the top file", "net/a.c:1: points up to main.c",
    { ["net/a.c"] = '#include "main.c"', ["main.c"] = "" } },
  { "two headers that include each other",
    "cycle: net/a -> net/b -> net/a\n  net/a.h:1 includes net/b.h\n  net/b.h:1 includes net/a.h",
    { ["net/a.h"] = '#include "net/b.h"', ["net/b.h"] = '#include "net/a.h"' } },
  { "two modules that include each other from their .c files",
    "cycle: net/a -> net/b -> net/a\n  net/a.c:2 includes net/b.h\n  net/b.c:1 includes net/a.h",
    { ["net/a.h"] = "", ["net/a.c"] = '#include "net/a.h"\n#include "net/b.h"', ["net/b.h"] = "",
      ["net/b.c"] = '#include "net/a.h"' } },
  { "a longer cycle", "cycle: hub/a -> hub/b -> hub/c -> hub/a\n  hub/a.h:1 includes hub/b.h\n"
    .. "  hub/b.c:1 includes hub/c.h\n  hub/c.h:1 includes hub/a.h",
    { ["hub/a.h"] = '#include "hub/b.h"', ["hub/b.h"] = "", ["hub/b.c"] = '#include "hub/c.h"',
      ["hub/c.h"] = '#include "hub/a.h"' } },
  { "two cycles through one module, each of them once", "cycle: hub/a -> hub/b -> hub/a\n"
    .. "  hub/a.h:1 includes hub/b.h\n  hub/b.h:1 includes hub/a.h\ncycle: hub/c -> hub/b -> hub/c\n"
    .. "  hub/c.h:1 includes hub/b.h\n  hub/b.h:2 includes hub/c.h",
    { ["hub/a.h"] = '#include "hub/b.h"', ["hub/b.h"] = '#include "hub/a.h"\n#include "hub/c.h"',
      ["hub/c.h"] = '#include "hub/b.h"' } },
  { "a file that includes itself", "cycle: net/a -> net/a\n  net/a.h:1 includes net/a.h",
    { ["net/a.h"] = '#include "net/a.h"' } },
  { "a folder outside the order", "util/a.c: is in no row of the order", { ["util/a.c"] = "#include <stdio.h>" } },
  { "a file of script/ outside its rows", "script/a.c: is in no row of the order", { ["script/a.c"] = "" } },
  { "a folder of script/ that is no row", "script/odd/a.c: is in no row of the order", { ["script/odd/a.c"] = "" } },
  { "a file beside main.c", "util.c: is in no row of the order", { ["util.c"] = "" } },
  { "an include that is not relative to core/", "base/a.c:1: includes a.h, which is not in core/",
    { ["base/a.c"] = '#include "a.h"', ["base/a.h"] = "" } },
}

-- One more test for everything that a row must not include: { row, included name }.
for _, pair in ipairs {
  { "main.c", "lua.h" }, { "cluster", "lua.h" }, { "client", "lualib.h" }, { "net", "lauxlib.h" },
  { "store", "lua.h" }, { "store", "uv.h" }, { "store", "sys/socket.h" }, { "store", "proto/sse.h" },
  { "hub", "lua.h" }, { "hub", "uv.h" }, { "hub", "netinet/in.h" }, { "hub", "openssl/sha.h" },
  { "hub", "proto/ws_frame.h" }, { "hub", "proto/http_parse.h" }, { "proto", "lua.h" }, { "proto", "uv.h" },
  { "proto", "sys/socket.h" }, { "proto", "openssl/ssl.h" }, { "base", "lua.h" }, { "base", "uv.h" },
  { "base", "openssl/sha.h" }, { "base", "zlib.h" }, { "base", "sqlite3.h" },
} do
  local row, name = pair[1], pair[2]
  local path = row == "main.c" and row or row .. "/a.c"
  SELF_TESTS[#SELF_TESTS + 1] = { ("%s in %s"):format(name, row), ("%s:1: must not know %s"):format(path, name),
    { [path] = ("# include <%s>"):format(name) } }
end

local function write_tree(root, files)
  for path, text in pairs(files) do
    assert(os.execute(("mkdir -p '%s/%s'"):format(root, path:match "^(.*)/" or ".")))
    local file = assert(io.open(root .. "/" .. path, "w"))
    file:write(text, "\n")
    file:close()
  end
end

-- The problems that `check` finds in a tree of these files.
local function check_files(check, files)
  local root = os.tmpname()
  os.remove(root)
  assert(os.execute(("mkdir '%s'"):format(root)))
  write_tree(root, files)
  local problems = check(root)
  os.execute(("rm -r '%s'"):format(root))
  return table.concat(problems, "\n")
end

local counts = { pass = 0, fail = 0 }

local function report(is_ok, name, details)
  local key = is_ok and "pass" or "fail"
  counts[key] = counts[key] + 1
  print(("%s %d - %s"):format(is_ok and "ok" or "not ok", counts.pass + counts.fail, name))
  if not is_ok then print("  " .. details:gsub("\n", "\n  ")) end
end

local function self_test(name, check, expected, files)
  local got = check_files(check, files)
  report(got == expected, "self-test: " .. name, ("expected %q, got %q"):format(expected, got))
end

for _, test in ipairs(SELF_TESTS) do self_test(test[1], check_tree, test[2] or "", test[3]) end
self_test("a file of 500 lines", check_lengths, "", { ["net/a.c"] = ("\n"):rep(MAX_LINES - 1) })
self_test("a file of 501 lines", check_lengths, "net/a.c: has 501 lines, more than 500",
  { ["net/a.c"] = ("\n"):rep(MAX_LINES) })

-- ---- the tree itself -------------------------------------------------------

local core = arg[1] or "core"
local problems, file_count = check_tree(core)
if file_count == 0 then problems[1] = "no files" end
report(#problems == 0, ("includes of %d files point downward, without a cycle"):format(file_count),
  table.concat(problems, "\n"))

for _, root in ipairs { core, core:gsub("core/*$", "lua") .. "" } do
  local too_long, count = check_lengths(root)
  if count == 0 then too_long[1] = "no files" end
  report(#too_long == 0, ("none of %d files of %s/ has more than %d lines"):format(count, root, MAX_LINES),
    table.concat(too_long, "\n"))
end

print(("1..%d\n# pass %d\n# fail %d"):format(counts.pass + counts.fail, counts.pass, counts.fail))
os.exit(counts.fail == 0 and 0 or 1)
