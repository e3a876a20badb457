-- Script directories made of links, and replaced as a whole, as Kubernetes, deploy tools
-- and people do it: every change is noticed, each time, and `tidegate reload` finds the server.
local script_tree = require "support.script_tree"

local TIMES = 3

-- What is there at first, what one change does, and the directory that is served (app).
local CASES = {
  ["a ConfigMap"] = {
    [[put app/..2026_1/a.lua; ln -s ..2026_1 app/..data; ln -s ..data/a.lua app/a.lua]],
    [[put app/..2026_$N/a.lua; ln -s ..2026_$N app/..tmp; mv -T app/..tmp app/..data; rm -r app/..2026_$P]],
  },
  ["a directory that is a link"] = {
    [[put release_1/a.lua; ln -s release_1 app]],
    [[put release_$N/a.lua; ln -s release_$N next; mv -T next app]],
  },
  ["a directory below a link"] = {
    [[put release_1/app/a.lua; ln -s release_1 current]],
    [[put release_$N/app/a.lua; ln -s release_$N next; mv -T next current; rm -r release_$P]],
    "current/app",
  },
  ["a directory that is replaced"] = {
    [[put app/a.lua]],
    [[put next/a.lua; mv app old; mv next app; rm -r old]],
  },
  ["a directory that is deleted and made again"] = {
    [[put app/a.lua]],
    [[rm -r app; put app/a.lua]],
  },
  ["a link to a file that is saved in place"] = {
    [[put real/x.lua; mkdir app; ln -s ../real/x.lua app/a.lua]],
    [[put real/x.lua]],
  },
  ["a link to a file that is saved by renaming"] = {
    [[put real/x.lua; mkdir app; ln -s ../real/x.lua app/a.lua]],
    [[put real/.x.tmp; mv real/.x.tmp real/x.lua]],
  },
  ["the middle of a chain of links"] = {
    [[put real_1/x.lua; mkdir app one two; ln -s ../real_1 two/dir; ln -s ../two/dir/x.lua one/x;
      ln -s ../one/x app/a.lua]],
    [[put real_$N/x.lua; ln -sfn ../real_$N two/dir]],
  },
  ["a link to a folder outside"] = {
    [[put real/sub/x.lua; mkdir app; ln -s ../real app/linked]],
    [[put real/sub/x.lua]],
  },
  ["a folder behind a link that is replaced"] = {
    [[put real/sub/x.lua; mkdir app; ln -s ../real app/linked]],
    [[put next/sub/x.lua; mv real old; mv next real; rm -r old]],
  },
  ["a link that appears where one led nowhere"] = {
    [[mkdir app real_1; ln -s real_1 real; ln -s ../real/x.lua app/x.lua; put real/x.lua]],
    [[rm real; put real_$N/x.lua; sleep 0.1; ln -s real_$N real]],
  },
  ["loops, links to above, and two links to one folder"] = {
    [[put app/a.lua; mkdir -p app/sub; ln -s .. app/sub/up; ln -s loop app/sub/loop; ln -s user@host app/.#a.lua
      mkdir real; ln -s ../real app/_one; ln -s ../real app/_two; echo 'return 1' > real/lib.lua]],
    [[put app/a.lua]],
  },
  ["the folder of two links"] = {
    [[put real/lib.lua; mkdir app; ln -s ../real app/_one; ln -s ../real app/_two
      echo "require '_one.lib'" > app/a.lua]],
    [[put real/lib.lua]],
  },
  ["a second name of a file"] = {
    [[put real/x.lua; mkdir app; ln real/x.lua app/a.lua]],
    [[put real/x.lua]],
  },
  ["a folder that is moved"] = {
    [[put app/sub_1/deep/a.lua]],
    [[mv app/sub_$P app/sub_$N; put app/sub_$N/deep/a.lua]],
  },
  ["a folder that is deleted and made again at once"] = {
    [[put app/sub/a.lua]],
    [[rm -r app/sub; N=$P; put app/sub/a.lua; N=$((P+1)); sleep 0.2; put app/sub/a.lua]],
  },
}

describe("a change of", function()
  for name, case in pairs(CASES) do
    it(name .. " is noticed, every time", function()
      local tree <close> = script_tree.new()
      tree:sh(case[1])
      tree:start { dir = case[3] }
      assert.equal("v1", tree:version())
      for n = 2, TIMES + 1 do
        tree:sh(case[2], n)
        tree:wait_for("v" .. n)
        local result = tree:reload()
        assert.equal(0, result.status, result.err)
      end
    end)
  end
end)

describe("tidegate reload", function()
  it("finds the server by the old path, by the new real one, and when nothing is there", function()
    local tree <close> = script_tree.new()
    tree:sh "put release_1/a.lua; ln -s release_1 app"
    tree:start { args = { "--watch", "off" } }
    assert.equal(0, tree:reload("release_1").status)
    tree:sh("put release_2/a.lua; ln -sfn release_2 app", 2)
    assert.equal(0, tree:reload().status)
    assert.equal("v2", tree:version())
    assert.equal(0, tree:reload("release_2").status)
    assert.equal(0, tree:reload("./app//").status)
    tree:sh "rm app"
    local result = tree:reload()
    assert.equal(1, result.status)
    assert.matches("reload failed, generation %d+ stays: cannot read .*/app: No such file", result.err)
    assert.equal("v2", tree:version())
  end)
end)

describe("a script directory that is gone", function()
  it("leaves what is live, and is noticed when it is back", function()
    local tree <close> = script_tree.new()
    tree:sh "put app/a.lua"
    tree:start()
    local mark = tree.server:mark()
    tree:sh "mv app away"
    tree.server:wait_for_log("error reload failed, generation 1 stays: cannot read .*/app: No such file", mark)
    assert.equal("v1", tree:version())
    tree:sh("put app/a.lua", 2)
    tree:wait_for "v2"
  end)
end)
