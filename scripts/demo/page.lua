-- The page: serves demo/page/ at "/", read anew for each request so that an edit shows at once.
local gate = require "tidegate"

local FILES = {
  { route = "/", file = "index.html", type = "text/html; charset=utf-8" },
  { route = "/demo/style.css", file = "style.css", type = "text/css; charset=utf-8" },
  { route = "/demo/app.js", file = "app.js", type = "text/javascript; charset=utf-8" },
  { route = "/demo/chat.js", file = "chat.js", type = "text/javascript; charset=utf-8" },
  { route = "/demo/people.js", file = "people.js", type = "text/javascript; charset=utf-8" },
  { route = "/demo/tide.js", file = "tide.js", type = "text/javascript; charset=utf-8" },
  { route = "/demo/dom.js", file = "dom.js", type = "text/javascript; charset=utf-8" },
}

-- Nothing from elsewhere, and no script but our own files: a second line behind the escaping.
local POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
  .. "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

local function read_file(name)
  local file = assert(io.open(gate.dir .. "/demo/page/" .. name, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

for _, entry in ipairs(FILES) do
  read_file(entry.file)  -- one that is missing fails the load
  local headers = {
    ["content-type"] = entry.type,
    ["cache-control"] = "no-cache",
    ["content-security-policy"] = POLICY,
    ["x-content-type-options"] = "nosniff",
  }
  gate.get(entry.route, function() return 200, read_file(entry.file), headers end)
end
