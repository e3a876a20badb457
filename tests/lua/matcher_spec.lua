-- matcher: Lua patterns of placeholders, held against string.find and against the clock.
local matcher = require "tidegate.matcher"

-- Seconds of CPU that `fn` takes.
local function time(fn)
  local before = os.clock()
  fn()
  return os.clock() - before
end

describe("matcher", function()
  it("agrees with string.find on random patterns and texts, short and long", function()
    math.randomseed(11)
    local pieces = { "a", "b", ".", "%a", "%d", "[ab]", "[^a]", "%f[a]", "%f[^b]", "(", ")", "()", "%." }
    local quantifiers = { "", "", "*", "+", "-", "?" }
    local letters = { "a", "b", "a", "1", "." }
    local compared, long = 0, 0
    for _ = 1, 3000 do
      local out = {}
      for i = 1, math.random(7) do
        out[i] = pieces[math.random(#pieces)] .. quantifiers[math.random(#quantifiers)]
      end
      local text = table.concat(out)
      local matches = matcher.compile(text)
      for length = 0, matches and 60 or -1, 6 do
        local subject = {}
        for i = 1, length do subject[i] = letters[math.random(#letters)] end
        subject = table.concat(subject)
        -- What string.find would need seconds for is left to the next test.
        if length <= 18 or select(2, text:gsub("[*+?-]", "")) <= 3 then
          compared, long = compared + 1, long + (length > 18 and 1 or 0)
          assert.equal(subject:find("^" .. text .. "$") ~= nil, matches(subject), text .. " on " .. subject)
        end
      end
    end
    assert.is_true(compared > 2500 and long > 500, compared .. " compared, " .. long .. " long")
  end)

  local GREEDY = {
    { ("(.-)"):rep(6) .. ".b", "a" },
    { ("(.-)"):rep(32) .. "b", "a" },
    { "a*a*b", "a" },
    { (".?"):rep(40) .. "b", "a" },
    { ("a?"):rep(30) .. "b.*", "a" },
    { "(%w+)%-(%w+)%-(%w+)x", "a-" },
    { "[ab]*[ab]*[ab]*c", "ab" },
    { "%f[a].-%f[a].-%f[a].-c", "ab" },
    { ".-b", "a" },
    { "%b()", "(" },
  }
  for _, row in ipairs(GREEDY) do
    it("is done in milliseconds with " .. row[1], function()
      local matches = assert(matcher.compile(row[1]))
      for _, length in ipairs { 10, 20, 40, 100, 1000, 8192 } do
        local subject = row[2]:rep(length // #row[2])
        assert.is_true(time(function() assert.is_false(matches(subject)) end) < 0.1, length .. " characters")
      end
    end)
  end

  it("finds in a long segment what is there", function()
    local matches = assert(matcher.compile(("(.-)"):rep(6) .. ".b"))
    assert.is_true(matches(("a"):rep(8000) .. "b"))
    assert.is_false(matches "b")
    assert.is_true(matches "ab")
    assert.is_true(assert(matcher.compile "(%d+)x(%d+)")(("1"):rep(4000) .. "x" .. ("2"):rep(4000)))
  end)
end)
