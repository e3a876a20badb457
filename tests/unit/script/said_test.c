// What the log says of scripts: whole texts with any bytes in them, errors that are objects, and
// what a handler asks for when it is too late.
#include "script/fake_call.h"
#include "script/fake_gate.h"

static void expect_logged(const char *line) {
  if (!fake_log_has(line)) fail_msg("not in the log: %s\n%s", line, fake_log_text);
}

static struct fake_call *ask(const char *line) {
  struct fake_call *call = fake_call_start(fake.worker, line, "");
  fake_turns();
  return call;
}

static void texts_are_not_cut_at_a_nul(void **state) {
  (void)state;
  gate_open(
      "gate.log.warn('a\\0b', 'c\\0', setmetatable({}, { __tostring = function() return 'd\\0e' "
      "end "
      "}))\n"
      "gate.get('/', function() error('f\\0g') end)\n"
      "gate.get('/value', function() error('h\\0i', 0) end)\n"
      "gate.every(1, function() error('j\\0k') end)\n"
      "gate.subscribe('t', function() error('l\\0m') end)");
  expect_logged("warn a\\x00b c\\x00 d\\x00e\n");
  fake_call_free(ask("GET /"));
  expect_logged("main.lua:9: f\\x00g\nstack traceback:");
  fake_call_free(ask("GET /value"));
  expect_logged("main.lua:10: h\\x00i\nstack traceback:");
  fake_wait_ms(1100);
  expect_logged("main.lua:11: j\\x00k\n");
}

static const char object[] =
    "local Problem = { __tostring = function(p) return 'problem ' .. p.why end }\n"
    "local function fail(why) error(setmetatable({ why = why }, Problem)) end\n";

static void errors_that_are_objects_keep_their_text(void **state) {
  (void)state;
  char *script = mem_format("%s%s", object,
                            "gate.get('/', function() fail 'of a handler' end)\n"
                            "gate.after(1, function() fail 'of a timer' end)\n"
                            "gate.spawn(function() fail 'of a task' end)\n"
                            "gate.subscribe('t', function() fail 'of a subscription' end)\n"
                            "gate.on_presence('t', function() fail 'of presence' end)\n"
                            "gate.get('/publish', function() gate.publish('t', 'x') end)\n"
                            "gate.get('/plain', function() error({}) end)\n"
                            "gate.get('/nil', function() error() end)\n"
                            "gate.get('/worse', function() error(setmetatable({}, { __tostring =\n"
                            "  function() error('worse') end })) end)\n"
                            "gate.get('/odd', function() error(setmetatable({}, { __tostring =\n"
                            "  function() return {} end })) end)\n"
                            "gate.get('/number', function() error(5.5, 0) end)\n"
                            "gate.get('/waits', function() error(setmetatable({}, { __tostring =\n"
                            "  function() gate.sleep(1) return 'x' end })) end)");
  gate_open(script);
  free(script);
  fake_call_free(ask("GET /"));
  expect_logged("main.lua:9: problem of a handler\nstack traceback:\n\t[C]: in function 'error'");
  expect_logged("route=GET / conn=77");
  fake_call_free(ask("GET /publish"));
  expect_logged("main.lua:9: problem of a subscription\n");
  fake_wait_ms(1100);
  expect_logged("main.lua:9: problem of a timer\n");
  expect_logged("main.lua:9: problem of a task\n");
  fake_log_clear();
  const char *const odd[] = {"GET /plain", "GET /worse", "GET /odd", "GET /waits"};
  for (int i = 0; i < 4; i++) {
    struct fake_call *call = ask(odd[i]);
    expect_answer(call, 500, "internal server error\n");
    expect_logged("(error object is a table value)\nstack traceback:");
    fake_log_clear();
    fake_call_free(call);
  }
  fake_call_free(ask("GET /nil"));
  expect_logged("(error object is a nil value)");
  fake_call_free(ask("GET /number"));
  expect_logged(": 5.5\nstack");
}

static void a_script_that_does_not_load_says_it_whole(void **state) {
  (void)state;
  gate_open("");
  gate_write("error(setmetatable({}, { __tostring = function() return 'a\\0b' end }))");
  char *error = gate_reload();
  assert_non_null(strstr(error, "/main.lua:8: a\\x00b"));
  free(error);
}

static void a_developer_sees_the_text(void **state) {
  (void)state;
  scripts_open();
  char *script = mem_format("%s%s", object, "gate.get('/', function() fail 'a\\0b' end)\n");
  gate_write(script);
  free(script);
  fake_server_configure();
  fake_server_set("dev", "true");
  assert_null(gate_try_start());
  struct fake_call *call = ask("GET /");
  assert_int_equal(call->status, 500);
  assert_non_null(strstr(fake_call_text(&call->body), "/main.lua:9: problem a\\x00b"));
  fake_call_free(call);
}

static void what_comes_after_the_head_is_named(void **state) {
  (void)state;
  gate_open(
      "gate.get('/status', function(_, res) res:write('x') res:status(404) end)\n"
      "gate.get('/header', function(_, res) res:write('x') res:header('a', 'b') end)\n"
      "gate.get('/cookie', function(_, res) res:write('x') res:cookie('a', 'b') end)\n"
      "gate.get('/once', function(_, res) res:write('x') for i = 1, 3 do res:status(404) end end)\n"
      "gate.get('/finished', function(_, res) res:finish() res:header('a', 'b') end)\n"
      "gate.get('/returned', function(_, res) res:finish() return 404 end)\n"
      "gate.get('/fine', function(_, res) res:status(201):header('a', 'b'):write('x')\n"
      "  return res:finish() end)");
  static const struct {
    const char *line, *logged;
  } rows[] = {
      {"GET /status",
       "warn %s:8: res:status after the response had started: it has no effect\n"
       "route=GET /status conn=77"},
      {"GET /header", "%s:9: res:header after the response had started"},
      {"GET /cookie", "%s:10: res:cookie after the response had started"},
      {"GET /finished", "%s:12: res:header after the response had started"},
      {"GET /returned", "main.lua:13: this handler returned 404 after the response had started"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fake_log_clear();
    fake_call_free(ask(rows[i].line));
    const char *expected = strchr(rows[i].logged, ':');
    expect_logged(expected);
  }
  fake_log_clear();
  fake_call_free(ask("GET /once"));
  assert_null(strstr(strstr(fake_log_text, "res:status") + 1, "res:status"));
  fake_log_clear();
  fake_call_free(ask("GET /fine"));
  assert_string_equal(fake_log_text, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      gate_test(texts_are_not_cut_at_a_nul),
      gate_test(errors_that_are_objects_keep_their_text),
      gate_test(a_script_that_does_not_load_says_it_whole),
      gate_test(a_developer_sees_the_text),
      gate_test(what_comes_after_the_head_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
