-- Scripts that come from elsewhere than the script directory that was there at the start: a saved
-- file of the framework's folder (--lua-path).
local script_tree = require "support.script_tree"

-- A server of app/, whose script answers what the module `greeting` of lib/ returns.
local function start_with_library(tree)
  tree:sh [[mkdir -p app; echo "return 'v1'" > lib/greeting.lua
    echo "require('tidegate').get('/version', function() return require 'greeting' end)" > app/a.lua]]
  tree:start { args = { "--lua-path", tree.root .. "/lib" } }
  assert.equal("v1", tree:version())
end

describe("a folder of --lua-path", function()
  local tree

  before_each(function()
    tree = script_tree.new()
    assert(os.execute(("cp -r lua '%s/lib'"):format(tree.root)))
  end)

  after_each(function() tree:__close() end)

  it("is watched: a module that is saved there is live at once", function()
    start_with_library(tree)
    for n = 2, 4 do
      tree:sh("echo \"return 'v$N'\" > lib/greeting.lua", n)
      tree:wait_for("v" .. n)
    end
    tree.server:wait_for_log "/lib/greeting.lua changed"
  end)

  it("is watched through links, and when it is replaced", function()
    tree:sh "mv lib release_1; ln -s release_1 lib"
    start_with_library(tree)
    for n = 2, 4 do
      tree:sh([[cp -r release_$P release_$N; echo "return 'v$N'" > release_$N/greeting.lua
        ln -s release_$N next; mv -T next lib; rm -r release_$P]], n)
      tree:wait_for("v" .. n)
    end
  end)

  it("may be missing for a while: the live generation stays, and the next is taken up", function()
    start_with_library(tree)
    tree:sh "mv lib away"
    tree.server:wait_for_log "reload failed, generation 1 stays: cannot read"
    assert.equal("v1", tree:version())
    tree:sh "echo \"return 'v2'\" > away/greeting.lua; mv away lib"
    tree:wait_for "v2"
  end)
end)
