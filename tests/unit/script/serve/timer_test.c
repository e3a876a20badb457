// Timers of scripts, with the clock in hand: when they run, and when they do not any more.
#include "script/fake_call.h"
#include "script/fake_gate.h"

static void run_when_they_are_due(void **state) {
  (void)state;
  gate_open(
      "gate.every(1, function() note('every') end)\n"
      "gate.after(2.5, function() note('after') end)\n"
      "gate.spawn(function(...) note('spawn', ...) end, 1, nil, 'x')\n");
  fake_wait_ms(1);
  expect_notes("spawn 1 nil x\n");
  fake_wait_ms(998);
  expect_notes("");
  fake_wait_ms(1);
  expect_notes("every\n");
  fake_wait_ms(1000);
  expect_notes("every\n");
  fake_wait_ms(500);
  expect_notes("after\n");
  fake_wait_ms(500);
  expect_notes("every\n");
}

static void do_not_drift_and_leave_out_what_was_missed(void **state) {
  (void)state;
  gate_open("gate.every(1, function() note('every') end)\n");
  fake_wait_ms(1400);  // a busy worker: 400 ms late
  expect_notes("every\n");
  fake_wait_ms(600);  // yet the next is at 2000
  expect_notes("every\n");
  fake_wait_ms(3500);
  expect_notes("every\n");
}

static void one_that_waits_is_not_run_twice_at_a_time(void **state) {
  (void)state;
  gate_open("gate.every(1, function() note('begins') gate.sleep(2.2) note('ends') end)\n");
  for (int i = 0; i < 3; i++) fake_wait_ms(1000);
  expect_notes("begins\n");
  fake_wait_ms(200);
  expect_notes("ends\n");
  fake_wait_ms(800);
  expect_notes("begins\n");
}

static void can_be_cancelled_at_any_time(void **state) {
  (void)state;
  gate_open(
      "local own\n"
      "own = gate.every(1, function() note('own') own:cancel() own:cancel() note('still') end)\n"
      "local waits\n"
      "waits = gate.every(1, function() waits:cancel() gate.sleep(0.5) note('woke') end)\n"
      "local once = gate.after(1, function() note('never') end)\n"
      "once:cancel()\n"
      "local done = gate.spawn(function() note('done') end)\n"
      "gate.after(2, function() done:cancel() note(pcall(done.cancel, 1)) end)\n");
  fake_wait_ms(1000);
  expect_notes("done\nown\nstill\n");
  fake_wait_ms(500);
  expect_notes("woke\n");
  fake_wait_ms(500);
  assert_non_null(strstr(gate_notes(), "false "));
  fake_wait_ms(5000);
  expect_notes("");
}

static void an_error_is_logged_and_the_next_turn_comes(void **state) {
  (void)state;
  gate_open("gate.every(1, function() note('runs') error('on purpose') end)\n");
  fake_wait_ms(1000);
  fake_wait_ms(1000);
  expect_notes("runs\nruns\n");
  assert_true(fake_log_has("on purpose") && fake_log_has("timer="));
}

static void end_with_the_generation_that_declared_them(void **state) {
  (void)state;
  gate_open(
      "gate.every(1, function() note('old') end)\n"
      "gate.spawn(function() gate.sleep(1) note('of loading') end)\n"
      "gate.spawn(function() gate.spawn(function() gate.sleep(1) note('of its') end) end)\n"
      "gate.post('/', function() end)\n"
      "gate.keep('n', function() return 0 end)\n");
  fake_wait_ms(10);
  gate_reload_with("gate.every(1, function() note('new') end)\n");
  fake_wait_ms(1000);
  fake_wait_ms(1000);
  expect_notes("new\nnew\n");
}

static void say_what_is_wrong_with_a_call(void **state) {
  (void)state;
  gate_open(
      "note(select(2, pcall(gate.every, 0, print)))\n"
      "note(select(2, pcall(gate.after, -1, print)))\n"
      "note(select(2, pcall(gate.every, 1)))\n"
      "note(select(2, pcall(gate.every, 1, print, { on = 'some' })))\n"
      "note(select(2, pcall(gate.every, 1, print, { of = 'all' })))\n"
      "note(select(2, pcall(gate.spawn, print, table.unpack({}, 1, 33))))\n"
      "note(select(2, pcall(gate.sleep, 1)))\n"
      "note(gate.every(1, print, { on = 'all' }) ~= nil)\n");
  const char *notes = gate_notes();
  static const char *const expected[] = {
      "must be a number of seconds from 0.001 to 1000000000",
      "must be a number of seconds from 0 to 1000000000",
      "function expected",
      "every: on must be \"one\" or \"all\"",
      "every: unknown option \"of\"",
      "too many arguments",
      "cannot wait while scripts load",
      "true\n",
  };
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    if (strstr(notes, expected[i]) == NULL) fail_msg("no \"%s\" in\n%s", expected[i], notes);
  }
}

static void run_on_one_worker_unless_asked_for_on_all(void **state) {
  (void)state;
  scripts_open();
  gate_write(
      "gate.every(1, function() note('one') end)\n"
      "gate.every(1, function() note('all') end, { on = 'all' })\n");
  fake_server_configure();
  fake_server_set("workers", "2");
  assert_null(gate_try_start());
  fake_turns();
  fake_wait_ms(1000);
  expect_notes("one\nall\n");
  struct worker *first = fake.worker;
  fake.worker = &fake.server.workers[1];
  expect_notes("all\n");
  fake.worker = first;
}

// However many a client has made: their memory is the VM's, whole.
static void are_counted_by_vm_memory(void **state) {
  (void)state;
  enum { TIMERS = 1000, TIMER_BYTES = 200 };  // a little less than one takes
  gate_open(
      "gate.get('/', function() for i = 1, 1000 do gate.after(9, note) end return 'ok' end)\n");
  struct vm *vm = gate_vm();
  lua_gc(vm->L, LUA_GCCOLLECT);
  long long before = metric_get(&vm->metrics.vm_bytes);
  fake_call_free(fake_call_start(fake.worker, "GET /", ""));
  lua_gc(vm->L, LUA_GCCOLLECT);
  assert_true(metric_get(&vm->metrics.vm_bytes) - before > TIMERS * TIMER_BYTES);
}

static void let_go_of_what_they_call_when_they_have_ended(void **state) {
  (void)state;
  gate_open(
      "local weak = setmetatable({}, { __mode = 'k' })\n"
      "local function call(...) local arg = {} weak[arg] = true\n"
      "  return arg, function() return arg end end\n"
      "local arg, fn = call()\n"
      "done, cancelled = gate.spawn(fn, arg), gate.after(9, fn)\n"
      "arg, fn = nil, nil\n"
      "gate.after(1, function() cancelled:cancel() collectgarbage() note(next(weak)) end)\n");
  fake_wait_ms(1);
  fake_wait_ms(1000);
  expect_notes("nil\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(run_when_they_are_due),
      gate_test(do_not_drift_and_leave_out_what_was_missed),
      gate_test(one_that_waits_is_not_run_twice_at_a_time),
      gate_test(can_be_cancelled_at_any_time),
      gate_test(an_error_is_logged_and_the_next_turn_comes),
      gate_test(end_with_the_generation_that_declared_them),
      gate_test(say_what_is_wrong_with_a_call),
      gate_test(run_on_one_worker_unless_asked_for_on_all),
      gate_test(are_counted_by_vm_memory),
      gate_test(let_go_of_what_they_call_when_they_have_ended),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
