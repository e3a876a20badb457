-- Checks that dependencies in core/ only point downward: run with Lua 5.4 from
-- the top of the repository, or with a folder to check instead of core/.
-- First it shows on small bad trees that each rule can fail. Speaks TAP.

-- An include may point to the same or a later row.
local ORDER = { "main.c", "script", "net", "hub", "proto", "base" }

-- What each row must not include: Lua patterns over the included name.
local LUA = { "^lua", "^lauxlib" }
local FORBIDDEN = {
  ["main.c"] = { LUA },
  net = { LUA },
  hub = { LUA, { "^uv", "^openssl/", "^llhttp", "^proto/ws" } },
  proto = { LUA, { "^uv" } },
  base = { LUA, { "^uv", "^openssl/", "^llhttp", "^zlib" } },
}

local rank = {}
for index, name in ipairs(ORDER) do rank[name] = index end

-- The row of ORDER that a path relative to core/ belongs to, nil when none.
local function row_of(path)
  local row = path:match("^(.-)/") or path
  return rank[row] and row
end

local function read_includes(file)
  local includes, number = {}, 0
  for line in io.lines(file) do
    number = number + 1
    local open, name = line:match('^%s*#%s*include%s*([<"])([^>"]+)[>"]')
    if name then
      includes[#includes + 1] = { name = name, line = number, is_own = open == '"' }
    end
  end
  return includes
end

-- Every .c and .h file below root: path relative to root -> its includes.
local function read_tree(root)
  local tree = {}
  local find = assert(io.popen(("cd '%s' && find . -name '*.[ch]' | sort"):format(root)))
  for found in find:lines() do
    local path = found:gsub("^%./", "")
    tree[path] = read_includes(root .. "/" .. path)
  end
  find:close()
  return tree
end

local function is_forbidden(row, name)
  for _, patterns in ipairs(FORBIDDEN[row] or {}) do
    for _, pattern in ipairs(patterns) do
      if name:find(pattern) then return true end
    end
  end
  return false
end

-- What is wrong with one include, nil when nothing is.
local function check_include(tree, path, include)
  local row, name = row_of(path), include.name
  if not row then return "is in no folder of the order" end
  if is_forbidden(row, name) then return ("must not know %s"):format(name) end
  if not include.is_own then return nil end
  if not tree[name] then return ("includes %s, which is not in core/"):format(name) end
  local target = row_of(name)
  if target and rank[target] < rank[row] then return ("points up to %s"):format(name) end
end

-- Appends one problem for each cycle that a walk from path closes.
local function find_cycles(tree, path, state, trail, problems)
  state[path] = "open"
  trail[#trail + 1] = path
  for _, include in ipairs(tree[path]) do
    local name = include.name
    if include.is_own and tree[name] then
      if state[name] == "open" then
        problems[#problems + 1] = ("%s:%d: closes a cycle with %s"):format(path, include.line, name)
      elseif not state[name] then
        find_cycles(tree, name, state, trail, problems)
      end
    end
  end
  trail[#trail] = nil
  state[path] = "done"
end

-- All problems of the tree below root, as lines; and how many files it has.
local function check_tree(root)
  local tree, problems, paths = read_tree(root), {}, {}
  for path in pairs(tree) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do
    for _, include in ipairs(tree[path]) do
      local problem = check_include(tree, path, include)
      if problem then
        problems[#problems + 1] = ("%s:%d: %s"):format(path, include.line, problem)
      end
    end
  end
  local state = {}
  for _, path in ipairs(paths) do
    if not state[path] then find_cycles(tree, path, state, {}, problems) end
  end
  return problems, #paths
end

-- The checker's own tests: what each tree must be blamed for (nil: nothing).
local SELF_TESTS = {
  { "a clean tree passes", nil,
    { ["base/a.h"] = "", ["net/b.c"] = '#include "base/a.h"\n#include <uv.h>',
      ["script/c.c"] = '#include <lua.h>\n#include "script/c.h"', ["script/c.h"] = "" } },
  { "an include that points up", "base/a.c:2: points up to net/b.h",
    { ["base/a.c"] = '#include <stdio.h>\n#include "net/b.h"', ["net/b.h"] = "" } },
  { "an include of the top file", "net/a.c:1: points up to main.c",
    { ["net/a.c"] = '#include "main.c"', ["main.c"] = "" } },
  { "two files that include each other", "net/b.h:1: closes a cycle with net/a.h",
    { ["net/a.h"] = '#include "net/b.h"', ["net/b.h"] = '#include "net/a.h"' } },
  { "a longer cycle", "hub/c.h:1: closes a cycle with hub/a.h",
    { ["hub/a.h"] = '#include "hub/b.h"', ["hub/b.h"] = '#include "hub/c.h"',
      ["hub/c.h"] = '#include "hub/a.h"' } },
  { "Lua outside script/", "net/a.c:1: must not know lauxlib.h",
    { ["net/a.c"] = "#include <lauxlib.h>" } },
  { "Lua in main.c", "main.c:1: must not know lua.h", { ["main.c"] = '# include "lua.h"' } },
  { "libuv in hub/", "hub/a.c:1: must not know uv.h", { ["hub/a.c"] = "#include <uv.h>" } },
  { "WebSocket in hub/", "hub/a.c:1: must not know proto/ws_frame.h",
    { ["hub/a.c"] = '#include "proto/ws_frame.h"', ["proto/ws_frame.h"] = "" } },
  { "libuv in proto/", "proto/a.c:1: must not know uv.h", { ["proto/a.c"] = "#include <uv.h>" } },
  { "OpenSSL in base/", "base/a.c:1: must not know openssl/sha.h",
    { ["base/a.c"] = "#include <openssl/sha.h>" } },
  { "an include that is not relative to core/", "base/a.c:1: includes a.h, which is not in core/",
    { ["base/a.c"] = '#include "a.h"', ["base/a.h"] = "" } },
  { "a folder outside the order", "util/a.c:1: is in no folder of the order",
    { ["util/a.c"] = "#include <stdio.h>" } },
}

local function write_tree(root, files)
  for path, text in pairs(files) do
    assert(os.execute(("mkdir -p '%s/%s'"):format(root, path:match("^(.*)/") or ".")))
    local file = assert(io.open(root .. "/" .. path, "w"))
    file:write(text, "\n")
    file:close()
  end
end

local function check_files(files)
  local root = os.tmpname()
  os.remove(root)
  assert(os.execute(("mkdir '%s'"):format(root)))
  write_tree(root, files)
  local problems = check_tree(root)
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

for _, test in ipairs(SELF_TESTS) do
  local name, expected, files = test[1], test[2] or "", test[3]
  local got = check_files(files)
  report(got == expected, "self-test: " .. name, ("expected %q, got %q"):format(expected, got))
end

local problems, file_count = check_tree(arg[1] or "core")
if file_count == 0 then problems[1] = "no files" end
report(#problems == 0, ("includes of %d files point downward"):format(file_count),
  table.concat(problems, "\n"))

print(("1..%d\n# pass %d\n# fail %d"):format(counts.pass + counts.fail, counts.pass, counts.fail))
os.exit(counts.fail == 0 and 0 or 1)
