-- Types for editors: every public function has one, no type is left over, what handlers get is
-- typed, and `tidegate types` writes them out.
local files = require "support.files"
local public = require "support.public"
local tidegate = require "support.server"

local TYPES = "lua/tidegate/types.lua"

-- Sorted names of what is in one table and not in the other.
local function missing(from, where)
  local names = {}
  for name in pairs(from) do
    if not where[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

describe("types", function()
  local functions, fields, kinds
  setup(function()
    functions, fields = public.parse_types(files.read(TYPES))
    kinds = public.kinds()
  end)

  it("are there for every function, and for no other", function()
    local live = {}
    for name, kind in pairs(kinds) do
      if kind == "function" then live[name] = true end
    end
    assert.same({}, missing(live, functions))
    assert.same({}, missing(functions, live))
  end)

  it("are there for everything else in gate", function()
    local live, typed = {}, {}
    for name, kind in pairs(kinds) do
      if kind ~= "function" then live[name:match "^gate%.(.*)$"] = true end
    end
    for name, text in pairs(fields["tidegate.Gate"]) do
      if not text:find "^tidegate%.%u" and not text:find "^fun%(" then typed[name] = true end
    end
    assert.is_true(live.env and live.dir)
    assert.same({}, missing(live, fields["tidegate.Gate"]))
    assert.same({}, missing(typed, live))
  end)

  it("name every parameter", function()
    local wrong = {}
    for name, typed in pairs(functions) do
      local declared = {}
      for _, parameter in ipairs(typed.parameters) do declared[parameter] = true end
      if #missing(declared, typed.types) + #missing(typed.types, declared) > 0 then wrong[#wrong + 1] = name end
    end
    assert.same({}, wrong)
  end)

  it("make req, res, ws and stream known inside handlers", function()
    for _, word in ipairs { "get", "post", "put", "patch", "delete", "options", "any" } do
      for _, parameter in ipairs { "handler", "..." } do
        assert.matches("^fun%(req: tidegate.Request, res: tidegate.Response, next: ", functions["gate." .. word]
          .types[parameter])
      end
    end
    for word, class in pairs { ws = "ws: tidegate.WebSocket", sse = "stream: tidegate.Stream" } do
      for _, parameter in ipairs { "handler", "..." } do
        assert.matches(("tidegate.%s_options|fun(%s)|fun(req: tidegate.Request"):format(word, class),
          functions["gate." .. word].types[parameter], 1, true)
      end
    end
    assert.matches("fun(ws: tidegate.WebSocket, data: string", fields["tidegate.ws_options"].message, 1, true)
    for _, callback in ipairs { "open", "close", "gap", "drain" } do
      assert.matches("fun(conn: tidegate.WebSocket", fields["tidegate.ws_options"][callback], 1, true)
      assert.matches("fun(conn: tidegate.Stream", fields["tidegate.sse_options"][callback], 1, true)
    end
    assert.matches("fun(req: tidegate.Request, res: tidegate.Response", fields["tidegate.ws_options"].upgrade, 1, true)
  end)

  it("have the fields of the pages", function()
    local pages = { ["tidegate.Request"] = { "requests", "req" }, ["tidegate.Response"] = { "requests", "res" },
                    ["tidegate.Connection"] = { "ws-and-stream", "conn" } }
    for class, page in pairs(pages) do
      local text, said = files.read("lua/doc/" .. page[1] .. ".md"), {}
      for line in text:gmatch "\n| ([^|]*) |" do
        for field in line:gmatch("`" .. page[2] .. "%.([%w_]+)`") do said[field] = true end
      end
      assert.same({}, missing(said, fields[class]), class)
      assert.same({}, missing(fields[class], said), class)
    end
  end)

  it("are complete in themselves: every type that is used is declared", function()
    local text, declared = files.read(TYPES), {}
    for name in text:gmatch "\n%-%-%-@class (tidegate%.[%w_]+)" do declared[name] = true end
    for name in text:gmatch "\n%-%-%-@alias (tidegate%.[%w_]+)" do declared[name] = true end
    for line in text:gmatch "\n(%-%-%-@[^\n]*)" do
      for name in line:gmatch "tidegate%.[%w_]+" do assert.is_true(declared[name], name .. " in " .. line) end
    end
  end)
end)

describe("tidegate types", function()
  local folder
  before_each(function() folder = files.new_folder() end)
  after_each(function() files.remove_tree(folder) end)

  local function write(dir)
    local result = tidegate.run { "types", dir }
    return result.status, result.out, result.err
  end

  it("writes one file that an editor can read and Lua can load", function()
    local dir = folder .. "/new"
    local status, out, err = write(dir)
    assert.same({ 0, "" }, { status, err })
    assert.matches("wrote " .. dir .. "/tidegate.lua: ", out, 1, true)
    local text = files.read(dir .. "/tidegate.lua")
    assert.matches("^%-%-%-@meta tidegate\n%-%- Written by tidegate %d", text)
    assert.equal(files.read(TYPES), (text:gsub("\n[^\n]*", "", 1)))
    local gate = assert(load(text))()
    assert.is_function(gate.publish)
    assert.is_nil(io.open(dir .. "/tidegate.lua.new"))
  end)

  it("writes anew what it has written", function()
    write(folder)
    files.write(folder .. "/tidegate.lua", files.read(folder .. "/tidegate.lua"):sub(1, 200))
    assert.equal(0, (write(folder)))
    assert.matches("\nreturn gate\n$", files.read(folder .. "/tidegate.lua"))
  end)

  it("leaves a file of the user's as it is", function()
    for _, text in ipairs { "return 1\n", "", "---@meta tidegate\nlocal mine\n" } do
      files.write(folder .. "/tidegate.lua", text)
      local status, out, err = write(folder)
      assert.same({ 1, "" }, { status, out })
      assert.matches("tidegate: " .. folder .. "/tidegate.lua: there is a file of yours already", err, 1, true)
      assert.equal(text, files.read(folder .. "/tidegate.lua"))
    end
  end)

  it("says why it cannot write", function()
    files.write(folder .. "/file", "")
    local status, _, err = write(folder .. "/file")
    assert.same({ 1, "tidegate: " .. folder .. "/file/tidegate.lua: Not a directory" }, { status, err })
    status, _, err = write(folder .. "/no/such")
    assert.same({ 1, "tidegate: " .. folder .. "/no/such/tidegate.lua: No such file or directory" }, { status, err })
  end)

  it("may write beside the scripts: types are not loaded", function()
    files.write(folder .. "/app.lua", 'local gate = require "tidegate" gate.get("/a", function() return "a" end)')
    files.write(folder .. "/more.lua", "---@meta more\nerror 'loaded'\n")
    write(folder)
    local result = tidegate.run { "--check", folder }
    assert.same({ 0, "" }, { result.status, result.err })
    assert.matches("\n1 scripts, 1 routes$", result.out)
  end)

  it("is in the usage", function()
    assert.matches("tidegate types DIR ", tidegate.run({ "--help" }).out, 1, true)
  end)
end)
