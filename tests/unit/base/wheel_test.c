// The timer wheel against a model that looks at every timer each time: what
// fires, in which order, and never before wheel_next_ms promised.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/wheel.h"
#include "random.h"

enum { TIMERS = 500 };

static struct wheel wheel;

struct item {
  struct wheel_timer timer;
  bool is_set;  // the model's opinion
  uint64_t expires_ms;
  int fired_count;
  void (*then)(struct item *item);  // what else its firing does
};

static struct item items[TIMERS];
static uint64_t last_fired_ms;  // of this advance

static void on_fire(struct wheel_timer *timer) {
  struct item *item = (struct item *)(void *)timer;
  assert_true(item->is_set);
  assert_false(wheel_timer_is_set(timer));
  assert_true(item->expires_ms <= wheel.now_ms);
  assert_true(item->expires_ms >= last_fired_ms);
  last_fired_ms = item->expires_ms;
  item->is_set = false;
  item->fired_count++;
  if (item->then != NULL) item->then(item);
}

static void start(uint64_t now_ms) {
  wheel_init(&wheel, now_ms);
  for (int i = 0; i < TIMERS; i++) {
    items[i] = (struct item){0};
    wheel_timer_init(&items[i].timer, on_fire);
  }
}

static void set(struct item *item, uint64_t expires_ms) {
  item->is_set = true;
  // The past, and the millisecond that is firing, mean the next one.
  item->expires_ms = expires_ms > wheel.now_ms ? expires_ms : wheel.now_ms + 1;
  wheel_set(&wheel, &item->timer, expires_ms);
}

static void cancel(struct item *item) {
  item->is_set = false;
  wheel_cancel(&item->timer);
}

static uint64_t model_next(void) {
  uint64_t next = UINT64_MAX;
  for (int i = 0; i < TIMERS; i++) {
    if (items[i].is_set && items[i].expires_ms < next) next = items[i].expires_ms;
  }
  return next;
}

// After an advance: what is due has fired, the rest is still set.
static void advance(uint64_t now_ms) {
  last_fired_ms = 0;
  wheel_advance(&wheel, now_ms);
  for (struct wheel_timer *timer; (timer = wheel_take_due(&wheel, 0)) != NULL;) timer->fire(timer);
  assert_int_equal(wheel.now_ms, now_ms);
  for (int i = 0; i < TIMERS; i++) {
    assert_int_equal(wheel_timer_is_set(&items[i].timer), items[i].is_set);
    if (items[i].is_set) assert_true(items[i].expires_ms > now_ms);
  }
  uint64_t due = model_next();
  assert_true(wheel_next_ms(&wheel) <= due);
  assert_true(wheel_next_ms(&wheel) > now_ms);
}

// Each distance alone, from starts that lie badly: just before the turns of the levels.
static void test_single_timer(void **state) {
  (void)state;
  static const uint64_t starts[] = {0,      1,        63,         64,       4095,         4096,
                                    262143, 16777215, 1073741823, 1u << 30, 1764000000123};
  static const uint64_t distances[] = {1,        2,          63,         64,         65,
                                       127,      4095,       4096,       4097,       30000,
                                       75000,    262143,     262144,     262145,     16777216,
                                       16777217, 1073741823, 1073741824, 1073741825, 5000000000};
  for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
    for (size_t d = 0; d < sizeof distances / sizeof *distances; d++) {
      start(starts[s]);
      set(&items[0], starts[s] + distances[d]);
      advance(starts[s] + distances[d] - 1);
      assert_int_equal(items[0].fired_count, 0);
      advance(starts[s] + distances[d]);
      assert_int_equal(items[0].fired_count, 1);
      assert_int_equal(wheel_next_ms(&wheel), UINT64_MAX);
    }
  }
}

// A loop that sleeps until wheel_next_ms wakes a handful of times, and on time.
static void test_sleeping_until_next(void **state) {
  (void)state;
  for (uint64_t distance = 1; distance < 4000000000; distance = distance * 5 + 3) {
    start(12345);
    set(&items[0], 12345 + distance);
    int wakes = 0;
    while (items[0].fired_count == 0) {
      advance(wheel_next_ms(&wheel));
      wakes++;
    }
    assert_int_equal(wheel.now_ms, 12345 + distance);
    assert_true(wakes <= WHEEL_LEVELS + 5);
  }
}

static void test_past_fires_at_the_next_advance(void **state) {
  (void)state;
  start(1000);
  set(&items[0], 0);
  set(&items[1], 1000);
  assert_int_equal(wheel_next_ms(&wheel), 1001);
  advance(1001);
  assert_int_equal(items[0].fired_count + items[1].fired_count, 2);
}

static void test_moving_and_cancelling(void **state) {
  (void)state;
  start(0);
  set(&items[0], 10);
  set(&items[0], 5000);
  set(&items[1], 5000);
  cancel(&items[1]);
  cancel(&items[1]);
  advance(4999);
  assert_int_equal(items[0].fired_count, 0);
  advance(5000);
  assert_int_equal(items[0].fired_count, 1);
  assert_int_equal(items[1].fired_count, 0);
}

static void set_again(struct item *item) { set(item, wheel.now_ms + 10); }
static void cancel_next(struct item *item) { cancel(item + 1); }
static void set_next(struct item *item) { set(item + 1, wheel.now_ms); }

static void test_timers_change_timers_while_firing(void **state) {
  (void)state;
  start(0);
  items[0].then = set_again;
  set(&items[0], 10);
  for (uint64_t now = 10; now <= 1000; now += 10) advance(now);
  assert_int_equal(items[0].fired_count, 100);

  items[10].then = cancel_next;  // both lie in the slot that is firing
  set(&items[10], 1500);
  set(&items[11], 1500);
  items[20].then = set_next;  // "now" while firing is the next millisecond
  set(&items[20], 1500);
  advance(1500);
  assert_int_equal(items[11].fired_count, 0);
  assert_int_equal(items[21].fired_count, 0);
  advance(1501);
  assert_int_equal(items[21].fired_count, 1);
}

static uint64_t random_distance(struct random *r) {
  uint64_t magnitude = random_below(r, 33);
  return random_below(r, ((uint64_t)1 << magnitude) + 1);
}

static void test_random_against_model(void **state) {
  (void)state;
  struct random r = {5};
  for (int life = 0; life < 20; life++) {
    uint64_t now = random_next(&r) >> (20 + random_below(&r, 40));
    start(now);
    for (int step = 0; step < 2000; step++) {
      for (int i = (int)random_below(&r, 5); i > 0; i--) {
        struct item *item = &items[random_below(&r, TIMERS)];
        if (random_below(&r, 4) == 0)
          cancel(item);
        else
          set(item, now + random_distance(&r));
      }
      uint64_t next = wheel_next_ms(&wheel);
      if (random_below(&r, 2) == 0 && next != UINT64_MAX)
        now = next;
      else
        now += random_distance(&r) >> random_below(&r, 30);
      if (now > wheel.now_ms) advance(now);
    }
  }
}

// What is due is taken one by one, and nothing is lost when that stops halfway.
static void test_due_ones_wait_to_be_taken(void **state) {
  (void)state;
  start(0);
  for (int i = 0; i < 3; i++) set(&items[i], 10 + (uint64_t)i);
  last_fired_ms = 0;
  wheel_advance(&wheel, 11);
  assert_int_equal(wheel_next_ms(&wheel), 11);
  assert_ptr_equal(wheel_take_due(&wheel, 0), &items[0].timer);
  wheel_advance(&wheel, 12);  // behind what is due already
  wheel_set_due(&wheel, &items[0].timer);
  assert_ptr_equal(wheel_take_due(&wheel, 0), &items[1].timer);
  wheel_cancel(&items[2].timer);
  assert_ptr_equal(wheel_take_due(&wheel, 0), &items[0].timer);
  assert_null(wheel_take_due(&wheel, 0));
  assert_int_equal(wheel_next_ms(&wheel), UINT64_MAX);
}

static void test_each_kind_has_its_line(void **state) {
  (void)state;
  start(0);
  for (unsigned i = 0; i < 4; i++) {
    wheel_timer_set_kind(&items[i].timer, i % 2 == 0 ? 0 : WHEEL_KINDS - 1);
    set(&items[i], 10);
  }
  wheel_advance(&wheel, 10);
  wheel_set_due(&wheel, &items[1].timer);
  assert_ptr_equal(wheel_take_due(&wheel, WHEEL_KINDS - 1), &items[3].timer);
  assert_ptr_equal(wheel_take_due(&wheel, WHEEL_KINDS - 1), &items[1].timer);
  assert_null(wheel_take_due(&wheel, WHEEL_KINDS - 1));
  assert_int_equal(wheel_next_ms(&wheel), 10);
  assert_ptr_equal(wheel_take_due(&wheel, 0), &items[0].timer);
  assert_ptr_equal(wheel_take_due(&wheel, 0), &items[2].timer);
  assert_int_equal(wheel_next_ms(&wheel), UINT64_MAX);
  wheel_set_due(&wheel, &items[0].timer);
  wheel_cancel(&items[0].timer);  // whoever looks for it finds none, and need not look again
  assert_null(wheel_take_due(&wheel, 0));
  assert_int_equal(wheel_next_ms(&wheel), UINT64_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_single_timer),
      cmocka_unit_test(test_sleeping_until_next),
      cmocka_unit_test(test_past_fires_at_the_next_advance),
      cmocka_unit_test(test_moving_and_cancelling),
      cmocka_unit_test(test_timers_change_timers_while_firing),
      cmocka_unit_test(test_due_ones_wait_to_be_taken),
      cmocka_unit_test(test_each_kind_has_its_line),
      cmocka_unit_test(test_random_against_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
