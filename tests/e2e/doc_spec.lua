-- The documents: no example, link or name in them may rot. First it shows on
-- small bad documents that each rule can fail.
local doc_block = require "support.doc_block"
local doc = require "support.doc"
local files = require "support.files"
local http = require "support.http"
local markdown = require "support.markdown"
local public = require "support.public"
local reference = require "support.reference"
local shell = require "support.shell"
local tcp = require "support.tcp"
local tidegate = require "support.server"

-- The problem of the only block in a document.
local function problem_of(text)
  local blocks = markdown.blocks(text)
  assert.equal(1, #blocks)
  return doc_block.check(blocks[1])
end

local function fence(info, text) return ("```%s\n%s\n```\n"):format(info, text) end

local function with_tree(tree, fn)
  local folder = files.new_folder()
  for path, text in pairs(tree) do files.write(folder .. "/" .. path, text) end
  local problems = fn(folder)
  files.remove_tree(folder)
  return problems
end

describe("a code block is refused:", function()
  local BAD = {
    { "Lua that does not compile", "lua", "gate.get(", "example.lua:1:" },
    { "Lua that does not load", "lua", "\ngate.gte('/a', function() end)", "example.lua:2:.*gte" },
    { "Lua with an option that is none", "lua", "gate.topic('a', { histroy = 1 })", "histroy" },
    { "Lua with a name that is declared nowhere", "lua", "local guards = { check_token }", "check_token" },
    { "Lua with such a name in a handler", "lua", "gate.get('/a', function() return chunks() end)", "chunks" },
    { "a fragment that does not compile", "lua fragment", "if x then", "fragment:1:" },
    { "a setting that is none", "lua config.lua", "return { max_tide = 1 }", "max_tide" },
    { "a setting out of range", "lua config.lua", "return { workers = 0 }", "workers" },
    { "shell that does not parse", "sh", "curl 'http://127.0.0.1:8080/", "unexpected EOF" },
    { "a flag that is none", "sh", "cd app && /usr/bin/tidegate --chekc app", "%-%-chekc" },
    { "the beginning of a flag", "sh", "tidegate --max app", "%-%-max" },
    { "a flag on another line", "sh", "tidegate \\\n  --listen 127.0.0.1:0 --nonsense app", "%-%-nonsense" },
    { "a variable that is no setting", "sh", "TIDEGATE_WORKER=2 tidegate app", "TIDEGATE_WORKER" },
    { "a target that is none", "sh", "make run\nmake ruin # of it", "target ruin" },
    { "a variable that make does not read", "sh", "make run LISTNE=127.0.0.1:0", "variable LISTNE" },
    { "a terminal's flag", "console", "$ tidegate --nonsense app\nready", "%-%-nonsense" },
    { "a terminal without a command", "console", "tidegate app", "no command" },
    { "JSON that does not parse", "json", '{"a": 1,}', "Expected" },
    { "JavaScript that does not compile", "js", "const a = ;", "SyntaxError" },
    { "a unit's flag", "ini", "[Service]\nExecStart=/usr/bin/tidegate --nonsense /srv", "%-%-nonsense" },
    { "an unknown language", "lau", "gate.get()", "unknown info string 'lau'" },
    { "no language", "", "gate.get()", "unknown info string ''" },
  }
  for _, case in ipairs(BAD) do
    it(case[1], function() assert.matches(case[4], problem_of(fence(case[2], case[3])) or "accepted") end)
  end

  it("no end", function() assert.matches("not end", problem_of "```lua\nlocal a = 1\n") end)
  it("no fence", function() assert.matches("indented", problem_of "Run it:\n\n    make run\n") end)
end)

describe("a code block is accepted:", function()
  local GOOD = {
    { "Lua without the line that gets gate", "lua", "gate.get('/a', function(req) return req.path end)" },
    { "a whole script", "lua", 'local gate = require "tidegate"\n\nreturn gate.version' },
    { "a fragment", "lua fragment", "return ws.data, missing()" },
    { "settings", "lua config.lua", "return { workers = 2, hub = { max_bytes = 1048576 } }" },
    { "shell", "sh", "JWT_SECRET=$(openssl rand -hex 32) make run LISTEN=127.0.0.1:0 # --nonsense\n"
      .. "TIDEGATE_MAX_MESSAGE=1 build/release/tidegate --dev app | grep '--nonsense'\ncurl --nonsense" },
    { "a terminal", "console", "$ tidegate --check app\n2 scripts, --nonsense" },
    { "JSON", "json", '{"a": [1, null]}' },
    { "JavaScript", "js", 'const events = new EventSource("/feed");\nawait events;' },
    { "text", "text", "gate.get(" },
  }
  for _, case in ipairs(GOOD) do
    it(case[1], function() assert.is_nil(problem_of(fence(case[2], case[3]))) end)
  end
end)

describe("a document is read:", function()
  it("blocks with their lines, indents taken away", function()
    local blocks = markdown.blocks "# A\n\n```lua\na\n\n  b\n```\n- in a list:\n  ```sh\n  c\n  ```\n"
    assert.same({ { line = 3, info = "lua", text = "a\n\n  b", is_open = false },
                  { line = 9, info = "sh", text = "c", is_open = false } }, blocks)
  end)

  it("anchors of headings and names, none in code", function()
    local anchors = markdown.anchors('# gate.scope(a, [b]) -> c\n## Two `words`\n## Two words\n```sh\n# no\n```\n'
      .. '<a name="here"></a>There')
    assert.same({ ["gatescopea-b---c"] = true, ["two-words"] = true, ["two-words-1"] = true, here = true }, anchors)
  end)
end)

describe("commands are read:", function()
  it("quotes, comments, continued lines and separators", function()
    assert.same({ { "A=b c", "make", "run" }, { "grep", "x # y", "a#b" }, { "cd", "d" }, { "it's", "e" } },
      shell.commands "A='b c' make \\\n  run | grep \"x # y\" a#b # no\n\n# no\n(cd d) && it\\'s e")
  end)

  it("requests of curl", function()
    local text = fence("sh", "curl -N http://127.0.0.1:8080/a # b\ncurl https://example.org\ncurl -H 'X-Y: z' "
      .. "-d '{}' \\\n  http://127.0.0.1:8080/b?c\ncurl -X PUT http://127.0.0.1:8080/")
      .. fence("text", "curl http://127.0.0.1:8080/d")
    assert.same({ { method = "GET", path = "/a", headers = {} },
                  { method = "POST", path = "/b?c", body = "{}", headers = { ["X-Y"] = "z" } },
                  { method = "PUT", path = "/", headers = {} } }, doc.find_requests(text))
  end)
end)

describe("links", function()
  it("that lead nowhere are found", function()
    local problems = with_tree({
      ["README.md"] = "# Top\n[a](doc/a.md) [top](#top) [web](https://example.org/x#y) `[no](code.md)`\n",
      ["doc/a.md"] = "[up](../README.md#top) [folder](../doc)\n[gone](b.md)\n[bad](../README.md#bottom) [own](#own)\n"
        .. "\n[ref]: c.md\n```text\n[no](code.md)\n```\n",
      ["doc/build/x.md"] = "[generated](gone.md)\n",
    }, doc.check_links)
    assert.same({ "doc/a.md:2: doc/b.md is not there", "doc/a.md:3: README.md has no anchor #bottom",
                  "doc/a.md:3: doc/a.md has no anchor #own", "doc/a.md:5: doc/c.md is not there" }, problems)
  end)

  it("in comments that lead nowhere are found", function()
    local problems = with_tree({
      ["README.md"] = "", ["core/base/README.md"] = "",
      ["core/base/a.c"] = "// See README.md, core/base/README.md, and ../base/README.md.\n// And doc/gone.md.\n",
      ["core/b.lua"] = "-- lua/doc/c.md\n",
    }, function(root) return doc.check_mentions(root, "core") end)
    assert.same({ "core/b.lua: lua/doc/c.md is not there", "core/base/a.c: doc/gone.md is not there" }, problems)
  end)

  it("of all documents lead somewhere", function() assert.same({}, doc.check_links ".") end)

  for _, folder in ipairs { "core", "lua", "scripts" } do
    it("in comments of " .. folder .. "/ lead somewhere", function()
      assert.same({}, doc.check_mentions(".", folder))
    end)
  end
end)

-- The documents for users: at the top, of the framework, of the scripts.
local function list_pages()
  local pages = {}
  for _, path in ipairs(doc.find(".", "", "%.md$")) do
    if not path:find "/" or path:find "^lua/" or path:find "^scripts/" then pages[#pages + 1] = path end
  end
  return pages
end

describe("every code block is good for what it says it is:", function()
  for _, path in ipairs(list_pages()) do
    for _, block in ipairs(markdown.blocks(files.read(path))) do
      it(("%s:%d %s"):format(path, block.line, block.info), function() assert.is_nil(doc_block.check(block)) end)
    end
  end

  it("there are some", function()
    local count = 0
    for _, path in ipairs(list_pages()) do count = count + #markdown.blocks(files.read(path)) end
    assert.is_true(count >= 15, count .. " blocks")
  end)
end)

describe("every C block of core/script/README.md", function()
  local SOURCE = "tests/unit/script/vm/task_test.c"
  local blocks = markdown.blocks(files.read "core/script/README.md")

  it("is compiled and run by " .. SOURCE, function()
    local count, source = 0, files.read(SOURCE)
    for _, block in ipairs(blocks) do
      if block.info == "c" then
        count = count + 1
        assert.is_truthy(source:find("\n" .. block.text .. "\n", 1, true), "line " .. block.line .. " differs")
      end
    end
    assert.equal(1, count)
  end)
end)

-- Serves what a document is about: scripts/, or else its own examples.
local function serve(path, text)
  if path:find "^scripts/" then return tidegate.start { dir = "scripts", env = { JWT_SECRET = "spec" } } end
  local scripts = {}
  for _, block in ipairs(markdown.blocks(text)) do
    if block.info == "lua" then scripts[("block_%d.lua"):format(block.line)] = doc_block.complete(block.text) end
  end
  return tidegate.start { scripts = scripts }
end

-- The status of an answer; of a stream too, which does not end.
local function status_of(server, request)
  local socket = tcp.connect(server.address)
  socket:send(http.format_request(request.method, request.path, request))
  local status = socket:read_to("\r\n"):match "^HTTP/1.1 (%d+)"
  socket:close()
  return tonumber(status)
end

describe("every request of a document is answered with 200:", function()
  it("another answer is seen", function()
    local server <close> = serve("a.md", fence("lua", 'gate.get("/a", function() return "a" end)'))
    assert.equal(200, status_of(server, { method = "GET", path = "/a" }))
    assert.equal(404, status_of(server, { method = "GET", path = "/b" }))
    assert.equal(405, status_of(server, { method = "POST", path = "/a", body = "" }))
  end)

  for _, path in ipairs(list_pages()) do
    local text = files.read(path)
    local requests = doc.find_requests(text)
    if #requests > 0 then
      it(path, function()
        local server <close> = serve(path, text)
        for _, request in ipairs(requests) do
          assert.equal(200, status_of(server, request), request.method .. " " .. request.path)
        end
      end)
    end
  end
end)

-- The set of all names that scripts can use: what is in gate, and the methods of the objects.
local function collect_names()
  local names = {}
  for _, name in ipairs(public.names()) do names[name] = true end
  return names
end

describe("the list of names", function()
  it("is held against the names and the pages", function()
    local names = { ["gate.a"] = true, ["gate.b"] = true, ["ws:c"] = true, ["gate.d"] = true }
    local problems = doc.check_names("| name | page |\n|---|---|\n| `gate.b` | [p](p.md) |\n| `gate.a` | [p](p.md) |\n"
      .. "| `gate.x` | [p](p.md) |\n| `ws:c` | [p](p.md) |\n", names, function() return "gate.a `gate.x`, `:c`" end)
    assert.same({ "gate.a stands behind gate.b", "gate.d is not in the list", "gate.x does not exist",
                  "p.md does not say what gate.b is" }, problems)
  end)

  it("has all that scripts can use, and each page says what it is", function()
    local names = collect_names()
    assert.is_true(names["gate.publish"] and names["gate.log.info"] and names["gate.env"] and names["ws:send"])
    local index = files.read "lua/README.md"
    assert.same({}, doc.check_names(index, names, function(target) return files.read("lua/" .. target) end))
  end)

  it("stands below a table that has every page", function()
    local index = files.read "lua/README.md"
    for _, path in ipairs(doc.find("lua", "doc", "%.md$")) do
      local name = path:match "^doc/(.*)%.md$"
      assert.matches(("\n| [%s](%s) |"):format(name, path), index, 1, true)
    end
  end)

  it("of settings has every flag, and no other", function()
    local flags, rows = {}, {}
    for flag in tidegate.run({ "--help" }).out:gmatch "\n  %-%-([%w-]+) " do flags[flag:gsub("-", "_")] = true end
    for key in files.read("lua/doc/configuration.md"):gmatch "\n| `([%l_]+)` |" do rows[key] = true end
    assert.is_true(flags.listen and rows.listen)
    assert.same(flags, rows)
  end)
end)

-- Rows as the server prints them, of one table that has all there is to say.
local ROWS = {
  { name = "wait", type = "seconds", luals = "number", default = 5,
    help = "seconds; see [b](lua/doc/b.md#c), [a](lua/doc/a.md#d)" },
  { name = "call", type = "function", luals = "fun(conn: tidegate.Connection, code: integer)", help = "the end" },
  { name = "on", type = "choice", choices = { "one", "all" }, default = "one", only = "sse", help = "where" },
  { name = "deep", type = "switch", inner_name = "deep", inner = {}, fallback = "`true`", only = "ws", help = "on" },
  { name = "list", type = "names", luals = "string[]", default = { "A", "B" }, needed = true, help = "names" },
  { name = "size", type = "bytes", luals = "integer", setting = "max_size", help = "bytes" },
}

-- What the server says: tables of options by name, the rows of metrics.
local function read_rows()
  local out = with_tree({ ["rows.lua"] = reference.SCRIPT }, function(folder)
    return tidegate.run({ "--check", folder, "--workers", "1" }).out
  end)
  return reference.parse(out)
end

describe("options", function()
  it("are written as a table, with links as from the page", function()
    local text = reference.table(ROWS, "a.md")
    assert.equal([[
| option | ws | sse | default | |
|---|---|---|---|---|
| `wait` | yes | yes | 5 | seconds; see [b](b.md#c), [a](#d) |
| `call(conn, code)` | yes | yes | | the end |
| `on` | | yes | `"one"` | where |
| `deep` | yes | | `true` | on |
| `list` | yes | yes | `A`, `B` | names |
| `size` | yes | yes | `max_size` of the configuration | bytes |
]], text)
    assert.equal("| option | |\n|---|---|\n| `x` | see [a](../a.md) |\n",
      reference.table({ { name = "x", luals = "any", help = "see [a](lua/doc/a.md)" } }, "guard/x.md"))
  end)

  it("are written as classes", function()
    local classes = reference.classes { session = ROWS, other = { { name = "x", luals = "any", help = "it" } } }
    assert.equal([[

---@class tidegate.other_options
---@field x? any it

---@class tidegate.ws_options
---@field wait? number seconds; see b, a (default: 5)
---@field call? fun(conn: tidegate.WebSocket, code: integer) the end
---@field deep? boolean|tidegate.deep_options on (default: `true`)
---@field list string[] names (default: `A`, `B`)
---@field size? integer bytes (default: `max_size` of the configuration)

---@class tidegate.sse_options
---@field wait? number seconds; see b, a (default: 5)
---@field call? fun(conn: tidegate.Stream, code: integer) the end
---@field on? "one"|"all" where (default: `"one"`)
---@field list string[] names (default: `A`, `B`)
---@field size? integer bytes (default: `max_size` of the configuration)
]], classes)
  end)

  it("come into a page and the types where they are marked", function()
    local tables = { x = { { name = "a", luals = "any", help = "it" } } }
    local page = "# A\n<!-- options: x -->\n%s<!-- end of options -->\nB\n"
    local text, names = reference.update_page(page:format "old\n", "a.md", tables)
    assert.equal(page:format "| option | |\n|---|---|\n| `a` | it |\n", text)
    assert.same({ "x" }, names)
    assert.has_error(function() reference.update_page(page:format "", "a.md", {}) end,
      "a.md: there is no table of options x")
    local types = "a()\n-- Options, written.\n%s\n-- End of options.\nb()\n"
    assert.equal(types:format "\n---@class tidegate.x_options\n---@field a? any it\n",
      reference.update_types(types:format "old\n", tables))
  end)

  local tables, pages = nil, doc.find("lua", "doc", "%.md$")
  setup(function() tables = read_rows() end)

  -- After a change of a row: make reference.
  for _, path in ipairs(pages) do
    it("on the page " .. path .. " are what the rows say", function()
      local text = files.read("lua/" .. path)
      assert.equal((reference.update_page(text, path:gsub("^doc/", ""), tables)), text)
    end)
  end

  it("have the types that the rows say", function()
    local text = files.read "lua/tidegate/types.lua"
    assert.equal(reference.update_types(text, tables), text)
  end)

  it("are on exactly one page each", function()
    local seen = {}
    for _, path in ipairs(pages) do
      local _, names = reference.update_page(files.read("lua/" .. path), path:gsub("^doc/", ""), tables)
      for _, name in ipairs(names) do seen[name] = (seen[name] or 0) + 1 end
    end
    local expected = {}
    for name in pairs(tables) do expected[name] = 1 end
    assert.is_truthy(expected.session and expected.publish and expected.cors)
    assert.same(expected, seen)
  end)

  it("differ from the page as soon as a row is added", function()
    local more = { table.unpack(tables.publish) }
    more[#more + 1] = { name = "later", luals = "number", help = "seconds until then" }
    local text = files.read "lua/doc/topics.md"
    local changed = setmetatable({ publish = more }, { __index = tables })
    local page = reference.update_page(text, "topics.md", changed)
    assert.matches("\n| `later` | | seconds until then |\n<", page, 1, true)
    assert.matches("\n---@field later? number seconds until then\n", reference.classes { publish = more }, 1, true)
  end)

  it("have names of their own and a sentence each, without a full stop", function()
    for name, rows in pairs(tables) do
      local seen = {}
      for _, row in ipairs(rows) do
        local at = name .. "." .. row.name
        assert.is_nil(seen[row.name], at)
        seen[row.name] = true
        assert.matches("[^.\n]$", row.help or "", nil, nil, at)
        assert.is_nil(row.help:find("|", 1, true), at)
      end
    end
  end)
end)

describe("metrics", function()
  local ROWS_OF_METRICS = { { name = "b", kind = "gauge", help = "What is" },
                            { name = "a", kind = "counter", help = "What was" } }

  it("come into a page where they are marked", function()
    local page = "# A\n<!-- metrics -->\n%s<!-- end of metrics -->\nB\n"
    local text, count = reference.update_metrics(page:format "old\n", ROWS_OF_METRICS)
    assert.equal(page:format("| name | kind | |\n|---|---|---|\n"
      .. "| `a` | counter | What was |\n| `b` | gauge | What is |\n"), text)
    assert.equal(1, count)
  end)

  -- After a change of a row: make reference.
  it("on their page are what the rows say", function()
    local metrics = select(2, read_rows())
    local text = files.read "lua/doc/server.md"
    local updated, count = reference.update_metrics(text, metrics)
    assert.equal(updated, text)
    assert.equal(1, count)
    assert.matches("\n| `connections` | gauge | ", text, 1, true)
  end)
end)

describe("the scripts", function()
  it("are refused when they open with no sentence, or with two", function()
    assert.matches("no", doc.check_opening 'local gate = require "tidegate"\n' or "accepted")
    assert.matches("not open", doc.check_opening "-- hello\nlocal x\n")
    assert.matches("not open", doc.check_opening "-- Says hello\nlocal x\n")
    assert.matches("more than one", doc.check_opening "-- Says hello. And bye.\nlocal x\n")
    assert.is_nil(doc.check_opening "-- Says hello: with v1.2, and\n-- on two lines.\nlocal x\n")
  end)

  it("all load", function()
    local result = tidegate.run { "--check", "scripts" }
    assert.same({ 0, "" }, { result.status, result.err })
  end)

  for _, path in ipairs(doc.find(".", "scripts", "%.lua$")) do
    it(path .. " opens with one sentence", function() assert.is_nil(doc.check_opening(files.read(path))) end)
  end
end)
