// Reloading over several workers, whose turns the test makes: all switch or none.
#include "script/reload/reload.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "script/fake_call.h"
#include "script/fake_gate.h"
#include "script/reload/control.h"

enum { WORKERS = 3, ROUNDS = 20000 };

static uv_loop_t loop;
static struct reload *reload;
static bool is_stopped;

static int open_gate(void **state) {
  (void)state;
  scripts_open();
  gate_write("gate.get('/', function() return 'first' end)\n");
  fake_log_clear();
  fake_server_configure();
  fake_server_set("workers", "3");
  assert_null(gate_try_start());
  uv_loop_init(&loop);
  is_stopped = false;
  reload = reload_start(&loop, &fake.server, scripts_dir);
  return 0;
}

static void stop_reload(void) {
  if (!is_stopped) reload_stop(reload);
  is_stopped = true;
}

static int close_gate(void **state) {
  (void)state;
  stop_reload();  // the watch may have set off one more
  uv_run(&loop, UV_RUN_DEFAULT);
  reload_free(reload);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  return gate_teardown(state);
}

#define reload_test(name) cmocka_unit_test_setup_teardown(name, open_gate, close_gate)

static void run_once(void) {
  uv_run(&loop, UV_RUN_NOWAIT);
  fake_turns();
  usleep(500);
}

// Runs main loop and workers until the log has the text.
static void run_until_logged(const char *text) {
  for (int i = 0; i < ROUNDS && !fake_log_has(text); i++) run_once();
  if (!fake_log_has(text)) fail_msg("no \"%s\" in %s", text, fake_log_text);
}

static void expect_on_all(const char *text) {
  for (size_t w = 0; w < WORKERS; w++) {
    struct fake_call *call = fake_call_start(&fake.server.workers[w], "GET /", "");
    expect_answer(call, 200, text);
    fake_call_free(call);
  }
}

static void all_switch(void **state) {
  (void)state;
  gate_write("gate.get('/', function() return 'second' end) gate.get('/more', print)\n");
  reload_request(reload);
  expect_on_all("first");  // nothing happens before the workers' turns
  run_until_logged("info generation 2 is live: 1 scripts, 2 routes");
  expect_on_all("second");
}

static void none_switches_when_one_fails(void **state) {
  (void)state;
  gate_write(
      "if gate.stats().worker == 1 then error('on the second worker') end\n"
      "gate.get('/', function() return 'second' end)\n");
  reload_request(reload);
  run_until_logged("error reload failed, generation 1 stays: ");
  assert_true(fake_log_has("main.lua:8: on the second worker"));
  expect_on_all("first");
  gate_write("gate.get('/', function() return 'third' end)\n");
  fake_log_clear();
  reload_request(reload);
  run_until_logged("generation 2 is live");
  expect_on_all("third");
}

static void what_does_not_compile_reaches_no_worker(void **state) {
  (void)state;
  gate_write("x x");
  reload_request(reload);
  assert_true(fake_log_has("error reload failed, generation 1 stays: "));
  assert_true(fake_log_has("main.lua:8: syntax error"));
  expect_on_all("first");
}

// Saved files are not forgotten, and the log is not filled.
static void what_cannot_be_read_for_lack_of_descriptors_is_tried_again(void **state) {
  (void)state;
  static const char failure[] = "trying again until it can be read";
  gate_write("gate.get('/', function() return 'second' end)\n");
  struct rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  int next = dup(0);
  close(next);
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next, before.rlim_max});
  reload_request(reload);
  for (int i = 0; i < 1000; i++) run_once();
  setrlimit(RLIMIT_NOFILE, &before);
  const char *first = strstr(fake_log_text, failure);
  assert_non_null(first);
  assert_null(strstr(first + 1, failure));
  assert_false(fake_log_has("generation 2 is live"));
  run_until_logged("generation 2 is live");
  expect_on_all("second");
}

static void a_request_meanwhile_is_done_afterwards(void **state) {
  (void)state;
  gate_write("gate.get('/', function() return 'second' end)\n");
  reload_request(reload);
  gate_write("gate.get('/', function() return 'third' end)\n");
  reload_request(reload);
  reload_request(reload);
  run_until_logged("generation 3 is live");
  expect_on_all("third");
  assert_true(fake_log_has("generation 2 is live"));
  assert_false(fake_log_has("generation 4 is live"));
}

static void a_saved_file_sets_it_off(void **state) {
  (void)state;
  gate_write("gate.get('/', function() return 'saved' end)\n");
  run_until_logged("generation 2 is live");
  expect_on_all("saved");
}

struct client {
  atomic_bool is_done;
  uid_t user;  // the thread's own: the system call, unlike libc, changes no other
  int status;
};

static void *ask(void *arg) {
  struct client *client = arg;
  if (client->user != geteuid()) syscall(SYS_setresuid, -1, client->user, -1);
  client->status = control_reload(scripts_dir);
  client->is_done = true;
  return NULL;
}

// The exit status of `tidegate reload`.
static int run_client_as(uid_t user) {
  pthread_t thread;
  struct client client = {.user = user, .status = -1};
  pthread_create(&thread, NULL, ask, &client);
  for (int i = 0; i < ROUNDS && !client.is_done; i++) run_once();
  pthread_join(thread, NULL);
  return client.status;
}

static int run_client(void) { return run_client_as(geteuid()); }

static void clients_of_the_control_socket_are_told(void **state) {
  (void)state;
  fflush(stdout);
  int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), file = memfd_create("printed", 0);
  dup2(file, STDOUT_FILENO);
  dup2(file, STDERR_FILENO);
  assert_int_equal(run_client(), 0);
  scripts_write("bad.lua", "error('on purpose')");
  assert_int_equal(run_client(), 1);
  bool is_root = geteuid() == 0;
  if (is_root) assert_int_equal(run_client_as(65534), 1);
  fflush(stdout);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  char printed[512] = "";
  assert_true(pread(file, printed, sizeof printed - 1, 0) > 0);
  assert_non_null(strstr(printed, "generation 2 is live: 1 scripts, 1 routes\n"));
  assert_non_null(strstr(printed, "tidegate: reload failed, generation 2 stays: "));
  assert_non_null(strstr(printed, "bad.lua:1: on purpose\n"));
  if (is_root) assert_non_null(strstr(printed, "tidegate: refused: only root and the user that"));
  close(out);
  close(err);
  close(file);
}

static void stopping_gives_up_the_one_under_way(void **state) {
  (void)state;
  gate_write("gate.get('/', function() return 'second' end)\n");
  reload_request(reload);
  fake_turns();            // the workers have begun
  reload_request(reload);  // is not begun any more
  stop_reload();
  for (int i = 0; i < 100; i++) run_once();
  assert_false(fake_log_has("generation 2 is live"));
  expect_on_all("first");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      reload_test(all_switch),
      reload_test(none_switches_when_one_fails),
      reload_test(what_does_not_compile_reaches_no_worker),
      reload_test(what_cannot_be_read_for_lack_of_descriptors_is_tried_again),
      reload_test(a_request_meanwhile_is_done_afterwards),
      reload_test(a_saved_file_sets_it_off),
      reload_test(clients_of_the_control_socket_are_told),
      reload_test(stopping_gives_up_the_one_under_way),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
