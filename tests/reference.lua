-- Writes what the documents and the types for editors say about options and metrics, from
-- the rows that declare them: see tests/support/reference.lua. `make reference` runs it, from the
-- top of the repository. Its argument is the program that has the rows.
package.path = "tests/?.lua;" .. package.path

local files = require "support.files"
local reference = require "support.reference"

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  assert(pipe:close(), text)
  return text
end

local function read_rows(program)
  local folder = files.new_folder()
  files.write(folder .. "/rows.lua", reference.SCRIPT)
  local output = output_of(("%s --check %s --workers 1"):format(program, folder))
  files.remove_tree(folder)
  return reference.parse(output)
end

local function rewrite(path, update)
  local before = files.read(path)
  local after = update(before)
  if after == before then return end
  files.write(path, after)
  print("wrote " .. path)
end

local tables, metrics = read_rows(arg[1] or "build/release/tidegate")
for path in output_of("find lua/doc -name '*.md'"):gmatch "[^\n]+" do
  rewrite(path, function(text)
    text = reference.update_metrics(text, metrics)
    return (reference.update_page(text, path:gsub("^lua/doc/", ""), tables))
  end)
end
rewrite("lua/tidegate/types.lua", function(text) return reference.update_types(text, tables) end)
