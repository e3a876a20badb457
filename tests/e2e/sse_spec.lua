-- Server-Sent Events: every field, comments that keep a stream alive, both ends of
-- it, and topics on it.
local cjson = require "cjson"
local http = require "support.http"
local loop = require "support.loop"
local sse = require "support.sse"
local tidegate = require "support.server"

local SCRIPT = [[
local gate = require "tidegate"
gate.topic("past/*", { history = 5 })
gate.topic("long/*", { history = 100 })

gate.sse("/fields", function(stream)
  stream:send "plain"
  stream:send { event = "tick", data = "a\nb\r\nc\rd\n", id = "7", retry = 1500 }
  stream:send { data = "" }
  stream:send { comment = "a note\nin two lines" }
  stream:send { data = " leading space: and colon" }
  stream:send { data = 5 }
  stream:send { id = "", data = "forgets the id" }
end)
gate.sse("/quiet", { keepalive = 0.03, open = function() end,
                     close = function(stream, code) gate.log.info("stream closed: " .. tostring(code)) end })
gate.sse("/never", { keepalive = 0, open = function(stream) gate.sleep(0.3) stream:send "late" end })
gate.sse("/clock", function(stream)
  local n = 0
  while stream:send { event = "tick", data = n } do gate.sleep(0.01) n = n + 1 end
  gate.log.info "clock: the client has gone"
end)
gate.sse("/ends", function(stream) stream:send "only one" end)
gate.sse("/closes", { open = function(stream)
  stream:send "before"
  stream:close()
  local ok, _, code = stream:send "after"
  gate.log.info("send after close: " .. tostring(ok) .. " " .. tostring(code))
end })
gate.sse("/late", { upgrade = function() gate.sleep(0.05) gate.log.info "decided" return true end,
                    open = function() end })
gate.get("/sessions", function() return tostring(gate.stats().streams) end)
gate.sse("/fails", function(stream)
  stream:send "before"
  error "broken stream"
end)
gate.sse("/follow/{a}/{b}", function(stream)
  stream:join(stream.params.a .. "/x")
  stream:join(stream.params.b .. "/y")
  stream:send { event = "joined", data = "joined" }
end)
gate.post("/publish/{kind}/{name}", function(req)
  return gate.publish(req.params.kind .. "/" .. req.params.name, req:body())
end)
]]

describe("an event stream", function()
  local server
  setup(function() server = tidegate.start { scripts = SCRIPT } end)
  teardown(function() server:stop() end)

  local function publish(topic, text)
    local response = http.post(server, "/publish/" .. topic, text)
    assert.equal(200, response.status)
    return response.body
  end

  it("carries every field", function()
    local stream <close> = sse.connect(server, "/fields")
    assert.same({ event = "message", data = "plain", id = "" }, stream:receive())
    assert.same({ event = "tick", data = "a\nb\nc\nd\n", id = "7" }, stream:receive())
    assert.same({ event = "message", data = "", id = "7" }, stream:receive())
    assert.same({ event = "message", data = " leading space: and colon", id = "7" }, stream:receive())
    assert.equal("5", stream:receive().data)
    assert.same({ event = "message", data = "forgets the id", id = "" }, stream:receive())
    assert.equal(1500, stream.parser.retry)
    assert.same({ " a note", " in two lines" }, { stream.parser.comments[1], stream.parser.comments[2] })
    stream:wait_end()
  end)

  it("is kept alive with comments", function()
    local stream <close> = sse.connect(server, "/quiet")
    for _ = 1, 3 do stream:wait_comment() end
    assert.equal(0, #stream.events)
  end)

  it("is left alone where keepalive is 0", function()
    local never <close> = sse.connect(server, "/never")
    assert.equal("late", never:receive().data)
    assert.equal(0, #never.parser.comments)
  end)

  it("notices that the client has gone", function()
    local mark = server:mark()
    local quiet = sse.connect(server, "/quiet")
    quiet:close()
    server:wait_for_log("stream closed", mark)
    local clock = sse.connect(server, "/clock")
    for n = 0, 3 do assert.equal(tostring(n), clock:receive().data) end
    clock.socket:reset()
    server:wait_for_log("clock: the client has gone", mark)
  end)

  it("is not opened for ever to a client that left before", function()
    require("support.tcp").close_all()
    local mark = server:mark()
    local connection = http.connect(server)
    connection:send(http.format_request("GET", "/late"))
    loop.wait(function() return connection.socket.writes == 0 end, "request sent")
    connection:close()
    server:wait_for_log("decided", mark)
    loop.poll(function() return http.get(server, "/sessions").body == "0" end, "end of all streams")
  end)

  it("ends with its task", function()
    local stream <close> = sse.connect(server, "/ends")
    assert.equal("only one", stream:receive().data)
    stream:wait_end()
  end)

  it("ends when the script closes it, with all that was sent before", function()
    local mark = server:mark()
    local stream <close> = sse.connect(server, "/closes")
    assert.equal("before", stream:receive().data)
    stream:wait_end()
    assert.equal(0, #stream.events)
    server:wait_for_log("send after close: nil closed", mark)
  end)

  it("ends when its handler raises", function()
    local mark = server:mark()
    local stream <close> = sse.connect(server, "/fails")
    assert.equal("before", stream:receive().data)
    stream:wait_end()
    server:wait_for_log("broken stream", mark)
  end)

  describe("that follows topics", function()
    it("gets messages with their ids and lines split", function()
      local stream <close> = sse.connect(server, "/follow/live/live")
      assert.equal("joined", stream:receive().event)
      local id = publish("live/x", "one\ntwo\r\nthree")
      assert.same({ event = "message", data = "one\ntwo\nthree", id = id }, stream:receive())
      assert.matches("^[%w]+%-%d+$", id)
    end)

    it("stays open when the task that joined has ended", function()
      local stream <close> = sse.connect(server, "/follow/live/live")
      stream:receive()
      for i = 1, 3 do
        publish("live/y", tostring(i))
        assert.equal(tostring(i), stream:receive().data)
      end
    end)

    it("resumes after Last-Event-ID, over all its topics and in order", function()
      local ids = {}
      for i = 1, 10 do ids[i] = publish(i % 2 == 0 and "long/x" or "long/y", "n" .. i) end
      local stream <close> = sse.connect(server, "/follow/long/long", { last_event_id = ids[4] })
      publish("long/x", "n11")
      local seen = {}
      while #seen < 7 do
        local event = stream:receive()
        if event.event ~= "joined" then seen[#seen + 1] = event.data end
      end
      assert.same({ "n5", "n6", "n7", "n8", "n9", "n10", "n11" }, seen)
    end)

    it("tells a gap where the past is no more", function()
      local ids = {}
      for i = 1, 12 do ids[i] = publish("past/x", "p" .. i) end
      for _, id in ipairs { ids[1], "0123456789-5", "nonsense", ids[12]:gsub("%d+$", "999999999") } do
        local stream <close> = sse.connect(server, "/follow/past/other", { last_event_id = id })
        local gaps, kept = {}, {}
        while #kept < 5 do
          local event = stream:receive()
          if event.event == "gap" then gaps[cjson.decode(event.data).topic] = true end
          if event.event == "message" then kept[#kept + 1] = event.data end
        end
        assert.same({ "p8", "p9", "p10", "p11", "p12" }, kept)
        assert.is_true(gaps["past/x"], "a gap is told for " .. id)
      end
    end)

    it("has nothing to tell to one who missed nothing", function()
      local id = publish("long/x", "newest")
      local stream <close> = sse.connect(server, "/follow/long/long", { last_event_id = id })
      assert.equal("joined", stream:receive().event)
      publish("long/x", "next")
      assert.equal("next", stream:receive().data)
    end)
  end)

  it("is one of many on a connection closed by the client", function()
    for _ = 1, 50 do sse.connect(server, "/clock"):close() end
    loop.turn()
    local stream <close> = sse.connect(server, "/ends")
    assert.equal("only one", stream:receive().data)
  end)
end)
