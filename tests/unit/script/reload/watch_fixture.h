// A watch of a folder of scripts, on a loop that the test runs.
#ifndef TIDEGATE_TESTS_WATCH_FIXTURE_H
#define TIDEGATE_TESTS_WATCH_FIXTURE_H

#include "net/fake_log.h"
#include "script/reload/watch.h"
#include "script/scripts.h"

enum { DEBOUNCE_MS = 20, INTERVAL_MS = 50, PATIENCE_MS = 60000 };

static uv_loop_t loop;
static struct watch *watch;
static unsigned changes;
static const char *mode = "auto";
static unsigned disturbed;           // loads that were given up
static void (*while_reading)(void);  // what others do
static void (*while_loading)(void);  // what the scripts do, or others meanwhile

static inline void on_change(void *arg) {
  assert_ptr_equal(arg, &changes);
  // As a load does.
  watch_begin_load(watch);
  if (while_reading != NULL) while_reading();
  if (!watch_was_undisturbed(watch)) {
    disturbed++;
    return;
  }
  changes++;
  if (while_loading != NULL) while_loading();
  watch_end_load(watch);
}

static inline int open_loop(void **state) {
  (void)state;
  scripts_open();
  fake_log_clear();
  uv_loop_init(&loop);
  changes = disturbed = 0;
  mode = "auto";
  while_reading = while_loading = NULL;
  return 0;
}

static inline void stop(void) {
  if (watch != NULL) watch_stop(watch);
  watch = NULL;
}

static inline void close_left(uv_handle_t *handle, void *arg) {
  (void)arg;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static inline int close_loop(void **state) {
  (void)state;
  stop();  // of a test that failed, as is what it left: the loop would go on for ever
  uv_walk(&loop, close_left, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  scripts_close();
  return 0;
}

static inline void on_over(uv_timer_t *timer) { *(bool *)timer->data = true; }

// Runs the loop for so long, or until there were so many changes. The timer repeats: when it is
// due as uv_run begins, uv_run fires it and waits then all the same, without it for ever.
static inline void run_until(unsigned count, uint64_t ms) {
  uv_timer_t timer;
  bool is_over = false;
  uv_update_time(&loop);  // it has not run while the test was busy
  uv_timer_init(&loop, &timer);
  timer.data = &is_over;
  uv_timer_start(&timer, on_over, ms, ms);
  while (!is_over && (count == 0 || changes < count)) uv_run(&loop, UV_RUN_ONCE);
  uv_close((uv_handle_t *)&timer, NULL);
  uv_run(&loop, UV_RUN_NOWAIT);
}

static inline void expect_changes(unsigned count) {
  run_until(count, PATIENCE_MS);
  assert_int_equal(changes, count);
}

static inline void start(void) {
  struct watch_options options = {scripts_dir, NULL, mode, DEBOUNCE_MS, INTERVAL_MS};
  watch = watch_start(&loop, &options, NULL, on_change, &changes);
  run_until(0, 2 * DEBOUNCE_MS);  // its first look
}

#endif
