// Generations: loaded beside the live one, which goes on whatever becomes of the new.
#include "script/reload/generation.h"

#include "script/fake_call.h"
#include "script/fake_gate.h"

static void expect_text(const char *line, int status, const char *body) {
  struct fake_call *call = fake_call_start(fake.worker, line, "");
  expect_answer(call, status, body);
  fake_call_free(call);
}

static void expect_failure(const char *script, const char *reason) {
  gate_write(script);
  char *error = gate_reload();
  assert_non_null(error);
  if (strstr(error, reason) == NULL) fail_msg("no \"%s\" in \"%s\"", reason, error);
  free(error);
}

static void one_that_fails_names_the_place_and_changes_nothing(void **state) {
  (void)state;
  gate_open("gate.get('/', function() return 'first' end)");
  // The prelude has seven lines.
  expect_failure("gate.get('/new', print)\nerror('on purpose')", "main.lua:9: on purpose");
  expect_failure("x x", "main.lua:8: syntax error");
  expect_failure("error({})", "(error object is a table value)");
  expect_failure("gate.sleep(1)", "main.lua:8: cannot wait while scripts load");
  expect_failure("require 'no.such'", "there is no module \"no.such\"");
  expect_failure("gate.get('/', print) gate.get('/', print)", "route GET / is already registered");
  expect_failure("gate.get('no slash', print)", "main.lua:8");
  expect_failure("gate.ws('/', { heartbeat = -1, open = print })", "heartbeat");
  expect_failure("gate.topic('t', { history = 1.5 })", "topic: history must be a whole number");
  expect_failure("coroutine.yield()", "attempt to yield across a C-call boundary");
  assert_int_equal(gate_vm()->live->number, 1);
  assert_null(gate_vm()->loading);
  expect_text("GET /", 200, "first");
  expect_text("GET /new", 404, "Not Found\n");
}

static void the_next_takes_over_between_two_events(void **state) {
  (void)state;
  gate_open(
      "local here = 'old'\n"
      "global_of_scripts = 'old'\n"
      "gate.keep('kept', function() return 'kept' end)\n"
      "gate.get('/', function() gate.sleep(1) return here .. global_of_scripts end)\n");
  struct fake_call *waits = fake_call_start(fake.worker, "GET /", "");
  gate_reload_with(
      "gate.get('/', function() return tostring(global_of_scripts) .. gate.keep('kept')\n"
      "  .. gate.stats().generation end)\n");
  expect_text("GET /", 200, "nilkept2");
  fake_wait_ms(1000);
  expect_answer(waits, 200, "oldold");
  fake_call_free(waits);
}

static void modules_are_shared_by_the_scripts_of_a_generation(void **state) {
  (void)state;
  scripts_open();
  scripts_write("_lib/counter.lua", "return { n = 0, name = ... }");
  scripts_write("a.lua", "local c = require '_lib.counter' c.n = c.n + 1");
  scripts_write("b.lua", "assert(require 'a' == true)");
  gate_write(
      "local c = require '_lib.counter'\n"
      "table.mine = true\n"
      "gate.get('/', function() c.n = c.n + 1 return c.name .. c.n .. tostring(table.mine) end)\n"
      "gate.get('/late', function() return require '_lib.late' end)\n"
      "gate.get('/wait', function() gate.sleep(1) return require '_lib.later' end)\n"
      "gate.get('/cjson', function() return type(require 'tidegate.core') end)\n");
  scripts_write("_lib/late.lua", "return 'late'");
  scripts_write("_lib/later.lua", "return 'later'");
  fake_log_clear();
  fake_server_configure();
  assert_null(gate_try_start());
  expect_text("GET /", 200, "_lib.counter2true");
  expect_text("GET /late", 200, "late");
  expect_text("GET /cjson", 200, "table");
  struct fake_call *waits = fake_call_start(fake.worker, "GET /wait", "");
  gate_reload_with("gate.get('/', function() return tostring(table.mine) end)\n");
  expect_text("GET /", 200, "nil");
  fake_wait_ms(1000);
  expect_answer(waits, 500, "internal server error\n");
  assert_true(fake_log_has("module \"_lib.later\": the scripts were reloaded while this handler"));
  fake_call_free(waits);
  scripts_write("_lib/cycle.lua", "return require '_lib.cycle'");
  expect_failure("require '_lib.cycle'", "requires itself in a cycle");
  scripts_write("_lib/bad.lua", "\n\nerror('of the module')");
  expect_failure("pcall(require, '_lib.bad') require '_lib.bad'", "bad.lua:3: of the module");
}

static void steps_leave_room_for_events(void **state) {
  (void)state;
  gate_open("gate.get('/', function() return 'first' end)");
  scripts_write("z.lua", "error('last')");
  char *error = NULL;
  struct bundle *bundle = bundle_load(scripts_dir, NULL, &error);
  struct generation *next = generation_begin(gate_vm(), bundle, 2);
  unsigned steps = 0;
  enum generation_progress progress;
  while ((progress = generation_step(next, &error)) == GENERATION_MORE) {
    expect_text("GET /", 200, "first");
    steps++;
  }
  assert_int_equal(progress, GENERATION_FAILED);
  assert_non_null(strstr(error, "z.lua:1: last"));
  assert_true(steps > 5);
  free(error);
  generation_free(next);
  bundle_unref(bundle);
  expect_text("GET /", 200, "first");
}

static void the_listing_has_all_routes(void **state) {
  (void)state;
  scripts_open();
  gate_write(
      "gate.get('/a', print)\n"
      "gate.ws('/b', print)\n"
      "gate.sse('/c', print)\n");
  fake_server_configure();
  char *error = NULL;
  struct bundle *bundle = bundle_load(scripts_dir, NULL, &error);
  struct buf listing = {0};
  struct script_start start = {
      .dir = scripts_dir, .modules = script_modules, .bundle = bundle, .listing = &listing};
  struct app app = script_app(&start);
  assert_true(fake_server_start(&app));
  bundle_unref(bundle);
  assert_int_equal(start.route_count, 3);
  buf_append_char(&listing, '\0');
  assert_non_null(strstr(listing.data, "GET     /a "));
  assert_non_null(strstr(listing.data, "WS      /b "));
  assert_non_null(strstr(listing.data, "SSE     /c "));
  assert_non_null(strstr(listing.data, "main.lua:8\n"));
  buf_free(&listing);
}

static void a_server_does_not_start_with_scripts_that_fail(void **state) {
  (void)state;
  scripts_open();
  gate_write("error('on purpose')");
  fake_server_configure();
  char *error = gate_try_start();
  assert_non_null(strstr(error, "main.lua:8: on purpose"));
  free(error);
}

static void memory_runs_out_while_scripts_load(void **state) {
  (void)state;
  gate_open("gate.get('/', function() return 'first' end)");
  scripts_write("more.lua",
                "local gate = require 'tidegate'\n"
                "gate.every(1, print) gate.topic('t', { history = 1 })\n"
                "gate.subscribe('t', print) gate.ws('/ws', { open = print })\n"
                "gate.post('/x', print) gate.use(print)\n");
  char *error = NULL;
  struct vm *vm = gate_vm();
  struct bundle *bundle = bundle_load(scripts_dir, NULL, &error);
  size_t cap = vm->memory_max_bytes;
  unsigned failures = 0;
  // Primes, so that the steps fall on other allocations each time.
  for (size_t room = 0, ready = 0; ready < 3; room += failures < 64 ? 61 : 5003) {
    lua_gc(vm->L, LUA_GCCOLLECT);
    vm->memory_max_bytes = (size_t)metric_get(&vm->metrics.vm_bytes) + room;
    error = NULL;
    struct generation *next = generation_load(vm, bundle, 2, &error);
    vm->memory_max_bytes = cap;
    assert_true((next == NULL) == (error != NULL));
    if (next == NULL) {
      assert_non_null(strstr(error, "not enough memory"));
      failures++;
    } else {
      ready++;
    }
    free(error);
    generation_free(next);
  }
  assert_true(failures > 64);
  bundle_unref(bundle);
  expect_text("GET /", 200, "first");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(one_that_fails_names_the_place_and_changes_nothing),
      gate_test(the_next_takes_over_between_two_events),
      gate_test(modules_are_shared_by_the_scripts_of_a_generation),
      gate_test(steps_leave_room_for_events),
      gate_test(the_listing_has_all_routes),
      gate_test(a_server_does_not_start_with_scripts_that_fail),
      gate_test(memory_runs_out_while_scripts_load),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
