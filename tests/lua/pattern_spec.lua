-- pattern: route patterns to segments.
local pattern = require "tidegate.pattern"

local function shape(text)
  local parsed = assert(pattern.parse(text))
  local out = {}
  for i, segment in ipairs(parsed.segments) do
    out[i] = segment.kind .. "=" .. (segment.text or segment.name .. (segment.match or ""))
  end
  return table.concat(out, " ")
end

describe("pattern", function()
  it("reads every kind of segment", function()
    assert.equal("literal=a literal=b", shape "/a/b")
    assert.equal("literal=a placeholder=x", shape "/a/{x}")
    assert.equal("constrained=id%d+ literal=edit", shape "/{id:%d+}/edit")
    assert.equal("literal=files rest=path", shape "/files/{path...}")
  end)

  it("keeps a trailing slash as a last, empty segment", function()
    assert.equal("literal=", shape "/")
    assert.equal("literal=a literal=", shape "/a/")
    assert.equal("placeholder=x literal=", shape "/{x}/")
  end)

  it("tells names, lead and whether it is static", function()
    local parsed = pattern.parse "/a/{x}/{y:%a}/{z...}"
    assert.same({ "x", "y", "z" }, parsed.names)
    assert.equal("/a/", parsed.lead)
    assert.is_false(parsed.is_static)
    parsed = pattern.parse "/a/b"
    assert.equal("/a/b", parsed.lead)
    assert.is_true(parsed.is_static)
  end)

  it("takes Lua patterns of any form", function()
    for _, text in ipairs { "%a%w*", "[%a_][^]]?", "[]x]+", "[^]x]", "(%a)%1", "%bxy", "%f[%a]a", "a%$",
      "[%]]", "()" } do
      assert.equal("constrained=x" .. text, shape("/{x:" .. text .. "}"))
    end
  end)

  local bad = {
    { "a", "start with '/'" },
    { "", "start with '/'" },
    { "/a//b", "empty segment" },
    { "/a?b", "no '?'" },
    { "/a#b", "no '#'" },
    { "/a\n", "control character" },
    { "/a%20b", "decoded" },
    { "/v{n}", "neither plain text" },
    { "/{n}x", "neither plain text" },
    { "/{}", "neither plain text" },
    { "/{1a}", "neither plain text" },
    { "/{a", "neither plain text" },
    { "/a}", "neither plain text" },
    { "/{a b}", "neither plain text" },
    { "/{a:x/y}", "neither plain text" },
    { "/{a}/{a}", 'placeholder "a" stands twice' },
    { "/{a...}/b", "must be the last segment" },
    { "/{a...}/", "must be the last segment" },
    { "/{a:}", "it is empty" },
    { "/{a:%d+%}", "ends with '%'" },
    { "/{a:[%d}", "'[' is not closed" },
    { "/{a:%d+[}", "'[' is not closed" },
    { "/{a:(%d}", "'(' is not closed" },
    { "/{a:%d)}", "')' was not opened" },
    { "/{a:%b(}", "%b needs two characters" },
    { "/{a:%fa}", "%f needs a set" },
    { "/{a:%1}", "refers to no capture" },
    { "/{a:(%a)%2}", "refers to no capture" },
    { "/{a:^%d}", "leave out" },
    { "/{a:%d$}", "leave out" },
    { "/{a:%b().+}", "with %b or %1 it may hold no '*'" },
    { "/{a:(.)%1.-}", "with %b or %1 it may hold no '*'" },
    { "/{a:(.)%1.?.?.?.?.?}", "four '?' at most" },
    { "/{a:.-" .. ("b"):rep(61) .. ".-}", "62 characters" },
    { "/a/:id", 'segment ":id" is no placeholder here: write {id}' },
    { "/a/:id?", 'segment ":id?" is no placeholder here: write {id}' },
    { "/a/:id(\\d+)", "write {id:pattern}" },
    { "/a/:id.json", "write {name}, which is a whole segment" },
    { "/a/*", 'segment "*" is no placeholder here: write {rest...} for the rest of the path' },
    { "/a/**", 'segment "**" is no placeholder here: write {rest...}' },
    { "/a/*path", "write {path...}" },
    { "/a/<id>", "write {id}" },
    { "/a/<int:id>", "write {id}" },
    { "/a/<path:p>", "write {p...}" },
    { "/a/(id)", "write {id}" },
    { "/a/[id]", "write {id}" },
    { "/a/[...all]", "write {all...}" },
    { "/a/{*all}", "write {all...}" },
    { "/a/{id?}", "write {id}" },
    { "/a\\b", "no '\\'" },
  }
  for _, row in ipairs(bad) do
    it(("refuses %q"):format(row[1]), function()
      local parsed, message = pattern.parse(row[1])
      assert.is_nil(parsed)
      assert.truthy(message:find(row[2], 1, true), message)
    end)
  end

  it("takes characters that only look like placeholders as text", function()
    for _, text in ipairs { "/a:b", "/Products(5)", "/$metadata", "/a*b", "/x<y>", "/@me", "/-", "/~" } do
      assert.is_true(assert(pattern.parse(text)).is_static, text)
    end
  end)

  it("accepts no Lua pattern that string.find raises for", function()
    math.randomseed(7)
    local pieces = { "%", "[", "]", "(", ")", "^", "$", "a", "d", "b", "f", "1", "-", "+", "*", "?", "." }
    for _ = 1, 20000 do
      local out = {}
      for i = 1, math.random(6) do out[i] = pieces[math.random(#pieces)] end
      local text = table.concat(out)
      local parsed = pattern.parse("/{x:" .. text .. "}")
      if parsed then
        for _, subject in ipairs { "", "a", "aa", "dab1", "[a]", "(a)", "a-+*" } do
          local segment = parsed.segments[1]
          local ok, found = pcall(string.find, subject, "^" .. segment.match .. "$")
          assert.is_true(ok, text .. ": " .. tostring(found))
          assert.equal(found ~= nil, segment.matches(subject), text .. " on " .. subject)
        end
      end
    end
  end)
end)
