// Functions that scripts call: what they return, and how a wrong argument is named.
#include "script/fake_gate.h"

// Runs the expressions while scripts load, and notes what they come to.
static void open_with(const char *const *lines, size_t count) {
  struct buf script = {0};
  buf_append_str(&script,
                 "local core = require 'tidegate.core'\n"
                 "local function try(fn, ...)\n"
                 "  local r = table.pack(pcall(fn, ...))\n"
                 "  if r[1] then note(table.unpack(r, 2, r.n)) else note(r[2]) end\n"
                 "end\n");
  for (size_t i = 0; i < count; i++) buf_printf(&script, "%s\n", lines[i]);
  buf_append_char(&script, '\0');
  gate_open(script.data);
  buf_free(&script);
}

struct row {
  const char *line, *noted;  // noted: a part of what comes
};

static void expect_rows(const struct row *rows, size_t count) {
  const char *lines[64];
  assert_true(count <= 64);
  for (size_t i = 0; i < count; i++) lines[i] = rows[i].line;
  open_with(lines, count);
  char *notes = mem_strdup(gate_notes()), *rest = notes;
  unsigned wrong = 0;
  for (size_t i = 0; i < count; i++) {
    const char *line = strsep(&rest, "\n");
    if (line != NULL && strstr(line, rows[i].noted) != NULL) continue;
    print_error("%s: \"%s\", not \"%s\"\n", rows[i].line, line, rows[i].noted);
    wrong++;
  }
  assert_int_equal(wrong, 0);
  free(notes);
}

#define expect_each(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

static void of_the_hub(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"try(gate.publish, 5, 'x')",
       "bad argument #1 to 'tidegate.core.publish' (string expected, got number)"},
      {"try(gate.publish, 't', 5)", "publish: value must be a string or a table (got number)"},
      {"try(gate.publish, 't', { print })", "publish: value has no JSON form"},
      {"try(gate.publish, 't', 'x', 5)", "table expected, got number"},
      {"try(gate.publish, 't', 'x', { to = 1 })", "publish: unknown option \"to\""},
      {"try(gate.publish, 't', 'x', { 'key' })", "publish: options are name = value (got [1])"},
      {"try(gate.publish, 't', 'x', { key = {} })", "publish: key must be a string, got table"},
      {"try(gate.publish, 't', 'x', { key = ('k'):rep(65536) })", "publish: key has more than"},
      {"try(gate.publish, 't', 'x', { except = 5 })", "publish: except must be a ws or a stream"},
      {"try(gate.publish, 't', 'x', { kind = 'x' })", "publish: kind must be \"text\" or"},
      {"try(gate.publish, '', 'x')", "nil a topic "},
      {"try(gate.publish, 't', '\\xff')", "nil text must be UTF-8 utf8"},
      {"try(gate.publish, 't', 'x', { key = '\\xff' })", "nil a key must be UTF-8 utf8"},
      {"try(gate.publish, 't', 'x', { event = 'a\\nb' })", "nil an event name has at most 255"},
      {"try(gate.publish, 't', ('x'):rep(17 << 20))",
       "publish: at most 10000 messages and 16777216"},
      {"try(gate.publish, 't', '\\xff', { kind = 'binary' })", "true"},
      {"try(gate.count, 't')", "0"},
      {"try(gate.count, '')", "nil a topic "},
      {"try(gate.topic, 't', { history = -1 })", "topic: history must be a number from 0"},
      {"try(gate.topic, 't', { history = 'x' })", "(got string)"},
      {"try(gate.topic, 't', { lag = 'x' })", "topic: lag must be"},
      {"try(gate.topic, 't', { presence = 1 })", "topic: presence must be true, false or a table"},
      {"try(gate.topic, 't', { presence = { grace = -1 } })", "grace must be a number"},
      {"try(gate.topic, '', {})", "bad argument #1 to 'tidegate.core.topic'"},
      {"try(gate.topic, 't', { ttl = 1, bytes = 10, limit = 5, presence = { grace = 0 } })", ""},
      {"try(gate.history, 't', { limit = 0 })", "history: limit must be a whole number"},
      {"try(gate.history, 't', { reverse = 1 })", "history: reverse must be true or false"},
      {"try(gate.history, 't', { since = 1 })", "history: since must be"},
      {"note(#gate.history('t'))", "0"},
      {"try(gate.topics, 5)", ""},
      {"note(#gate.topics())", "0"},
      {"note(#gate.presence('t'))", "0"},
      {"try(gate.presence, '')", "nil a topic "},
      {"try(gate.subscribe, 't', 5)", "function expected"},
  };
  expect_each(rows);
}

static void of_the_rest(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"note(gate.json.encode({ 1, 2.5, 'x', gate.json.null }))", "[1,2.5,\"x\",null]"},
      {"note(gate.json.encode({ gate.null }), gate.json.decode('[null]')[1] == gate.null)",
       "[null] true"},
      {"note(gate.json.decode('{\"a\":[1,1.5,-3e2]}').a[3])", "-300"},
      {"note(math.type(gate.json.decode('[2]')[1]))", "integer"},
      {"try(gate.json.decode, '[1')", "nil Expected"},
      {"try(gate.json.decode, '[1e999]')", "json"},
      {"try(gate.json.decode, '[\"\\xff\"]')", "json"},
      {"try(gate.json.decode, ('['):rep(2000))", "json"},
      {"try(gate.json.encode, print)", "nil Cannot serialise function: type not supported json"},
      {"try(gate.json.encode, 1/0)", "json"},
      {"note(gate.env.NO_SUCH_VARIABLE, gate.env.PATH ~= nil)", "nil true"},
      {"try(function() gate.env.X = 1 end)", "gate.env is read-only"},
      {"note(gate.keep('a', 5), gate.keep('a', 6), gate.keep('b', function() return 7 end))",
       "5 5 7"},
      {"note(gate.stats().workers, gate.stats().generation, gate.stats().worker)", "1 1 0"},
      {"local stats = gate.stats() for _, row in ipairs(core.metrics()) do stats[row.name] = nil "
       "end "
       "local rest = {} for name in pairs(stats) do rest[#rest + 1] = name end "
       "table.sort(rest) note(table.concat(rest, ' '), math.type(gate.stats().topics))",
       "generation uptime worker integer"},
      {"note(gate.stats().connections, gate.stats().vm_bytes > 0)", "0 true"},
      {"note(#gate.id(), gate.id() ~= gate.id())", "22 true"},
      {"note(gate.now() > 1600000000, gate.version, gate.dir ~= nil)", "true 0."},
      {"note(core.url_decode('a%20b+c'), core.url_decode('%'))", "a b+c nil"},
      {"note(core.crypto.base64url_decode(core.crypto.base64url('\\1\\255>')), '')", ">"},
      {"note(core.crypto.base64url_decode('a'), core.crypto.base64url_decode('ab='))", "nil nil"},
      {"note(core.crypto.base64url_decode('ab'), core.crypto.base64url_decode('-_8') == "
       "'\\xfb\\xff')",
       "nil true"},
      {"note(core.crypto.equal('a', 'a'), core.crypto.equal('a', 'b'), core.crypto.equal('a', "
       "'ab'))",
       "true false false"},
      {"note(#core.crypto.hmac('sha256', 'key', 'data'))", "32"},
      {"gate.log.info('said', 1, nil) note('x')", "x"},
      {"try(core.crypto.equal, {}, 'x')", "string expected, got table"},
      {"note(type(coroutine.wrap(function() coroutine.yield(1) end)()))", "number"},
      {"note(pcall(coroutine.wrap(function() error('in it', 0) end)))", "false in it"},
      {"note(load('return 5')())", "5"},
      {"note(pcall(load, string.dump(print == nil and print or function() end)))", ""},
      {"note(tostring(io.open('/no/such/file')))", "nil"},
  };
  expect_each(rows);
  assert_true(fake_log_has("info said 1 nil"));
}

static void history_and_presence_are_read_back(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"gate.topic('h', { history = 3 }) note('x')", "x"},
      {"gate.spawn(function() for i = 1, 5 do gate.publish('h', { i }, {\n"
       "  event = 'e' }) end gate.sleep(1)\n"
       "  local all = gate.history('h')\n"
       "  note(#all, all[1].data[1], all[1].key, all[1].event, all[1].kind)\n"
       "  note(#gate.history('h', { limit = 2, reverse = true }))\n"
       "  note(#gate.history('h', { since = all[1].id }))\n"
       "  note(table.concat(gate.topics and { #gate.topics() } or {}))\n"
       "end) note('y')",
       "y"},
  };
  expect_each(rows);
  fake_wait_ms(1);
  fake_wait_ms(1000);
  const char *notes = gate_notes();
  if (strncmp(notes, "3 3 nil e text\n2\n2\n", 19) != 0) fail_msg("%s%s", notes, fake_log_text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(of_the_hub),
      gate_test(of_the_rest),
      gate_test(history_and_presence_are_read_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
