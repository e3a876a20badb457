-- What bench_count asks of the server.
local core = require "tidegate.core"
local gate = require "tidegate"
local pattern = require "tidegate.pattern"
local router = require "tidegate.router"

gate.ws("/echo", { message = function(ws, data, kind) ws:send(data, kind) end })

gate.ws("/auth", {
  upgrade = function(req) return req.query.token == "0123456789abcdef" and { user = "ann" } or 401 end,
  message = function(ws, data, kind) ws:send(data, kind) end,
})

-- ---- fan-out ---------------------------------------------------------------

local function join(conn) conn:join("news") end

gate.ws("/follow", { open = join })
gate.ws("/follow/deflated", { open = join, compress = true })
gate.sse("/feed", { open = join })
gate.ws("/publish", { message = function(_, text) gate.publish("news", text) end })

-- ---- requests --------------------------------------------------------------

gate.get("/hello", function() return "Hello, world!" end)

gate.use("/api", function(_, res, next)
  res:header("X-Request", "1")
  return next()
end)

gate.get("/api/users/{user:%d+}/posts", function(req)
  return { user = req.params.user, sort = req.query.sort, limit = tonumber(req.query.limit) }
end)

-- ---- a thousand things in one handler ----------------------------------------

local COUNT = 1000

-- Eight resources of an API with five shapes each, and paths that find one of them.
local function make_routes()
  local paths, routes = {}, router.new(core.url_decode)
  for _, name in ipairs { "users", "posts", "teams", "rooms", "files", "events", "tags", "votes" } do
    for _, shape in ipairs { "", "/{id:%d+}", "/{id:%d+}/likes", "/{id}/by/{who}", "/raw/{rest...}" } do
      routes:add(assert(pattern.parse("/api/" .. name .. shape)), "GET", name .. shape)
    end
    for _, rest in ipairs { "", "/17", "/17/likes", "/new/by/ann", "/raw/a/b/c.txt" } do
      paths[#paths + 1] = "/api/" .. name .. rest
    end
  end
  return routes, paths
end

local routes, paths = make_routes()

gate.ws("/work/route", {
  message = function(ws)
    for i = 1, COUNT do assert(routes:find(paths[i % #paths + 1], "GET", "*")) end
    ws:send "done"
  end,
})

gate.ws("/work/publish", {
  message = function(ws)
    local text = ("x"):rep(128)
    for _ = 1, COUNT do assert(gate.publish("nobody", text)) end
    ws:send "done"
  end,
})
