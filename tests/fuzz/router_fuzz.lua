-- A pattern that can be read can be used: no path raises, and one pattern alone
-- matches as its segments do one by one.
local core = require "tidegate.core"
local pattern = require "tidegate.pattern"
local router = require "tidegate.router"

local LENGTH_MAX = 24  -- in string.find, Lua patterns with many "-" take a power of this

local function split(path)
  local result = {}
  for text in path:sub(2):gmatch "([^/]*)" do result[#result + 1] = text end
  return result
end

local function segment_matches(segment, raw)
  local text = core.url_decode(raw)
  if not text then return false end
  if segment.kind == "literal" then return text == segment.text end
  return text ~= "" and (segment.kind == "placeholder" or text:find("^" .. segment.match .. "$") ~= nil)
end

local function rest_matches(texts, from)
  local rest = table.concat(texts, "/", from)
  return from <= #texts and rest ~= "" and not rest:lower():find("%2f", 1, true) and core.url_decode(rest) ~= nil
end

local function matches(shape, path)
  if path == shape.text and shape.is_static then return true end
  if path:sub(1, 1) ~= "/" then return false end
  local texts = split(path)
  for i, segment in ipairs(shape.segments) do
    if segment.kind == "rest" then return rest_matches(texts, i) end
    if not texts[i] or not segment_matches(segment, texts[i]) then return false end
  end
  return #texts == #shape.segments
end

return function(first, second, path)
  first, second, path = first:sub(1, LENGTH_MAX), (second or ""):sub(1, LENGTH_MAX), (path or ""):sub(1, LENGTH_MAX)
  if path:find "%c" then return end  -- the HTTP parser lets none through
  local both, has_any = router.new(core.url_decode), false
  for _, text in ipairs { first, second } do
    local shape, message = pattern.parse(text)
    assert(shape or type(message) == "string", "a fault is told")
    if shape then
      local alone = router.new(core.url_decode)
      alone:add(shape, "GET", text)
      local route = alone:find(path, "GET", "*")
      assert((route ~= nil) == matches(shape, path), "one pattern matches as its segments do")
      alone:find("/" .. path:sub(2):rep(8192 // math.max(1, #path)), "GET", "*")  -- comes to an end
      both:add(shape, "GET", text)
      has_any = has_any or route ~= nil
    end
  end
  assert((both:find(path, "GET", "*") ~= nil) == has_any, "a path of one of two patterns is found")
end
