-- Prices by symbol: a snapshot, then live; who is slow gets the newest of each symbol, never a backlog.
local gate = require "tidegate"

local TOPIC = "examples/prices"

-- The newest price of each of so many symbols stays, however old it is.
gate.topic(TOPIC, { history = 100 })

-- The key is what makes a price supersede the one before it.
local function publish_quote(quote)
  gate.publish(TOPIC, quote, { key = quote.symbol, event = "price" })
end

local prices = { TIDE = 100, SALT = 20, REED = 5 }

gate.every(1, function()
  for symbol, price in pairs(prices) do
    prices[symbol] = price * (0.99 + math.random() * 0.02)
    publish_quote { symbol = symbol, price = math.floor(prices[symbol] * 100) / 100 }
  end
end)

local function is_quote(quote)
  return type(quote) == "table" and type(quote.price) == "number"
    and type(quote.symbol) == "string" and quote.symbol:find("^%u%w*$")
end

-- Whoever has prices sends an array of them.
gate.post("/examples/prices", function(req)
  local quotes = req:json()
  if type(quotes) ~= "table" then quotes = {} end
  for i = 1, math.max(1, #quotes) do
    if not is_quote(quotes[i]) then return 400, { error = 'send [{"symbol": "TIDE", "price": 101.5}, ...]' } end
  end
  for _, quote in ipairs(quotes) do publish_quote(quote) end
  return { published = #quotes }
end)

local function open(conn) conn:join(TOPIC, { since = "first" }) end

gate.ws("/examples/prices", { envelope = true, open = open })
gate.sse("/examples/prices", { open = open })
