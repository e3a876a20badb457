-- Says hello: the smallest route there is.
local gate = require "tidegate"

gate.get("/examples/hello/{name}", function(req)
  return "hello " .. req.params.name .. "\n"
end)
