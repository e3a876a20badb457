-- What holds for the code blocks of documents: the info string of a block says
-- what the block is, and a check of that kind holds it to that.
local cjson = require "cjson"
local files = require "support.files"
local process = require "support.process"
local shell = require "support.shell"
local tidegate = require "support.server"

local doc_block = {}

-- Calls fn with a new folder and removes that again.
local function with_folder(fn)
  local folder = files.new_folder()
  local ok, result = pcall(fn, folder)
  files.remove_tree(folder)
  if not ok then error(result, 0) end
  return result
end

-- What a command says of a file that holds `text`, nil when it is content.
local function check_by(text, name, command, args)
  return with_folder(function(folder)
    files.write(folder .. "/" .. name, text)
    args[#args + 1] = folder .. "/" .. name
    local result = process.run(command, { args = args })
    return result.status ~= 0 and result.err or nil
  end)
end

-- What `tidegate --check` says of a folder with these files, nil when it loads.
local function check_loads(scripts)
  return with_folder(function(folder)
    for name, text in pairs(scripts) do files.write(folder .. "/" .. name, text) end
    local result = tidegate.run { "--check", folder }
    return result.status ~= 0 and result.err or nil
  end)
end

-- Lua ----------------------------------------------------------------------------

local STANDARD = {}
for name in ("_G _VERSION assert collectgarbage coroutine debug dofile error getmetatable io ipairs load loadfile "
  .. "math next os package pairs pcall print rawequal rawget rawlen rawset require select setmetatable string table "
  .. "tonumber tostring type utf8 warn xpcall"):gmatch "%S+" do STANDARD[name] = true end

-- The first global name in a script that Lua does not have.
local function find_global(text)
  return with_folder(function(folder)
    files.write(folder .. "/script.lua", text)
    local listing = process.run("luac5.4", { args = { "-p", "-l", "-l", folder .. "/script.lua" } }).out
    for name in listing:gmatch '[GS]ETTABUP[^\n]*; _ENV "([^"]+)"' do
      if not STANDARD[name] then return name end
    end
  end)
end

-- An example is a whole script, or lacks only what gets `gate`. That is put on its first line, so that lines keep
-- their numbers.
---@param text string
---@return string
function doc_block.complete(text)
  if text:find 'require "tidegate"' then return text end
  return 'local gate = require "tidegate"; ' .. text
end

local function check_script(text)
  local script = doc_block.complete(text)
  local problem = check_loads { ["example.lua"] = script }
  if problem then return problem end
  local global = find_global(script)
  return global and ("%s is declared nowhere"):format(global)
end

local function check_config(text) return check_loads { ["config.lua"] = text } end

local function check_fragment(text)
  local _, problem = load(text, "=fragment")
  return problem
end

-- Shell --------------------------------------------------------------------------

local help_text, make_targets, makefile

local function has_flag(name)
  help_text = help_text or tidegate.run({ "--help" }).out
  return help_text:find("%-%-" .. name:gsub("%-", "%%-") .. "%f[^%w-]") ~= nil
end

local function has_target(name)
  if not make_targets then
    make_targets = {}
    local help = process.run("make", { args = { "help" } }).out
    for target in help:gmatch "make ([%w-]+)" do make_targets[target] = true end
  end
  return make_targets[name]
end

local function has_make_variable(name)
  makefile = makefile or files.read "Makefile"
  return makefile:find("%f[%w_]" .. name .. "%f[^%w_]") ~= nil
end

local function check_make(words)
  for _, word in ipairs(words) do
    local variable = word:match "^([%w_]+)="
    if variable and not has_make_variable(variable) then return ("make has no variable %s"):format(variable) end
    if not variable and not word:find "^%-" and not has_target(word) then
      return ("make has no target %s"):format(word)
    end
  end
end

local function check_tidegate(words)
  for _, word in ipairs(words) do
    local flag = word:match "^%-%-([%w-]+)"
    if flag and not has_flag(flag) then return ("tidegate has no flag --%s"):format(flag) end
  end
end

-- A variable of ours is a setting.
local function check_variable(name)
  local key = name:match "^TIDEGATE_([%w_]+)$"
  if key and not has_flag((key:lower():gsub("_", "-"))) then return ("tidegate reads no variable %s"):format(name) end
end

-- One command: variables, then a program and its arguments.
local function check_command(words)
  local first = 1
  while words[first] and words[first]:find "^[%a_][%w_]*=" do
    local problem = check_variable(words[first]:match "^[%w_]+")
    if problem then return problem end
    first = first + 1
  end
  local program, arguments = words[first] or "", table.move(words, first + 1, #words, 1, {})
  if program == "make" then return check_make(arguments) end
  if program:match "[^/]*$" == "tidegate" then return check_tidegate(arguments) end
end

local function check_commands(text)
  for _, words in ipairs(shell.commands(text)) do
    local problem = check_command(words)
    if problem then return problem end
  end
end

local function check_shell(text)
  return check_by(text, "example.sh", "bash", { "-n" }) or check_commands(text)
end

-- A session at a terminal: commands follow "$ ", other lines are output.
local function check_console(text)
  local commands = {}
  for command in ("\n" .. text):gmatch "\n%$ ([^\n]*)" do commands[#commands + 1] = command end
  if #commands == 0 then return "no command: lines that begin with $ are commands" end
  return check_shell(table.concat(commands, "\n"))
end

-- A unit of systemd.
local function check_unit(text)
  for command in text:gmatch "Exec%w+=([^\n]*)" do
    local problem = check_commands(command)
    if problem then return problem end
  end
end

-- Others -------------------------------------------------------------------------

local function check_json(text)
  local ok, problem = pcall(cjson.decode, text)
  return not ok and problem or nil
end

local function check_javascript(text) return check_by(text, "example.mjs", "node", { "--check" }) end

local function check_nothing() end

-- What may follow the fence of a code block, and what holds the block to it.
local INFO = {
  ["lua"] = check_script,
  ["lua config.lua"] = check_config,
  ["lua fragment"] = check_fragment,
  ["sh"] = check_shell,
  ["console"] = check_console,
  ["json"] = check_json,
  ["js"] = check_javascript,
  ["ini"] = check_unit,
  ["nginx"] = check_nothing,
  ["text"] = check_nothing,
}

-- What is wrong with a block, nil when nothing is.
---@param block support.block
---@return string|nil problem
function doc_block.check(block)
  if block.is_indented then return "an indented block: use a fence that says what it is" end
  if block.is_open then return "a block that does not end" end
  local check = INFO[block.info]
  if not check then return ("unknown info string '%s'"):format(block.info) end
  return check(block.text)
end

return doc_block
