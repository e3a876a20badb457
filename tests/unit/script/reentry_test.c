// Code of scripts that Lua calls by itself (finalizers, metamethods), and coroutines of the server
// in the hands of scripts.
#include "script/fake_call.h"
#include "script/fake_gate.h"

static void ask(const char *line, int status, const char *body) {
  struct fake_call *call = fake_call_start(fake.worker, line, "");
  fake_turns();
  expect_answer(call, status, body);
  fake_call_free(call);
}

// ---- finalizers ----------------------------------------------------------

static void a_finalizer_cannot_end_an_answer_under_way(void **state) {
  (void)state;
  gate_open(
      "gate.get('/', function(_, res)\n"
      "  for i = 1, 100 do\n"
      "    setmetatable({}, { __gc = function() note('gc', tostring(res:finish())) end })\n"
      "  end\n"
      "  collectgarbage() collectgarbage()\n"
      "  res:cookie('a', ('x'):rep(100)) res:header('X-A', ('y'):rep(100))\n"
      "  return { ('z'):rep(100) }\n"
      "end)");
  for (int i = 0; i < 3; i++) {
    struct fake_call *call = fake_call_start(fake.worker, "GET /", "");
    assert_int_equal(call->status, 200);
    assert_non_null(strstr(fake_call_text(&call->body), "zzz"));
    assert_null(strstr(gate_notes(), "true"));
    fake_call_free(call);
  }
}

static void a_finalizer_is_called_once_in_a_task_between_events(void **state) {
  (void)state;
  gate_open(
      "local mt = { __gc = function(t) note('gc', t.name, coroutine.isyieldable()) end }\n"
      "gate.get('/', function()\n"
      "  setmetatable({ name = 'a' }, mt) setmetatable({ name = 'b' }, mt)\n"
      "  collectgarbage() collectgarbage() note('answered')\n"
      "end)\n"
      "gate.get('/collect', function() collectgarbage() collectgarbage() end)");
  ask("GET /", 204, "");
  expect_notes("answered\ngc b true\ngc a true\n");
  ask("GET /collect", 204, "");
  expect_notes("");
}

static void a_finalizer_may_wait_fail_and_bring_back(void **state) {
  (void)state;
  gate_open(
      "local saved\n"
      "gate.get('/', function()\n"
      "  setmetatable({}, { __gc = function() gate.sleep(1) note('slept') end })\n"
      "  setmetatable({}, { __gc = function() error('in gc') end })\n"
      "  setmetatable({ x = 5 }, { __gc = function(t) saved = t end })\n"
      "  setmetatable({}, { __gc = true }) setmetatable({}, { __gc = {} })\n"
      "  local late = { __gc = false } setmetatable({}, late)\n"
      "  late.__gc = function() note('as it is then') end\n"
      "  local never = {} setmetatable({}, never) never.__gc = function() note('never') end\n"
      "  collectgarbage() collectgarbage()\n"
      "end)\n"
      "gate.get('/saved', function() setmetatable(saved, { __gc = function() note 'again' end })\n"
      "  saved = nil collectgarbage() collectgarbage() end)");
  ask("GET /", 204, "");
  expect_notes("as it is then\n");
  assert_true(fake_log_has("in gc"));
  assert_true(fake_log_has("finalizer (__gc)"));
  fake_wait_ms(1100);
  expect_notes("slept\n");
  ask("GET /saved", 204, "");
  expect_notes("again\n");
}

static void many_finalizers_run_over_some_turns(void **state) {
  (void)state;
  gate_open(
      "local count = 0\n"
      "local mt = { __gc = function() count = count + 1 end }\n"
      "gate.get('/', function() for i = 1, 300 do setmetatable({}, mt) end\n"
      "  collectgarbage() collectgarbage() end)\n"
      "gate.get('/count', function() return tostring(count) end)");
  ask("GET /", 204, "");
  ask("GET /count", 200, "300");
}

static void the_metatable_is_as_the_script_set_it(void **state) {
  (void)state;
  gate_open(
      "local mt = { __gc = print, __index = { x = 1 } }\n"
      "local t = setmetatable({}, mt)\n"
      "note(getmetatable(t) == mt, mt.__gc == print, t.x)\n"
      "note(setmetatable(t, nil) == t, getmetatable(t))\n"
      "local locked = setmetatable({}, { __metatable = 'no' })\n"
      "note(getmetatable(locked), pcall(setmetatable, locked, {}))\n"
      "note(pcall(setmetatable, {}, 5)) note(pcall(setmetatable, 5, {})) "
      "note(pcall(setmetatable))");
  expect_notes(
      "true true 1\ntrue nil\nno false cannot change a protected metatable\n"
      "false bad argument #2 to 'setmetatable' (nil or table expected, got number)\n"
      "false bad argument #1 to 'setmetatable' (table expected, got number)\n"
      "false bad argument #1 to 'setmetatable' (table expected, got no value)\n");
}

static void finalizers_at_the_end_leave_nothing(void **state) {
  (void)state;
  gate_open(
      "kept = setmetatable({}, { __gc = function()\n"
      "  gate.after(0, print) gate.every(1, print) gate.spawn(print) gate.publish('t', 'x')\n"
      "  setmetatable({}, { __gc = print }) collectgarbage()\n"
      "  gate.log.info('closed at the end')\n"
      "  gate.sleep(1)\n"
      "end })");
  gate_close();
  assert_true(fake_log_has("closed at the end"));  // and the sanitizer finds no leak
}

// ---- metamethods ---------------------------------------------------------

static void options_are_read_raw(void **state) {
  (void)state;
  gate_open(
      "gate.get('/', function(_, res)\n"
      "  local sly = setmetatable({}, { __index = function() res:finish() note('asked') end,\n"
      "    __pairs = function() res:finish() end, __len = function() res:finish() return 1 end })\n"
      "  res:cookie('a', 'b', sly)\n"
      "  return 200, 'x', sly\n"
      "end)\n"
      "gate.get('/json', function(_, res)\n"
      "  return setmetatable({ 1 }, { __index = function() res:finish() return 1 end,\n"
      "    __len = function() res:finish() return 3 end, __pairs = function() res:finish() end })\n"
      "end)");
  ask("GET /", 200, "x");
  ask("GET /json", 200, "[1]");
  expect_notes("");
}

// ---- coroutines ----------------------------------------------------------

static void a_coroutine_of_the_server_is_not_resumed(void **state) {
  (void)state;
  gate_open(
      "local sleeper\n"
      "gate.get('/sleep', function() sleeper = coroutine.running() gate.sleep(1) return 'woke' "
      "end)\n"
      "gate.get('/wake', function()\n"
      "  note(coroutine.status(sleeper), coroutine.resume(sleeper))\n"
      "  note(pcall(coroutine.close, sleeper))\n"
      "  note(pcall(coroutine.wrap, sleeper))\n"
      "  note(coroutine.resume(coroutine.running()))\n"
      "  note(pcall(debug.sethook, sleeper, print, '', 1))\n"
      "  note(pcall(debug.setlocal, sleeper, 1, 1, 5))\n"
      "  note(type(debug.traceback(sleeper)), debug.getinfo(sleeper, 0, 'f').func)\n"
      "end)");
  struct fake_call *sleeping = fake_call_start(fake.worker, "GET /sleep", "");
  ask("GET /wake", 204, "");
  static const char refusal[] = "a coroutine of the server: it runs a handler, a timer or the like";
  char *expected = mem_format(
      "suspended false cannot resume %s\nfalse cannot close %s\n"
      "false bad argument #1 to 'coroutine.wrap' (function expected, got thread)\nfalse cannot "
      "resume %s\n"
      "false debug.sethook is not for scripts: it would reach into the server\n"
      "false debug.setlocal is not for scripts: it would reach into the server\nstring nil\n",
      refusal, refusal, refusal);
  expect_notes(expected);
  free(expected);
  fake_wait_ms(1100);
  expect_answer(sleeping, 200, "woke");
  ask("GET /wake", 204, "");  // the coroutine is in the pool
  fake_call_free(sleeping);
}

static void coroutines_of_scripts_work(void **state) {
  (void)state;
  gate_open(
      "local co = coroutine.create(function(a, b) note(a, b)\n"
      "  note(coroutine.yield(a + b)) return 'end' end)\n"
      "note(coroutine.resume(co, 1, 2)) note(coroutine.resume(co, 3)) note(coroutine.resume(co))\n"
      "note(coroutine.status(co), coroutine.close(co))\n"
      "local w = coroutine.wrap(function(...) for i = 1, select('#', ...) do\n"
      "  coroutine.yield((select(i, ...))) end end)\n"
      "note(w('a', 'b')) note(w()) note(w()) note(pcall(w))\n"
      "local closed = {}\n"
      "w = coroutine.wrap(function() local c <close> = setmetatable({}, { __close = function()\n"
      "  closed[1] = true end }) error('in it', 0) end)\n"
      "note(pcall(w)) note(closed[1])\n"
      "note(pcall(coroutine.wrap(function() error({}) end)))\n"
      "local self self = coroutine.create(function() note(coroutine.resume(self)) end)\n"
      "coroutine.resume(self)\n"
      "note(pcall(coroutine.resume, 5)) note(pcall(coroutine.create, 5))\n"
      "local waits = coroutine.create(function() gate.sleep(1) end)\n"
      "gate.spawn(function() note(coroutine.resume(waits)) end)");
  const char *notes = gate_notes();
  static const char expected[] =
      "1 2\ntrue 3\n3\ntrue end\nfalse cannot resume dead coroutine\ndead true\na\nb\n\n"
      "false cannot resume dead coroutine\nfalse in it\ntrue\nfalse table: ";
  if (strncmp(notes, expected, sizeof expected - 1) != 0) fail_msg("%s", notes);
  assert_non_null(strstr(notes, "false cannot resume non-suspended coroutine\n"));
  assert_non_null(strstr(notes, "bad argument #1 to 'coroutine.resume' (coroutine expected"));
  fake_wait_ms(1);
  notes = gate_notes();
  if (strstr(notes, "cannot wait inside a coroutine of the script's own") == NULL)
    fail_msg("%s", notes);
}

static void closing_may_neither_wait_nor_yield(void **state) {
  (void)state;
  gate_open(
      "gate.get('/sleep', function()\n"
      "  local a <close> = setmetatable({}, { __close = function() note(pcall(gate.sleep, 1))\n"
      "    gate.spawn(function() note('spawned') end) end })\n"
      "  local b <close> = setmetatable({}, { __close = function() note(pcall(coroutine.yield)) end"
      " })\n"
      "  error('x') end)\n");
  struct fake_call *call = fake_call_start(fake.worker, "GET /sleep", "");
  expect_answer(call, 500, "internal server error\n");
  const char *notes = gate_notes();
  if (strstr(notes, "false attempt to yield across a C-call boundary\nfalse ") != notes)
    fail_msg("%s", notes);
  fake_wait_ms(1);
  expect_notes("spawned\n");
  fake_call_free(call);
}

// ---- debug ---------------------------------------------------------------

static void debug_looks_at_scripts_only(void **state) {
  (void)state;
  gate_open(
      "local function f(a) local b = a return b, note end\n"
      "note(debug.getinfo(1, 'l').currentline, debug.getinfo(f, 'S').what,\n"
      "  debug.getinfo(print, 'f').func == print, debug.getinfo(0, 'f').func)\n"
      "note(debug.getlocal(f, 1), debug.getupvalue(f, 1))\n"
      "note(debug.getupvalue(gate.log.info, 1), debug.setupvalue(gate.log.info, 1, 5))\n"
      "note(pcall(debug.getregistry)) note(pcall(debug.setmetatable, 5, {}))\n"
      "note(debug.getmetatable(''), debug.getmetatable(io.stdout))\n"
      "note(debug.getlocal(1, 1), (debug.getlocal(0, 1)), pcall(debug.getlocal, 99, 1))\n"
      "gate.get('/', function(req, res)\n"
      "  note(getmetatable(req), getmetatable(res), pcall(setmetatable, res, {}))\n"
      "  note(debug.getmetatable(res), getmetatable(gate.env), getmetatable(''))\n"
      "end)");
  static const char expected[] = "9 Lua true nil\na note ";
  const char *notes = gate_notes();
  if (strncmp(notes, expected, sizeof expected - 1) != 0) fail_msg("%s", notes);
  assert_non_null(strstr(notes, "false debug.getregistry is not for scripts"));
  assert_non_null(strstr(notes, "false debug.setmetatable is not for scripts"));
  assert_non_null(strstr(notes, "\nfalse false\n"));
  ask("GET /", 204, "");
  notes = gate_notes();
  if (strncmp(notes, "false false false bad argument", 30) != 0) fail_msg("%s", notes);
  assert_non_null(strstr(notes, "\nfalse false false\n"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(a_finalizer_cannot_end_an_answer_under_way),
      gate_test(a_finalizer_is_called_once_in_a_task_between_events),
      gate_test(a_finalizer_may_wait_fail_and_bring_back),
      gate_test(many_finalizers_run_over_some_turns),
      gate_test(the_metatable_is_as_the_script_set_it),
      cmocka_unit_test(finalizers_at_the_end_leave_nothing),
      gate_test(options_are_read_raw),
      gate_test(a_coroutine_of_the_server_is_not_resumed),
      gate_test(coroutines_of_scripts_work),
      gate_test(closing_may_neither_wait_nor_yield),
      gate_test(debug_looks_at_scripts_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
