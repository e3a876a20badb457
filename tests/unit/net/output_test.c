// What waits for a socket, and the order in which it goes.
#include "net/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct spares spares;

static struct output *filled(struct message *m) {
  struct output *output = output_take(&spares);
  buf_append_str(&output->direct, "direct");
  output_pin(output, m, slice_str("pinned"));
  return output;
}

static struct message *new_message(void) {
  struct message_fields fields = {.payload = slice_str("x"), .topic = slice_str("t")};
  return message_new(&fields);
}

static void what_was_begun_goes_first(void **state) {
  (void)state;
  struct message *m = new_message();
  struct output *output = filled(m);
  struct iovec parts[OUTPUT_PARTS];
  size_t bytes;
  assert_int_equal(m->refs, 2);
  assert_int_equal(output_gather(output, parts, &bytes), 2);
  assert_int_equal(bytes, 12);
  assert_memory_equal(parts[0].iov_base, "pinned", 6);
  assert_memory_equal(parts[1].iov_base, "direct", 6);
  output_give(output, &spares);
  assert_int_equal(m->refs, 1);
  message_unref(m);
}

static void is_taken_off_at_any_byte(void **state) {
  (void)state;
  for (size_t put = 0; put <= 15; put++) {
    struct message *m = new_message();
    struct output *output = filled(m);
    struct iovec parts[OUTPUT_PARTS];
    size_t bytes;
    assert_int_equal(output_consume(output, put), put > 12 ? put - 12 : 0);
    output_gather(output, parts, &bytes);
    assert_int_equal(bytes, put > 12 ? 0 : 12 - put);
    assert_int_equal(output_direct_bytes(output), put < 6 ? 6 : put > 12 ? 0 : 12 - put);
    assert_int_equal(m->refs, put < 6 ? 2 : 1);
    output_give(output, &spares);
    message_unref(m);
  }
}

static void none_is_none(void **state) {
  (void)state;
  struct iovec parts[OUTPUT_PARTS];
  size_t bytes = 1;
  assert_int_equal(output_gather(NULL, parts, &bytes), 0);
  assert_int_equal(bytes, 0);
  assert_int_equal(output_consume(NULL, 5), 5);
  assert_int_equal(output_direct_bytes(NULL), 0);
}

static void small_ones_are_kept_for_the_next(void **state) {
  (void)state;
  output_free_spares(&spares);
  struct output *output = output_take(&spares);
  buf_append_str(&output->direct, "x");
  output->untaken = 5;
  output_give(output, &spares);
  assert_int_equal(spares.count, 1);
  assert_ptr_equal(output_take(&spares), output);
  assert_int_equal(output_direct_bytes(output), 0);
  assert_int_equal(output->untaken, 0);
  buf_reserve(&output->direct, 100000);
  output_give(output, &spares);
  assert_int_equal(spares.count, 0);
  struct output *many[SPARES_MAX + 5];
  for (int i = 0; i < SPARES_MAX + 5; i++) many[i] = output_take(&spares);
  for (int i = 0; i < SPARES_MAX + 5; i++) output_give(many[i], &spares);
  assert_int_equal(spares.count, SPARES_MAX);
}

static int free_spares(void **state) {
  (void)state;
  output_free_spares(&spares);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_begun_goes_first),
      cmocka_unit_test(is_taken_off_at_any_byte),
      cmocka_unit_test(none_is_none),
      cmocka_unit_test(small_ones_are_kept_for_the_next),
  };
  return cmocka_run_group_tests(tests, NULL, free_spares);
}
