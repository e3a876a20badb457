-- Which lines of core/ the tests run: first the unit tests alone, then the specs of
-- tests/e2e on top, in the coverage build. Prints both shares by room and file, and
-- fails where a room is below a floor. Run by `make coverage` and the tests, from the
-- top of the repository. Ends like TAP.
local cjson = require "cjson"

local BUILD = "build/coverage"
local OBJECTS = BUILD .. "/CMakeFiles/*.dir/core"

-- The least share of lines that may run, in percent: in the unit tests, and in all.
-- About one below what is measured. Raise a floor when tests have come; lower one only
-- where a commit says why.
local FLOORS = {
  { room = "core/script", unit = 94.5, all = 97.4 },
  { room = "core/net", unit = 95.7, all = 98.4 },
  { room = "core/hub", unit = 98.5, all = 98.5 },
  { room = "core/proto", unit = 98.5, all = 98.7 },
  { room = "core/base", unit = 97.2, all = 97.2 },
}

-- These ask how much and how fast, with lines that other specs run, too.
local LEFT_OUT = { "hub_memory", "hub_model", "hub_stalled", "reload_load", "scale", "slow_many", "ws_memory" }

local passed, failed = 0, 0

local function report(is_ok, text)
  if is_ok then passed = passed + 1 else failed = failed + 1 end
  print((is_ok and "ok - " or "not ok - ") .. text)
end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

local function run_unit_tests()
  os.execute("find " .. BUILD .. " -name '*.gcda' -delete")
  local log = BUILD .. "/tests.log"
  local is_ok = os.execute(("ctest --quiet --output-on-failure --test-dir %s -j $(nproc) --output-log %s"):format(BUILD,
    log))
  report(is_ok, "the unit tests pass in the coverage build")
  if not is_ok then print(output_of("grep -v Passed " .. log)) end
end

-- Each spec by itself, as many at a time as there are cores. They run as if under a sanitizer: counting is slow,
-- too, so deadlines are long and time is not judged. What a spec kills leaves no counts.
local function run_specs()
  local patterns = {}
  for i, name in ipairs(LEFT_OUT) do patterns[i] = "-e /" .. name .. "_spec" end
  local script = 'if busted --lua=lua5.4 --output=gtest "$0" >%s/$(basename "$0").log 2>&1; '
    .. 'then echo "ok $0"; else echo "failed $0"; fi'
  local text = output_of(("ls tests/e2e/*_spec.lua | grep -v %s | TIDEGATE_PRESET=asan TIDEGATE_BIN=$PWD/%s/tidegate "
    .. "xargs -P $(nproc) -n 1 sh -c '%s'"):format(table.concat(patterns, " "), BUILD, script:format(BUILD)))
  for verdict, path in text:gmatch "(%a+) (%S+)\n" do
    report(verdict == "ok", path .. " passes in the coverage build")
    if verdict ~= "ok" then print(output_of(("tail -n 60 %s/%s.log"):format(BUILD, path:match "[^/]+$"))) end
  end
end

-- gcov's documents, one a line for each object, as path -> { run, lines }. A line of a header is in
-- many objects, and runs when it runs in one.
local function parse_counts(text)
  local has_run, files = {}, {}
  for document in text:gmatch "[^\n]+" do
    for _, file in ipairs(cjson.decode(document).files) do
      local path = file.file:match "/(core/.*)$"
      if path then
        local lines = has_run[path] or {}
        has_run[path] = lines
        for _, line in ipairs(file.lines) do
          lines[line.line_number] = lines[line.line_number] or line.count > 0
        end
      end
    end
  end
  for path, lines in pairs(has_run) do
    files[path] = { run = 0, lines = 0 }
    for _, is_run in pairs(lines) do
      files[path].run, files[path].lines = files[path].run + (is_run and 1 or 0), files[path].lines + 1
    end
  end
  return files
end

-- The build may still hold objects of files that have moved since.
local function read_counts()
  local objects = {}
  for path in output_of("find " .. OBJECTS .. " -name '*.gcno'"):gmatch "[^\n]+" do
    local source = io.open(path:match "/(core/.*)%.gcno$")
    if source then
      source:close()
      objects[#objects + 1] = path
    end
  end
  return parse_counts(output_of("gcov -t --json-format " .. table.concat(objects, " ") .. " 2>/dev/null"))
end

-- The rooms of core/ in order, each with its files, from the counts of the unit tests and of all tests.
local function sum_rooms(unit, all)
  local rooms, order, paths = {}, {}, {}
  for path in pairs(all) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do
    local name = path:match "^core/[^/]+"
    local room = rooms[name]
    if not room then
      room = { path = name, lines = 0, unit = 0, all = 0, files = {} }
      rooms[name], order[#order + 1] = room, room
    end
    local unit_run = unit[path] and unit[path].run or 0
    local file = { path = path, lines = all[path].lines, unit = unit_run, all = all[path].run }
    room.lines, room.unit, room.all = room.lines + file.lines, room.unit + file.unit, room.all + file.all
    table.insert(room.files, file)
  end
  return order
end

local function share(row, column) return 100 * row[column] / row.lines end

local function print_row(row, indent)
  print(("%-38s %6d %8.1f %% %8.1f %%"):format(indent .. row.path, row.lines, share(row, "unit"), share(row, "all")))
end

local function print_table(rooms)
  print(("%-38s %6s %10s %10s"):format("", "lines", "unit", "unit + e2e"))
  for _, room in ipairs(rooms) do
    print_row(room, "")
    for _, file in ipairs(room.files) do print_row(file, "  ") end
  end
end

-- The floors that do not hold, and those that do, as { is_ok, text } each.
local function judge(rooms, floors)
  local verdicts, by_path = {}, {}
  for _, room in ipairs(rooms) do by_path[room.path] = room end
  for _, floor in ipairs(floors) do
    local room = by_path[floor.room]
    for _, column in ipairs { "unit", "all" } do
      local got = room and share(room, column) or 0
      verdicts[#verdicts + 1] = { got >= floor[column],
        ("%s: %.1f %% of lines run in %s tests, at least %g"):format(floor.room, got, column, floor[column]) }
    end
  end
  return verdicts
end

-- A document of gcov for one object: path and counts of lines 1, 2, ...
local function document_of(...)
  local files = {}
  for i, row in ipairs { ... } do
    local lines = {}
    for number, count in ipairs(row.counts) do lines[number] = { line_number = number, count = count } end
    files[i] = { file = row.path, lines = lines }
  end
  return cjson.encode { files = files } .. "\n"
end

-- That a gap would be noticed.
local function check_reading()
  local one = document_of({ path = "/x/core/a/b.c", counts = { 1, 0, 7 } },
    { path = "/x/core/a/in/d.h", counts = { 0, 0 } }, { path = "/usr/include/c.h", counts = { 0 } })
  local other = document_of({ path = "/x/core/a/in/d.h", counts = { 0, 5 } })
  local rooms = sum_rooms(parse_counts(one), parse_counts(one .. other))
  local room = rooms[1]
  report(#rooms == 1 and room.unit == 2 and room.all == 3 and room.lines == 5, "gcov's counts are read and merged")
  local count = { [true] = 0, [false] = 0 }
  for _, floor in ipairs { { room = "core/a", unit = 40, all = 61 }, { room = "core/none", unit = 1, all = 1 } } do
    for _, verdict in ipairs(judge(rooms, { floor })) do count[verdict[1]] = count[verdict[1]] + 1 end
  end
  report(count[true] == 1 and count[false] == 3, "a room below a floor is noticed, and one without any line")
end

check_reading()
run_unit_tests()
local unit = read_counts()
run_specs()
local rooms = sum_rooms(unit, read_counts())
print "Lines of core/ that run in the unit tests, and in the specs of tests/e2e beside them, without these:"
print("  " .. table.concat(LEFT_OUT, ", "))
print_table(rooms)
for _, verdict in ipairs(judge(rooms, FLOORS)) do report(verdict[1], verdict[2]) end
print(("# pass %d\n# fail %d"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
