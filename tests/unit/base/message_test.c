// Messages: the fields they carry, shared references, and forms that are
// encoded once however many threads ask at the same moment.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <pthread.h>
#include <cmocka.h>

#include "base/message.h"

enum { THREADS = 8, ROUNDS = 300 };

static void assert_slice(struct slice got, const char *text) {
  assert_int_equal(got.len, strlen(text));
  assert_memory_equal(got.ptr, text, got.len);
}

static void test_carries_its_fields(void **state) {
  (void)state;
  char payload[] = "payload";
  struct message *m = message_new(&(struct message_fields){.kind = MESSAGE_BINARY,
                                                           .payload = slice_str(payload),
                                                           .event = slice_str("event"),
                                                           .key = slice_str("key"),
                                                           .except = 42});
  memset(payload, 'x', sizeof payload);  // the message has its own copy
  assert_slice(message_payload(m), "payload");
  assert_slice(message_event(m), "event");
  assert_slice(message_key(m), "key");
  assert_int_equal(m->kind, MESSAGE_BINARY);
  assert_int_equal(m->except, 42);
  assert_int_equal(m->seq, 0);
  message_unref(m);
}

static void test_empty_and_longest_fields(void **state) {
  (void)state;
  static char text[65535];
  struct message *m = message_new(&(struct message_fields){.kind = MESSAGE_TEXT});
  assert_int_equal(message_payload(m).len + message_event(m).len + message_key(m).len, 0);
  message_unref(m);
  m = message_new(&(struct message_fields){.payload = slice_of(text, 65535),
                                           .event = slice_of(text, 255),
                                           .key = slice_of(text, 65535)});
  assert_int_equal(message_payload(m).len, 65535);
  assert_int_equal(message_event(m).len, 255);
  assert_int_equal(message_key(m).len, 65535);
  message_unref(m);
}

static atomic_int encoded_count;

static void encode_marked(const struct message *m, const char *epoch, void *tools,
                          struct buf *out) {
  (void)tools;
  atomic_fetch_add(&encoded_count, 1);
  buf_printf(out, "<%s:", epoch);
  buf_append_slice(out, message_payload(m));
  buf_append_char(out, '>');
}

static void encode_nothing(const struct message *m, const char *epoch, void *tools,
                           struct buf *out) {
  (void)m, (void)epoch, (void)tools, (void)out;
  atomic_fetch_add(&encoded_count, 1);
}

static metric_value made, held_bytes;
static const struct message_encoder marked = {encode_marked, "e", &made, &held_bytes};
static const struct message_encoder nothing = {encode_nothing, "e", &made, &held_bytes};

static void test_forms_are_encoded_once(void **state) {
  (void)state;
  atomic_store(&encoded_count, 0);
  struct message *m = message_new(&(struct message_fields){.payload = slice_str("hi")});
  const struct message_form *form = message_form(m, 0, &marked, NULL);
  assert_slice(slice_of(form->bytes, form->len), "<e:hi>");
  assert_ptr_equal(message_form(m, 0, &marked, NULL), form);
  assert_int_equal(atomic_load(&encoded_count), 1);
  assert_ptr_not_equal(message_form(m, MESSAGE_FORMS - 1, &marked, NULL), form);
  assert_int_equal(atomic_load(&encoded_count), 2);
  message_unref(m);
}

static void test_a_form_may_carry_nothing(void **state) {
  (void)state;
  atomic_store(&encoded_count, 0);
  struct message *m = message_new(&(struct message_fields){.payload = slice_str("hi")});
  assert_int_equal(message_form(m, 1, &nothing, NULL)->len, 0);
  assert_int_equal(message_form(m, 1, &nothing, NULL)->len, 0);
  assert_int_equal(atomic_load(&encoded_count), 1);
  message_unref(m);
}

// The last reference frees the message and its forms (the leak checker sees).
static void test_references(void **state) {
  (void)state;
  struct message *m = message_new(&(struct message_fields){.payload = slice_str("hi")});
  assert_ptr_equal(message_ref(m), m);
  message_form(m, 0, &marked, NULL);
  message_unref(m);
  assert_slice(message_payload(m), "hi");
  message_unref(m);
  message_unref(NULL);
}

static struct message *shared[ROUNDS];
static pthread_barrier_t barrier;

// All threads ask for the form of the same message at once, then drop it.
static void *ask(void *arg) {
  (void)arg;
  size_t wrong = 0;
  for (int i = 0; i < ROUNDS; i++) {
    pthread_barrier_wait(&barrier);
    const struct message_form *form = message_form(shared[i], 2, &marked, NULL);
    wrong += !slice_equal(slice_of(form->bytes, form->len), slice_str("<e:shared>"));
    message_unref(shared[i]);
  }
  return (void *)wrong;
}

static void test_threads_encode_once(void **state) {
  (void)state;
  atomic_store(&encoded_count, 0);
  for (int i = 0; i < ROUNDS; i++) {
    shared[i] = message_new(&(struct message_fields){.payload = slice_str("shared")});
    for (int t = 1; t < THREADS; t++) message_ref(shared[i]);
  }
  pthread_barrier_init(&barrier, NULL, THREADS);
  pthread_t threads[THREADS];
  for (int t = 0; t < THREADS; t++) pthread_create(&threads[t], NULL, ask, NULL);
  for (int t = 0; t < THREADS; t++) {
    void *wrong = NULL;
    pthread_join(threads[t], &wrong);
    assert_null(wrong);
  }
  pthread_barrier_destroy(&barrier);
  assert_int_equal(atomic_load(&encoded_count), ROUNDS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_carries_its_fields),
      cmocka_unit_test(test_empty_and_longest_fields),
      cmocka_unit_test(test_forms_are_encoded_once),
      cmocka_unit_test(test_a_form_may_carry_nothing),
      cmocka_unit_test(test_references),
      cmocka_unit_test(test_threads_encode_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
