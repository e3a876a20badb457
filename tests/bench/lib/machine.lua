-- What the figures were measured on.
local machine = {}

local function output(command)
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local line = pipe:read "l"
  pipe:close()
  return line and line ~= "" and line or nil
end

local FACTS = {
  { "date", "date -u +%Y-%m-%d" },
  { "commit", "git rev-parse --short HEAD" },
  { "CPU", "awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo" },
  { "cores", "nproc --all" },
  { "kernel", "uname -r" },
  { "compiler", "gcc -dumpfullversion" },
  { "nginx", "sed -n 's/^nginx //p' build/peers/versions" },
  { "Nchan", "sed -n 's/^libnginx-mod-nchan //p' build/peers/versions" },
  { "node", "node --version" },
  { "ws", [[node -p "require('./tests/node_modules/ws/package.json').version"]] },
  { "socket.io", [[node -p "require('./tests/node_modules/socket.io/package.json').version"]] },
}

-- { { name, value }, ... }
function machine.facts()
  local facts = {}
  for _, fact in ipairs(FACTS) do
    local value = output(fact[2])
    if value then facts[#facts + 1] = { fact[1], value } end
  end
  return facts
end

return machine
