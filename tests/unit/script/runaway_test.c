// Scripts that would compute for ever, in each place where the watchdog has to reach them: the
// server goes on, and the log says where it was.
#include <time.h>

#include "script/fake_gate.h"
#include "script/vm/watchdog.h"

enum { HANDLER_MS = 20 };

static const char message[] = "the handler ran for longer than handler_time allows without waiting";

#define LOOP "while true do end "

static void open_watched(const char *script) {
  watchdog_start(HANDLER_MS);
  gate_open(script);
  fake_wait_ms(1);
}

static void close_watched(void) {
  gate_close();
  watchdog_stop();
}

// Runs the code in a task: it must be ended with a line in the log, and the next task must run.
static void expect_struck(const char *code) {
  char *script = mem_format(
      "gate.spawn(function()\n%s\nend)\n"
      "gate.after(1, function() note('alive') end)",
      code);
  open_watched(script);
  if (!fake_log_has(message)) fail_msg("%s\nlog: %s", code, fake_log_text);
  fake_wait_ms(1100);
  const char *notes = gate_notes();
  if (strcmp(notes, "alive\n") != 0) fail_msg("%s\nnoted: %s", code, notes);
  close_watched();
  free(script);
}

static void struck_wherever_it_loops(void **state) {
  (void)state;
  static const char *const rows[] = {
      LOOP,
      "pcall(function() " LOOP " end) note('went on')",
      "while true do pcall(function() " LOOP "end) end",
      "xpcall(function() " LOOP "end, function() note('asked') end) note('went on')",
      "xpcall(function() " LOOP "end, function() " LOOP "end) note('went on')",
      "xpcall(error, function() " LOOP "end, 'x') note('went on')",
      "xpcall(error, function() pcall(function() " LOOP "end) " LOOP "end, 'x') note('went on')",
      "local function f() error(setmetatable({}, { __tostring = function() " LOOP "end })) end f()",
      "table.sort({ 3, 2, 1 }, function() " LOOP "end) note('went on')",
      "pcall(table.sort, { 3, 2, 1 }, function() " LOOP "end) note('went on')",
      "(('x'):rep(10)):gsub('.', function() " LOOP "end) note('went on')",
      "tostring(setmetatable({}, { __tostring = function() " LOOP "end })) note('went on')",
      "local t = setmetatable({}, { __index = function() " LOOP "end }) return t.x",
      "table.concat(setmetatable({}, { __len = function() return 9 end,\n"
      "  __index = function() " LOOP "end })) note('went on')",
      "load(function() " LOOP "end) note('went on')",
      "for _ in pairs(setmetatable({}, { __pairs = function() " LOOP "end })) do end",
      "coroutine.wrap(function() " LOOP "end)() note('went on')",
      "coroutine.resume(coroutine.create(function() " LOOP "end)) " LOOP,
      "while true do local co = coroutine.wrap(function() pcall(function() " LOOP
      "end) end)\n"
      "  pcall(co) end",
      "local function deep(n) if n == 0 then " LOOP
      "end\n"
      "  return coroutine.wrap(function() deep(n - 1) end)() end deep(5) note('went on')",
      "coroutine.wrap(function() table.sort({ 2, 1 }, function() " LOOP
      "end) end)()\n"
      "note('went on')",
      "gate.keep('x', function() " LOOP "end) note('went on')",
      "gate.log.info(setmetatable({}, { __tostring = function() " LOOP "end })) note('went on')",
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect_struck(rows[i]);
}

#ifdef __SANITIZE_THREAD__
enum { SLOWNESS = 8 };
#else
enum { SLOWNESS = 1 };
#endif

// One call of C each, which looks at the time itself: whole they take many seconds.
static void struck_in_long_calls_of_json(void **state) {
  (void)state;
  static const char *const rows[] = {
      "local tree = {} for i = 1, 40 do tree = { tree, tree } end\n"
      "gate.json.encode(tree) note('went on')",
      "local text = '{' .. ('\"a\":[[]],'):rep(8000000) .. '\"a\":1}'\n"
      "gate.json.decode(text) note('went on')",
      // Nothing strikes within these, so the one who resumes them says it.
      "local text = '{' .. ('\"a\":[[]],'):rep(8000000) .. '\"a\":1}'\n"
      "coroutine.wrap(function() return select(2, gate.json.decode(text)) end)() note('went on')",
      "local text = '{' .. ('\"a\":[[]],'):rep(8000000) .. '\"a\":1}'\n"
      "coroutine.wrap(function() gate.json.decode(text) note('went on') end)()",
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    clock_t before = clock();
    expect_struck(rows[i]);
    assert_true(clock() - before < 2 * SLOWNESS * CLOCKS_PER_SEC);
  }
}

#define CLOSE(body) "local c <close> = setmetatable({}, { __close = function() " body "end })\n"

static void struck_in_what_it_has_to_close(void **state) {
  (void)state;
  static const char *const rows[] = {
      CLOSE(LOOP) LOOP,
      CLOSE(LOOP) CLOSE(LOOP) LOOP,
      CLOSE("pcall(function() " LOOP "end) " LOOP) LOOP,
      CLOSE(LOOP) "error('x')",
      CLOSE(LOOP) "table.sort({ 2, 1 }, function() " LOOP "end)",
      CLOSE("table.sort({ 2, 1 }, function() " LOOP "end) ") LOOP,
      "coroutine.wrap(function()\n" CLOSE(LOOP) LOOP "end)()",
      "coroutine.wrap(function()\n" CLOSE(LOOP) "error('x') end)()",
      "coroutine.wrap(function()\n" CLOSE(LOOP) "table.sort({ 2, 1 }, function() " LOOP "end)\n"
      "end)()",
      "local co = coroutine.create(function()\n" CLOSE(LOOP) "coroutine.yield() end)\n"
      "coroutine.resume(co) coroutine.close(co)",
      "local co = coroutine.create(function()\n" CLOSE(LOOP)
      "table.sort({ 2, 1 }, function() " LOOP "end) end)\n"
      "gate.after(0.5, function() note(coroutine.close(co)) end) coroutine.resume(co)",
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows - 1; i++) expect_struck(rows[i]);
  char *script =
      mem_format("gate.spawn(function()\n%s\nend)", rows[sizeof rows / sizeof *rows - 1]);
  open_watched(script);
  fake_wait_ms(600);
  expect_notes("false it was ended by handler_time\n");
  close_watched();
  free(script);
}

static void what_is_closed_has_time_of_its_own(void **state) {
  (void)state;
  expect_struck(CLOSE("local n = 0 for i = 1, 1e4 do n = n + i end gate.keep('n', n) ") LOOP);
  open_watched("gate.spawn(function() " CLOSE("for _ = 1, 1e4 do end note('closed') ") LOOP "end)");
  expect_notes("closed\n");
  close_watched();
}

static void struck_in_finalizers(void **state) {
  (void)state;
  expect_struck("setmetatable({}, { __gc = function() " LOOP
                "end })\n"
                "setmetatable({}, { __gc = function() pcall(function() " LOOP
                "end) end })\n"
                "collectgarbage() collectgarbage()");
}

static void struck_at_the_end_of_the_server(void **state) {
  (void)state;
  open_watched("kept = setmetatable({}, { __gc = function() " LOOP
               "end })\n"
               "gate.spawn(function() " CLOSE(LOOP) "gate.sleep(100) end)");
  close_watched();
}

static void a_coroutine_that_was_struck_can_be_resumed_later(void **state) {
  (void)state;
  open_watched(
      "local co = coroutine.create(function() while not stop do end return 'done' end)\n"
      "gate.spawn(function() coroutine.resume(co) note('went on') end)\n"
      "gate.after(1, function() stop = true note(coroutine.resume(co)) end)");
  assert_true(fake_log_has(message));
  fake_wait_ms(1100);
  expect_notes("true done\n");
  close_watched();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(struck_wherever_it_loops),
      cmocka_unit_test(struck_in_long_calls_of_json),
      cmocka_unit_test(struck_in_what_it_has_to_close),
      cmocka_unit_test(what_is_closed_has_time_of_its_own),
      cmocka_unit_test(struck_in_finalizers),
      cmocka_unit_test(struck_at_the_end_of_the_server),
      cmocka_unit_test(a_coroutine_that_was_struck_can_be_resumed_later),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
