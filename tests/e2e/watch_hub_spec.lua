-- Random lives of the hub over real connections, held against its model, beside a script
-- directory that git, a ConfigMap and a slow copy rewrite in turn: no session is lost.
-- REWRITE_SECONDS=300 runs it for so long.
local files = require "support.files"
local hub_life = require "support.hub_life"
local loop = require "support.loop"
local process = require "support.process"
local script_tree = require "support.script_tree"
local ws = require "support.ws"

local SECONDS = tonumber(os.getenv "REWRITE_SECONDS") or 15

-- A script with a session of its own, which answers with its version.
local function session_script(path)
  return ([[require("tidegate").ws("%s", { message = function(ws) ws:send "VERSION" end })
]]):format(path)
end

-- app.lua is in git, and copied; sub/git.lua is on one branch only; map.lua is a ConfigMap's.
local PREPARE = [[
mkdir -p app/sub app/..map_0
cp hub.lua app/app.lua
sed s/VERSION/0/ git.lua > app/sub/git.lua
sed s/VERSION/0/ map.lua > app/..map_0/map.lua
ln -s ..map_0 app/..data
ln -s ..data/map.lua app/map.lua
cd app
git init -q -b main .
git config user.name test; git config user.email test@localhost; git config gc.auto 0
printf '..*\nmap.lua\n' > .gitignore
git add .gitignore app.lua sub; git commit -q -m main
git checkout -q -b other
git rm -q -r sub; echo '-- other' >> app.lua; git commit -q -a -m other
git checkout -q main
]]

local REWRITE = [[
half=$(($(wc -c < hub.lua) / 2)); n=0
while [ ! -e stop ]; do
  n=$((n + 1))
  git -C app checkout -q -f other && git -C app checkout -q -f main || exit 1
  sleep 0.4
  old=$(readlink app/..data)
  mkdir app/..map_$n; sed s/VERSION/$n/ map.lua > app/..map_$n/map.lua
  ln -s ..map_$n app/..tmp; mv -T app/..tmp app/..data; rm -r app/$old
  sleep 0.8
  (head -c $half hub.lua; sleep 0.4; tail -c +$((half + 1)) hub.lua; echo "-- $n") > app/app.lua
  sleep 0.3
  sed s/VERSION/$n/ git.lua > app/sub/git.lua
  sleep 0.3
done
echo $n
]]

describe("the hub beside a script directory that is rewritten", function()
  it(("loses no session in %g s"):format(SECONDS), function()
    local tree <close> = script_tree.new()
    files.write(tree.root .. "/hub.lua", hub_life.SCRIPT)
    files.write(tree.root .. "/git.lua", session_script "/git")
    files.write(tree.root .. "/map.lua", session_script "/map")
    tree:sh(PREPARE)
    tree:start { workers = 2, listen = { "127.0.0.1:0", "unix:./socket" } }
    local in_git <close> = ws.connect(tree.server, "/git")
    local in_map <close> = ws.connect(tree.server, "/map")
    local rewriting = process.start("/bin/sh", { args = { "-c", "set -e\n" .. REWRITE }, cwd = tree.root })

    local life = hub_life.start(tree.server, { steps = 700, reloads = false })
    life:run(SECONDS)
    local tally = life:finish()
    files.write(tree.root .. "/stop", "")
    assert.equal(0, rewriting:wait(), rewriting:tail())
    local rounds = rewriting.out[#rewriting.out]

    loop.poll(function() return in_map:ask "?" == rounds end, "the last map")
    loop.poll(function() return in_git:ask "?" == rounds end, "the last script of git")
    local lives, failures = 0, 0
    for _, line in ipairs(tree.server.log) do
      if line:find "is live" then lives = lives + 1 end
      if line:find " error " then failures = failures + 1 end
    end
    io.stderr:write(("\n%s rounds, %d reloads; the hub: %d lives, %d messages\n"):format(rounds, lives, tally.lives,
      tally.messages))
    -- Four a round, but a busy machine takes up several changes at once.
    assert.is_true(lives >= tonumber(rounds))
    assert.equal(0, failures)
  end)
end)
