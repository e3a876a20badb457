-- How luacheck reads our Lua: `make check` and the tests run it over all of it.
std = "lua54"
max_line_length = 120
exclude_files = { "build", "tests/node_modules" }

-- Specs have busted's globals.
files["tests/lua"] = { std = "+busted" }
files["tests/e2e"] = { std = "+busted" }

-- Types for editors: declarations without code, some longer than a line, which may not be broken.
files["lua/tidegate/types.lua"] = { ignore = { "212", "241" }, max_line_length = false }
files["lua/tidegate/native.lua"] = { max_line_length = false }
