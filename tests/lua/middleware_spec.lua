-- middleware: which links run, in what order, and what comes out.
local middleware = require "tidegate.middleware"
local pattern = require "tidegate.pattern"

local function run(fns, terminal, res)
  local chain = {}
  for i, fn in ipairs(fns) do chain[i] = middleware.link(fn) end
  return middleware.run(chain, terminal or function() return "end" end, { name = "req" }, res or {})
end

local function failure(...)
  local ok, message = pcall(run, ...)
  assert.is_false(ok)
  return message
end

describe("middleware.run", function()
  it("calls the terminal alone when there are no links", function()
    local count
    local result = run({}, function(...) count = select("#", ...) return "alone" end)
    assert.equal("alone", result)
    assert.equal(3, count)
  end)

  it("runs links in order, around the terminal", function()
    local seen = {}
    local function around(name)
      return function(_, _, next)
        seen[#seen + 1] = name .. " in"
        local result = next()
        seen[#seen + 1] = name .. " out"
        return result
      end
    end
    assert.equal("end", run({ around "a", around "b" }))
    assert.same({ "a in", "b in", "b out", "a out" }, seen)
  end)

  it("gives request and response to each", function()
    local res = {}
    run({ function(req, got, next)
      assert.equal("req", req.name)
      assert.equal(res, got)
      return next()
    end }, function(req, got, extra)
      assert.equal("req", req.name)
      assert.equal(res, got)
      assert.is_nil(extra)
    end, res)
  end)

  it("hands status, body and headers through next", function()
    local headers = { a = "b" }
    assert.same({ 201, "made", headers }, { run({
      function(_, _, next) return next() end,
      function(_, _, next) return next() end,
    }, function() return 201, "made", headers end) })
  end)

  it("lets the results of next stand when the middleware returns nothing", function()
    assert.same({ 201, "made" }, { run({ function(_, _, next) next() end },
      function() return 201, "made" end) })
  end)

  it("lets a middleware replace the answer", function()
    assert.equal("other", (run { function(_, _, next) next() return "other" end }))
  end)

  it("stops at a middleware that answers", function()
    local reached = false
    assert.same({ 401, "who?" }, { run({ function() return 401, "who?" end },
      function() reached = true end) })
    assert.is_false(reached)
  end)

  it("stops at a middleware that wrote the response itself", function()
    local res = {}
    assert.is_nil(run({ function() res.started = true end }, nil, res))
  end)

  it("fails closed when a middleware neither answers nor passes on", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local message = failure { function() end }
    assert.equal(("%s:%d: this middleware neither answered nor called next: to pass on, it ends with return next()")
      :format(debug.getinfo(1, "S").short_src, line), message)
    assert.truthy(failure({ function() return nil, "no token", "missing" end }):find("neither answered", 1, true))
  end)

  it("hands false on as an answer, for the server to refuse", function()
    assert.is_false((run { function() return false end }))
  end)

  it("says whose answer it is: a middleware's that gave its own, else the terminal's", function()
    local function pass(_, _, next) return next() end
    local function silent(_, _, next) next() end
    local function own() return 403, "own" end
    local function replace(_, _, next) next() return "other" end
    local function author(...)
      run(...)
      return middleware.author()
    end
    assert.is_nil(author { pass })
    assert.equal(own, author { own })
    assert.is_nil(author { silent, pass })
    assert.equal(own, author { pass, silent, own })
    assert.is_nil(author { pass })
    assert.equal(replace, author { replace, own })
    assert.equal(replace, author { pass, replace })
  end)

  it("refuses a second next", function()
    assert.truthy(failure({ function(_, _, next) next() return next() end }):find("called next twice", 1, true))
  end)

  it("refuses a next that comes after the middleware has returned", function()
    local late
    run { function(_, _, next) late = next return "answered" end }
    local ok, message = pcall(late)
    assert.is_false(ok)
    assert.truthy(message:find("after it had returned", 1, true))
  end)

  it("lets errors through", function()
    assert.truthy(failure({ function() error "boom" end }):find("boom", 1, true))
    assert.truthy(failure({ function(_, _, next) return next() end }, function() error "deep" end)
      :find("deep", 1, true))
  end)

  it("lets a middleware wait", function()
    local task = coroutine.wrap(function()
      return run({ function(_, _, next) coroutine.yield "waits" return next() end },
        function() coroutine.yield "waits too" return "done" end)
    end)
    assert.equal("waits", task())
    assert.equal("waits too", task())
    assert.equal("done", task())
  end)
end)

describe("middleware prefixes", function()
  it("cover paths on segment boundaries", function()
    assert.is_true(middleware.covers(nil, "/x"))
    assert.is_true(middleware.covers("/api", "/api"))
    assert.is_true(middleware.covers("/api", "/api/"))
    assert.is_true(middleware.covers("/api", "/api/x"))
    assert.is_false(middleware.covers("/api", "/apix"))
    assert.is_false(middleware.covers("/api", "/ap"))
    assert.is_false(middleware.covers("/api", "/"))
    assert.is_false(middleware.covers("/api", "*"))
    assert.is_true(middleware.covers(nil, "*"))
  end)

  local rows = {
    { nil, "/a/{x}", "always" },
    { "/a", "/a", "always" },
    { "/a", "/a/b", "always" },
    { "/a", "/a/{x}", "always" },
    { "/a/b", "/a/{x}", "sometimes" },
    { "/a/b/c", "/a/{x}", "sometimes" },
    { "/a", "/{x}", "sometimes" },
    { "/a", "/{x...}", "sometimes" },
    { "/a", "/ab", "never" },
    { "/a/b", "/a", "never" },
    { "/b", "/a/{x}", "never" },
    { "/ab", "/a/{x}", "never" },
  }
  for _, row in ipairs(rows) do
    it(("%s covers %s %s"):format(row[1] or "none", row[2], row[3]), function()
      assert.equal(row[3], middleware.relation(row[1], pattern.parse(row[2])))
    end)
  end

  it("plan a chain once where no placeholder decides", function()
    local all, api, guard = middleware.link(print), middleware.link(print, "/api"), middleware.link(print)
    local links = { all, api }
    assert.same({ all, api, guard }, middleware.plan(links, pattern.parse "/api/{x}", { guard }))
    assert.same({ all, guard }, middleware.plan(links, pattern.parse "/x", { guard }))
    assert.is_nil(middleware.plan(links, pattern.parse "/{x}", { guard }))
    assert.same({ all, api, guard }, middleware.select(links, "/api", { guard }))
    assert.same({ all }, middleware.select(links, "/other", {}))
  end)
end)
