// Maps: every operation against a model that is an array indexed by key number.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/map.h"
#include "random.h"

enum { KEYS = 3000 };

static char key_text[KEYS][16];
static int values[KEYS * 2];

static struct slice key_of(size_t i) { return slice_str(key_text[i]); }

static int make_keys(void **state) {
  (void)state;
  for (int i = 0; i < KEYS; i++) snprintf(key_text[i], sizeof key_text[i], "key/%d", i);
  return 0;
}

static void test_empty(void **state) {
  (void)state;
  struct map m;
  map_init(&m);
  size_t position = 0;
  assert_null(map_get(&m, key_of(0)));
  assert_null(map_remove(&m, key_of(0)));
  assert_null(map_next(&m, &position));
  map_free(&m);
}

static void test_replaces_key_and_value(void **state) {
  (void)state;
  struct map m;
  map_init(&m);
  char first[] = "name", second[] = "name";
  map_set(&m, slice_str(first), &values[1]);
  map_set(&m, slice_str(second), &values[2]);
  memset(first, 'x', 4);  // the first key may go: it was replaced
  assert_int_equal(m.count, 1);
  assert_ptr_equal(map_get(&m, slice_str("name")), &values[2]);
  assert_ptr_equal(map_remove(&m, slice_str("name")), &values[2]);
  assert_null(map_get(&m, slice_str("name")));
  map_free(&m);
}

static void test_keys_are_bytes(void **state) {
  (void)state;
  struct map m;
  map_init(&m);
  const struct slice keys[] = {
      {"", 0},  {"\0", 1},       {"\0\0", 2},       {"a", 1},         {"a\0", 2},
      {"A", 1}, {"aaaaaaaa", 8}, {"aaaaaaaa\0", 9}, {"aaaaaaaab", 9}, {"aaaaaaaaaaaaaaaa", 16},
  };
  enum { COUNT = sizeof keys / sizeof *keys };
  for (size_t i = 0; i < COUNT; i++) map_set(&m, keys[i], &values[i]);
  assert_int_equal(m.count, COUNT);
  for (size_t i = 0; i < COUNT; i++) assert_ptr_equal(map_get(&m, keys[i]), &values[i]);
  map_free(&m);
}

static void assert_same(const struct map *m, int **model, size_t count) {
  assert_int_equal(m->count, count);
  for (size_t i = 0; i < KEYS; i++) assert_ptr_equal(map_get(m, key_of(i)), model[i]);
  size_t position = 0, walked = 0;
  int *value;
  while ((value = map_next(m, &position)) != NULL) {
    assert_ptr_equal(model[(value - values) / 2], value);
    walked++;
  }
  assert_int_equal(walked, count);
}

// The share of sets swings, so that the map grows and shrinks many times.
static void test_random_against_model(void **state) {
  (void)state;
  struct random r = {11};
  struct map m;
  map_init(&m);
  static int *model[KEYS];
  size_t count = 0;
  for (int round = 0; round < 400000; round++) {
    size_t i = random_below(&r, KEYS);
    uint64_t sets_of_ten = (round / 20000) % 2 == 0 ? 8 : 1;
    if (random_below(&r, 10) < sets_of_ten) {
      count += model[i] == NULL;
      model[i] = &values[i * 2 + random_below(&r, 2)];
      map_set(&m, key_of(i), model[i]);
    } else {
      assert_ptr_equal(map_remove(&m, key_of(i)), model[i]);
      count -= model[i] != NULL;
      model[i] = NULL;
    }
    if (round % 5000 == 0) assert_same(&m, model, count);
  }
  assert_same(&m, model, count);
  map_free(&m);
}

static void test_shrinks_when_emptied(void **state) {
  (void)state;
  struct map m;
  map_init(&m);
  for (size_t i = 0; i < KEYS; i++) map_set(&m, key_of(i), &values[i]);
  assert_true(m.cap >= KEYS);
  for (size_t i = 0; i < KEYS; i++) assert_ptr_equal(map_remove(&m, key_of(i)), &values[i]);
  assert_int_equal(m.count, 0);
  assert_true(m.cap <= 64);
  map_free(&m);
}

// Large maps move a few places a call; every key is there all the while.
static void test_grows_and_shrinks_a_little_at_a_time(void **state) {
  (void)state;
  struct map m;
  map_init(&m);
  bool was_moving = false;
  for (size_t i = 0; i < KEYS; i++) {
    size_t moved = m.old_at;
    map_set(&m, key_of(i), &values[i]);
    was_moving |= map_is_moving(&m);
    assert_true(!map_is_moving(&m) || m.old_at - moved <= 32 || moved == 0);
    for (size_t k = 0; k <= i; k += 1 + i / 16)
      assert_ptr_equal(map_get(&m, key_of(k)), &values[k]);
    if (i % 3 == 0)
      map_set(&m, key_of(i / 2), &values[i / 2]);  // one that may lie in the old places
    assert_int_equal(m.count, i + 1);
  }
  assert_true(was_moving);
  was_moving = false;
  for (size_t i = 0; i < KEYS; i++) {
    assert_ptr_equal(map_remove(&m, key_of(i)), &values[i]);
    assert_null(map_remove(&m, key_of(i)));
    was_moving |= map_is_moving(&m);
    for (size_t k = 0; k < KEYS; k += 97) assert_int_equal(map_get(&m, key_of(k)) != NULL, k > i);
  }
  assert_true(was_moving);
  assert_false(map_is_moving(&m));
  map_free(&m);
}

// The same for one so large that the memory of what has moved goes before the rest.
static void test_gives_back_the_memory_of_what_has_moved(void **state) {
  (void)state;
  enum { MANY = 40000 };
  static uint32_t keys[MANY];
  struct map m;
  map_init(&m);
  size_t most_moved = 0;  // places, of those whose memory goes in steps of 2,048
  for (uint32_t i = 0; i < MANY; i++) {
    keys[i] = i;
    map_set(&m, slice_of((char *)&keys[i], sizeof *keys), &keys[i]);
    if (m.old_at > most_moved) most_moved = m.old_at;
    uint32_t any = (uint32_t)(i * UINT64_C(2654435761) % (i + 1)), none = i + 1;
    assert_ptr_equal(map_get(&m, slice_of((char *)&any, sizeof any)), &keys[any]);
    assert_null(map_get(&m, slice_of((char *)&none, sizeof none)));
  }
  assert_true(most_moved > 4096);
  most_moved = 0;
  for (uint32_t i = 0; i < MANY; i++) {
    assert_ptr_equal(map_remove(&m, slice_of((char *)&keys[i], sizeof *keys)), &keys[i]);
    assert_null(map_remove(&m, slice_of((char *)&keys[i], sizeof *keys)));
    if (m.old_at > most_moved) most_moved = m.old_at;
    if (i + 1 < MANY)
      assert_ptr_equal(map_get(&m, slice_of((char *)&keys[MANY - 1], sizeof *keys)),
                       &keys[MANY - 1]);
    if (i % 500 > 0) continue;
    size_t seen = 0;
    for (size_t at = 0; map_next(&m, &at) != NULL;) seen++;
    assert_int_equal(seen, m.count);
  }
  assert_true(most_moved > 4096);
  map_free(&m);
}

// What stays is met by a walk from one free place to another, whatever goes meanwhile.
static void test_walks_beside_removals(void **state) {
  (void)state;
  struct random r = {5};
  for (int round = 0; round < 200; round++) {
    struct map m;
    map_init(&m);
    size_t seen[700] = {0};
    for (size_t i = 0; i < 700; i++) map_set(&m, key_of(i), &values[i]);
    size_t cap = m.cap, start = 0;
    while (map_at(&m, start) != NULL) start++;
    for (size_t at = 0; at < cap; at++) {
      const int *value = map_at(&m, (start + at) % cap);
      if (value != NULL) seen[value - values]++;
      if (value != NULL || random_below(&r, 4) > 0) continue;
      for (int k = 0; k < 20; k++) {
        size_t i = random_below(&r, 700);
        if (i % 3 == 0) continue;  // these stay
        if (!map_remove(&m, key_of(i))) map_set(&m, key_of(i), &values[i]);
      }
    }
    assert_int_equal(m.cap, cap);
    for (size_t i = 0; i < 700; i += 3) assert_int_equal(seen[i], 1);
    map_free(&m);
  }
}

// Two maps place the same keys differently: a peer cannot work out collisions.
static void test_seed_differs_per_map(void **state) {
  (void)state;
  struct map a, b;
  map_init(&a);
  map_init(&b);
  for (size_t i = 0; i < 64; i++) {
    map_set(&a, key_of(i), &values[i]);
    map_set(&b, key_of(i), &values[i]);
  }
  size_t at = 0, bt = 0, differing = 0;
  for (size_t i = 0; i < 64; i++) differing += map_next(&a, &at) != map_next(&b, &bt);
  assert_true(differing > 0);
  map_free(&a);
  map_free(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_replaces_key_and_value),
      cmocka_unit_test(test_keys_are_bytes),
      cmocka_unit_test(test_random_against_model),
      cmocka_unit_test(test_shrinks_when_emptied),
      cmocka_unit_test(test_grows_and_shrinks_a_little_at_a_time),
      cmocka_unit_test(test_gives_back_the_memory_of_what_has_moved),
      cmocka_unit_test(test_walks_beside_removals),
      cmocka_unit_test(test_seed_differs_per_map),
  };
  return cmocka_run_group_tests(tests, make_keys, NULL);
}
