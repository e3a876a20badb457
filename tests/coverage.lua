-- Which lines of core/ the unit tests run: runs them in the coverage build, prints
-- a table by folder and file, and fails where a folder is below its floor. Run by
-- `make coverage` and the tests, from the top of the repository. Ends like TAP.

local BUILD = "build/coverage"
local OBJECTS = BUILD .. "/CMakeFiles/tidegate_core.dir/core"

-- The least share of lines that may run, in percent.
local FLOORS = { ["core/proto"] = 95 }

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

-- Runs the tests; what they print is shown when one fails.
local function run_tests()
  os.execute("find " .. BUILD .. " -name '*.gcda' -delete")
  report(os.execute("ctest --quiet --output-on-failure --test-dir " .. BUILD .. " -j $(nproc) --output-log " .. BUILD
    .. "/tests.log"), "the unit tests pass in the coverage build")
  if failed > 0 then print(output_of("grep -v Passed " .. BUILD .. "/tests.log")) end
end

-- gcov's summaries, "File '…'" and "Lines executed:97.22% of 180", as { path, run, lines } each.
local function parse_summaries(text)
  local files = {}
  for path, percent, lines in text:gmatch "File '([^']*)'\nLines executed:([%d.]+)%% of (%d+)" do
    local name = path:match "/(core/.*)$"
    if name then
      files[#files + 1] = { path = name, run = math.floor(percent * lines / 100 + 0.5), lines = tonumber(lines) }
    end
  end
  table.sort(files, function(a, b) return a.path < b.path end)
  return files
end

local function sum_folders(files)
  local folders, order = {}, {}
  for _, file in ipairs(files) do
    local name = file.path:match "^(.*)/"
    local folder = folders[name]
    if not folder then
      folder = { path = name, run = 0, lines = 0, files = {} }
      folders[name], order[#order + 1] = folder, folder
    end
    folder.run, folder.lines = folder.run + file.run, folder.lines + file.lines
    table.insert(folder.files, file)
  end
  return order
end

local function percent_of(row) return 100 * row.run / row.lines end

local function print_row(row, indent)
  print(("%-34s %5d of %5d %7.1f %%"):format(indent .. row.path, row.run, row.lines, percent_of(row)))
end

local function print_table(folders)
  for _, folder in ipairs(folders) do
    print_row(folder, "")
    for _, file in ipairs(folder.files) do print_row(file, "  ") end
  end
end

local function check_floors(folders)
  local seen = {}
  for _, folder in ipairs(folders) do
    local floor = FLOORS[folder.path]
    seen[folder.path] = true
    if floor then
      report(percent_of(folder) >= floor, ("%s: %.1f %% of lines run, at least %d"):format(folder.path,
        percent_of(folder), floor))
    end
  end
  for path in pairs(FLOORS) do
    if not seen[path] then report(false, path .. " has no coverage at all") end
  end
end

-- That a gap would be noticed.
local function check_reading()
  local folders = sum_folders(parse_summaries("File '/x/core/a/b.c'\nLines executed:66.67% of 3\nNo branches\n\n"
    .. "File '/usr/include/c.h'\nLines executed:0.00% of 9\n\nFile '/x/core/a/d.c'\nLines executed:0.00% of 7\n"))
  local folder = folders[1]
  report(#folders == 1 and folder.run == 2 and folder.lines == 10, "gcov's summaries are read")
end

check_reading()
run_tests()
local folders = sum_folders(parse_summaries(output_of("gcov -n $(find " .. OBJECTS .. " -name '*.gcno') 2>/dev/null")))
print "Lines of core/ that the unit tests run (the specs in tests/e2e are not counted):"
print_table(folders)
check_floors(folders)
print(("# pass %d\n# fail %d"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
