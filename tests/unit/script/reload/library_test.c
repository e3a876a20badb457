// What one generation changes in its libraries, and what the next finds.
#include "script/fake_gate.h"

static void nothing_is_left_for_the_next_generation(void **state) {
  (void)state;
  static const char tampering[] =
      "local core = require 'tidegate.core'\n"
      "local function try(f) pcall(f) end\n"
      "try(function() getmetatable('').__index.shout = print end)\n"
      "try(function() string.shout = print end) try(function() table.shout = print end)\n"
      "try(function() core.publish = 'mine' core.json.encode = 'mine' core.log.info = 'mine' end)\n"
      "try(function() rawset(gate.env, 'PATH', 'mine') gate.log.warn = 'mine' end)\n"
      "try(function() getmetatable(gate.env).__index = print end)\n"
      "try(function() load('leaked = 1')() end) try(function() _G.leaked2 = 1 end)\n"
      "try(function() package.preload.ghost = function() return 'boo' end end)\n"
      "try(function() package.loaded.ghost2 = 'boo' end)\n"
      "try(function() table.insert(package.searchers, 1, print) end)\n"
      "try(function() debug.setmetatable(5, { __index = print }) end)\n"
      "try(function() debug.setupvalue(coroutine.wrap, 1, print) end)\n"
      "try(function() setmetatable = print end)\n"
      "try(function() getmetatable(io.stdout).__index.shout = print end)\n";
  static const char looking[] =
      "local core = require 'tidegate.core'\n"
      "note(('x').shout, string.shout, table.shout, type(core.publish), type(core.json.encode))\n"
      "note(type(core.log.info), gate.env.PATH ~= 'mine', type(gate.log.warn), leaked, leaked2)\n"
      "note(package.preload.ghost, (pcall(require, 'ghost')), (pcall(require, 'ghost2')))\n"
      "note(package.searchers[1] ~= print, pcall(function() return (5).x end) == false)\n"
      "note(coroutine.wrap(function() return 1 end)(), type(setmetatable({}, {})))\n"
      "note(io.stdout.shout, load('return gate == nil and _G')() == _G)";
  static const char clean[] =
      "nil nil nil function function\nfunction true function nil nil\nnil false false\n"
      "true true\n1 table\nnil true\n";
  gate_open(tampering);
  gate_notes();
  gate_reload_with(looking);
  expect_notes(clean);
}

static void a_generation_has_what_it_changed(void **state) {
  (void)state;
  gate_open(
      "local core = require 'tidegate.core' core.mine = 5\n"
      "note(require 'tidegate.core'.mine)\n"
      "package.preload.ghost = function(...) note(...) return 'boo' end\n"
      "note(require 'ghost', require 'ghost')\n"
      "x = 7 note(load('return x')(), load('return x', 'n', 't', { x = 8 })())\n"
      "note(load('x = 9')(), x, (load('+')))\n"
      "local path = os.tmpname() local file = io.open(path, 'w') file:write('x = 10 return x')\n"
      "file:close() note(loadfile(path)(), x, dofile(path)) os.remove(path)\n"
      "note(pcall(dofile, '/no/such/file'))");
  expect_notes(
      "5\nghost :preload:\nboo boo\n7 8\nnil 9 nil\n10 10 10\n"
      "false cannot open /no/such/file: No such file or directory\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(nothing_is_left_for_the_next_generation),
      gate_test(a_generation_has_what_it_changed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
