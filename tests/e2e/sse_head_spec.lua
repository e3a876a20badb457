-- What comes before the events of a stream: who gets one, its head, refusals, HEAD,
-- HTTP/1.0, and what browsers ask of a server of another origin.
local http = require "support.http"
local sse = require "support.sse"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"
-- A site's own habits, which a stream must survive.
gate.use(function(req, res, next)
  res:header("Content-Type", "text/html"):header("cache-control", "public, max-age=600")
  res:header("X-Accel-Buffering", "yes"):header("X-Site", "yes")
  return next()
end)
gate.sse("/stream", {
  upgrade = function(req) return true, { ["X-Stream"] = "yes", ["Set-Cookie"] = { "a=1", "b=2" } } end,
  open = function(stream) gate.log.info "opened" stream:send "first" end,
})
gate.sse("/data", { upgrade = function(req) return { who = req.query.who } end,
                    open = function(stream) stream:send(stream.data.who) end })
gate.sse("/ends", function(stream) stream:send "only" end)
gate.sse("/refused/{status}", {
  upgrade = function(req) return tonumber(req.params.status), "why", { ["X-Why"] = "no" } end,
  open = function() end,
})
gate.sse("/guarded", function(req) return req.headers.authorization and 403 or 401 end, function() end)
gate.sse("/nobody", { upgrade = function() end, open = function() end })
gate.get("/both", function() return "a page" end)
gate.sse("/both", function(stream) stream:send "an event" end)
gate.get("/streams", function() return tostring(gate.stats().streams) end)

local api = gate.scope("/api", gate.guard.cors { origins = { "https://app.example" }, credentials = true },
  function(req, _, next)
    if req:bearer() ~= "token" then return 401 end
    return next()
  end)
api.sse("/events", function(stream) stream:send(stream.last_event_id or "new") end)
api.get("/varies", function() return 200, "x", { Vary = "Accept" } end)
-- The headers of a good answer, and then none.
local function fail(_, res)
  res:header("Content-Encoding", "gzip"):header("ETag", '"1"'):header("vary", "Accept"):cookie("a", "b")
  error "on purpose"
end
api.get("/fails", fail)
api.sse("/fails/stream", fail, function() end)
gate.use("/all", gate.guard.cors { origins = "*" })
gate.post("/all/post", function() return "posted" end)
gate.sse("/public", gate.guard.cors { origins = "*" }, function(stream) stream:send "public" end)
]]

local EVENTS = { Accept = "text/event-stream" }

local server
setup(function() server = tidegate.start { scripts = SCRIPT } end)
teardown(function() server:stop() end)

local function streams() return tonumber(http.get(server, "/streams").body) end

describe("the head of a stream", function()
  local function check(headers)
    assert.same({ "text/event-stream", "no-cache, no-store, no-transform", "no", "close" }, { headers["content-type"],
      headers["cache-control"], headers["x-accel-buffering"], headers.connection })
    assert.same({ "yes", "yes", "a=1, b=2" }, { headers["x-site"], headers["x-stream"], headers["set-cookie"] })
    for _, name in ipairs { "content-length", "transfer-encoding", "content-encoding" } do
      assert.is_nil(headers[name], name)
    end
  end

  it("says once what keeps it flowing, whatever the script says", function()
    local stream <close> = sse.connect(server, "/stream")
    check(stream.response.headers)
    assert.equal("first", stream:receive().data)
  end)

  it("tells of no compression, though the client takes it", function()
    local stream <close> = sse.connect(server, "/stream", { headers = { ["Accept-Encoding"] = "gzip, deflate, br" } })
    check(stream.response.headers)
    assert.equal("first", stream:receive().data)
  end)

  it("is all that HEAD gets, without a session (RFC 9110 9.3.2)", function()
    local mark, before = server:mark(), streams()
    local connection <close> = http.connect(server)
    check(connection:request("HEAD", "/stream").headers)
    connection:expect_end()
    assert.equal(before, streams())
    assert.is_nil(server:find_log("opened", mark))
  end)
end)

describe("a stream is given", function()
  local function first_event(request)
    local connection <close> = http.connect(server)
    connection:send(request)
    local head = http.parse_head(connection.socket:read_to "\r\n\r\n")
    local events = {}
    if head.headers["content-type"] ~= "text/event-stream" then return nil, head end
    local parser = sse.parser(function(event) events[#events + 1] = event.data end)
    parser:feed(connection.socket:read_to_end())
    parser:finish()
    return events[1], head
  end

  for what, head in pairs {
    ["a plain GET, as of curl -N"] = "GET /ends HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    ["a GET without Accept"] = "GET /ends HTTP/1.1\r\nHost: x\r\n\r\n",
    ["HTTP/1.0"] = "GET /ends HTTP/1.0\r\n\r\n",
    ["HTTP/1.0 that would keep the connection"] = "GET /ends HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  } do
    it("to " .. what, function()
      local event, response = first_event(head)
      assert.same({ "only", "close" }, { event, response.headers.connection })
    end)
  end

  it("to who asks for events, where there is a page, too (RFC 9110 12.5.1)", function()
    for accept, expected in pairs {
      ["text/event-stream"] = "an event", ["text/html;q=0.5, Text/Event-Stream;q=0.9"] = "an event",
      ["text/html, */*;q=0.8"] = "", ["text/event-stream;q=0"] = "",
    } do
      local HEAD = "GET /both HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: %s\r\n\r\n"
      local event = first_event(HEAD:format(accept))
      assert.equal(expected, event or "", accept)
    end
  end)

  it("with the data of its upgrade", function()
    local stream <close> = sse.connect(server, "/data?who=ada")
    assert.equal("ada", stream:receive().data)
  end)
end)

describe("a stream that is refused", function()
  -- An ordinary answer: whole, and the connection goes on.
  local function check(path, status, headers)
    local connection <close> = http.connect(server)
    for _ = 1, 2 do
      local response = connection:get(path, headers or EVENTS)
      assert.equal(status, response.status)
      assert.not_equal("text/event-stream", response.headers["content-type"])
      if status == 204 then assert.is_nil(response.headers["content-length"]) end
    end
  end

  -- 204 tells an EventSource not to come back (WHATWG HTML 9.2.3).
  for _, status in ipairs { 204, 307, 401, 403, 404, 429, 503 } do
    it(("by upgrade with %d gets that"):format(status), function()
      check("/refused/" .. status, status)
      local response = http.get(server, "/refused/" .. status, EVENTS)
      assert.same({ "no", status == 204 and "" or "why" }, { response.headers["x-why"], response.body })
    end)
  end

  it("by a guard gets its status", function()
    check("/guarded", 401)
    check("/guarded", 403, { Accept = "text/event-stream", Authorization = "x" })
  end)

  it("by nobody's decision gets 403", function() check("/nobody", 403) end)

  it("for its method gets 405", function()
    local response = http.post(server, "/ends", "x")
    assert.same({ 405, "GET, HEAD, OPTIONS" }, { response.status, response.headers.allow })
  end)
end)

describe("a page of another origin", function()
  local ORIGIN = "https://app.example"

  local function preflight(path, origin, wanted)
    return http.request(server, "OPTIONS", path, { headers = {
      Origin = origin, ["Access-Control-Request-Method"] = "GET", ["Access-Control-Request-Headers"] = wanted } })
  end

  local function cors(headers)
    return { headers["access-control-allow-origin"], headers["access-control-allow-credentials"], headers.vary }
  end

  it("may fetch a stream with a token and a last id, after a preflight (Fetch, CORS protocol)", function()
    local asked = preflight("/api/events", ORIGIN, "authorization,last-event-id")
    assert.equal(204, asked.status)
    assert.same({ ORIGIN, "true", "Origin" }, cors(asked.headers))
    assert.matches("GET", asked.headers["access-control-allow-methods"])
    local allowed = asked.headers["access-control-allow-headers"]:lower()
    assert.is_true(allowed:find("authorization", 1, true) and allowed:find("last-event-id", 1, true) and true)
    local stream <close> = sse.connect(server, "/api/events",
      { last_event_id = "7", headers = { Origin = ORIGIN, Authorization = "Bearer token" } })
    assert.same({ ORIGIN, "true", "Origin" }, cors(stream.response.headers))
    assert.equal("7", stream:receive().data)
  end)

  it("can read why it is refused", function()
    local response = http.get(server, "/api/events", { Accept = "text/event-stream", Origin = ORIGIN })
    assert.equal(401, response.status)
    assert.same({ ORIGIN, "true", "Origin" }, cors(response.headers))
  end)

  for _, path in ipairs { "/api/fails", "/api/fails/stream" } do
    it("can read that " .. path .. " failed, without the headers of an answer", function()
      local response = http.get(server, path, { Authorization = "Bearer token", Origin = ORIGIN })
      assert.equal(500, response.status)
      assert.same({ ORIGIN, "true", "Origin, Accept" }, cors(response.headers))
      assert.equal("text/plain; charset=utf-8", response.headers["content-type"])
      for _, name in ipairs { "content-encoding", "etag", "set-cookie", "cache-control", "x-site" } do
        assert.is_nil(response.headers[name], name)
      end
    end)
  end

  for path, status in pairs { ["/all/none"] = 404, ["/all/post"] = 405 } do
    it(("can read a %d where the guard stands before everything"):format(status), function()
      local response = http.get(server, path, { Origin = ORIGIN })
      assert.same({ status, "*" }, { response.status, response.headers["access-control-allow-origin"] })
    end)
  end

  it("gets nothing when its origin is not allowed", function()
    local asked = preflight("/api/events", "https://evil.example", "authorization")
    assert.same({ 403, nil }, { asked.status, asked.headers["access-control-allow-origin"] })
    local response = http.get(server, "/api/events",
      { Authorization = "Bearer token", Origin = "https://evil.example" })
    assert.same({ nil, nil, "Origin" }, cors(response.headers))
  end)

  it("may open an EventSource where all origins are allowed", function()
    local stream <close> = sse.connect(server, "/public", { headers = { Origin = ORIGIN } })
    assert.same({ "*" }, cors(stream.response.headers))
    assert.equal("public", stream:receive().data)
  end)

  it("does not lose what the answer varies by to a handler that varies, too", function()
    local response = http.get(server, "/api/varies", { Authorization = "Bearer token", Origin = ORIGIN })
    assert.equal("Origin, Accept", response.headers.vary)
  end)

  it("is refused a path that is not there", function()
    assert.equal(404, preflight("/api/none", ORIGIN).status)
  end)
end)
