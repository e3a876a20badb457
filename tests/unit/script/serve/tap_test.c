// Taps (gate.subscribe): every message once and in order, so many in a turn, and what
// becomes of them in a reload.
#include "script/fake_call.h"
#include "script/fake_gate.h"

static void publish(const char *topic, const char *text) {
  struct message_fields fields = {.payload = slice_str(text),
                                  .topic = slice_str(topic),
                                  .event = slice_str("e"),
                                  .key = slice_str("k")};
  assert_int_equal(hub_publish(fake.server.hub, NULL, message_new(&fields), NULL), HUB_OK);
}

static void get_messages_in_order(void **state) {
  (void)state;
  gate_open(
      "gate.subscribe('a/*', function(topic, payload, info)\n"
      "  note(topic, payload, info.kind, info.event, info.key, info.id ~= nil, info.missed)\n"
      "end)\n");
  publish("a/x", "1");
  publish("b/x", "2");
  publish("a/y", "3");
  fake_turns();
  expect_notes("a/x 1 text e k true nil\na/y 3 text e k true nil\n");
}

static void one_message_at_a_time(void **state) {
  (void)state;
  gate_open(
      "gate.subscribe('t', function(_, payload)\n"
      "  note('begins', payload) gate.sleep(1) note('ends', payload) end)\n"
      "gate.subscribe('*', function(_, payload) note('other', payload) error('on purpose') end)\n");
  publish("t", "1");
  publish("t", "2");
  fake_turns();
  expect_notes("begins 1\nother 1\nother 2\n");
  assert_true(fake_log_has("on purpose") && fake_log_has("subscribe=*"));
  fake_wait_ms(1000);
  expect_notes("ends 1\nbegins 2\n");
  fake_wait_ms(1000);
  expect_notes("ends 2\n");
}

static unsigned count_lines(const char *text) {
  unsigned count = 0;
  for (; *text != '\0'; text++) count += *text == '\n';
  return count;
}

static void only_so_many_in_a_turn(void **state) {
  (void)state;
  gate_open("gate.subscribe('t', function(_, payload) note(payload) end)\n");
  for (int i = 0; i < 600; i++) publish("t", "x");
  unsigned all = 0;
  for (int i = 0; i < 20 && all < 600; i++) {
    turn_once(fake.worker, 0);
    unsigned count = count_lines(gate_notes());
    assert_in_range(count, 0, 256);
    all += count;
  }
  assert_int_equal(all, 600);
}

// A tap keeps 16 MiB of what it has not handled.
static void one_that_is_too_slow_is_told_what_it_missed(void **state) {
  (void)state;
  gate_open(
      "gate.subscribe('t', function(_, payload, info)\n"
      "  note(#payload, info.missed) gate.sleep(1) end)\n");
  enum { LARGE = 1000 * 1000, MESSAGES = 20 };
  char *text = mem_zalloc(LARGE + 1);
  memset(text, 'x', LARGE);
  publish("t", "first");
  fake_turns();
  expect_notes("5 nil\n");
  for (int i = 0; i < MESSAGES; i++) publish("t", text);
  free(text);
  fake_turns();
  fake_wait_ms(1000);
  expect_notes("1000000 4\n");
  assert_true(fake_log_has("subscribe=t is too slow: it missed 4 messages"));
  fake_wait_ms(1000);
  expect_notes("1000000 nil\n");
}

static void go_on_where_they_were_in_a_new_generation(void **state) {
  (void)state;
  gate_open(
      "gate.subscribe('t', function(_, payload) note('old', payload) gate.sleep(1)\n"
      "  note('ended') end)\n"
      "gate.subscribe('gone', function(_, payload) note('gone', payload) gate.sleep(1) end)\n");
  publish("t", "1");
  publish("t", "2");
  publish("gone", "1");
  publish("gone", "2");
  fake_turns();
  expect_notes("old 1\ngone 1\n");
  gate_reload_with(
      "gate.subscribe('t', function(_, payload) note('new', payload) end)\n"
      "gate.subscribe('more', function(_, payload) note('more', payload) end)\n");
  fake_wait_ms(1000);
  expect_notes("ended\nnew 2\n");
  publish("gone", "3");
  publish("more", "4");
  fake_turns();
  expect_notes("more 4\n");
  gate_reload_with("");
  publish("t", "5");
  fake_turns();
  expect_notes("");
}

static void there_are_so_many_and_only_while_scripts_load(void **state) {
  (void)state;
  gate_open(
      "for i = 1, 64 do gate.subscribe('t' .. i, print) end\n"
      "note(select(2, pcall(gate.subscribe, 't65', print)))\n"
      "note(select(2, pcall(gate.subscribe, '', print)))\n"
      "gate.spawn(function() note(select(2, pcall(gate.subscribe, 't', print))) end)\n");
  fake_wait_ms(1);
  const char *notes = gate_notes();
  assert_int_equal(count_lines(notes), 3);
  assert_non_null(strstr(notes, "64"));
  assert_non_null(strstr(notes, "while scripts load"));
}

static void a_message_that_memory_is_too_short_for_is_counted(void **state) {
  (void)state;
  gate_open("gate.subscribe('t', function(_, payload, info) note(payload, info.missed) end)\n");
  struct vm *vm = gate_vm();
  size_t cap = vm->memory_max_bytes;
  lua_gc(vm->L, LUA_GCCOLLECT);
  vm->memory_max_bytes = (size_t)metric_get(&vm->metrics.vm_bytes);
  publish("t", "1");
  fake_turns();
  vm->memory_max_bytes = cap;
  publish("t", "2");
  fake_turns();
  expect_notes("2 1\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(get_messages_in_order),
      gate_test(one_message_at_a_time),
      gate_test(only_so_many_in_a_turn),
      gate_test(one_that_is_too_slow_is_told_what_it_missed),
      gate_test(go_on_where_they_were_in_a_new_generation),
      gate_test(there_are_so_many_and_only_while_scripts_load),
      gate_test(a_message_that_memory_is_too_short_for_is_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
