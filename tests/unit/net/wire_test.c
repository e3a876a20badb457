// The wire forms on a hub: a message is made into each once, however many
// subscribers on however many workers want it.
#include "net/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hub/hub.h"
#include "net/worker.h"
#include "net/ws.h"
#include "proto/ws_message.h"

enum { WORKERS = 2, READERS = 1000 };

// Of a worker no more is there than what encoding and delivering need.
static struct worker workers[WORKERS];
static struct hub *hub;
static struct hub_reader readers[READERS];
static struct buf taken;  // what the reader before was given
static unsigned taken_count;

static void on_wake(void *ctx) { (void)ctx; }

static void on_gap(struct hub_reader *reader, struct slice topic, uint64_t missed,
                   enum hub_lag policy) {
  (void)reader, (void)topic, (void)missed, (void)policy;
}

static size_t on_deliver(struct hub_reader *reader, const struct hub_batch *batch) {
  (void)reader;
  if (taken_count++ == 0) buf_append_slice(&taken, batch->bytes);
  assert_true(slice_equal(batch->bytes, buf_slice(&taken)));
  return batch->count;
}

static const struct hub_port_ops ops = {on_wake, on_deliver, on_gap};

static int open_hub(void **state) {
  (void)state;
  hub = hub_new(wire_encoders, WIRE_FORMS);
  for (int i = 0; i < WORKERS; i++) {
    ws_open_worker(&workers[i]);
    workers[i].port = hub_port_new(hub, &ops, &workers[i]);
  }
  return 0;
}

static int close_hub(void **state) {
  (void)state;
  for (int i = 0; i < READERS; i++) hub_reader_close(&readers[i]);
  for (int i = 0; i < WORKERS; i++) {
    hub_port_free(workers[i].port);
    ws_close_worker(&workers[i]);
  }
  hub_free(hub);
  buf_free(&taken);
  return 0;
}

static void publish(struct slice text) {
  struct message_fields fields = {.payload = text, .topic = slice_str("t")};
  assert_int_equal(hub_publish(hub, NULL, message_new(&fields), NULL), HUB_OK);
  for (int i = 0; i < WORKERS; i++) hub_deliver(workers[i].port);
}

static void a_message_to_a_thousand_is_compressed_once(void **state) {
  (void)state;
  static char text[500];
  memset(text, 'a', sizeof text);
  for (int i = 0; i < READERS; i++) {
    struct hub_join_options options = {.since = HUB_SINCE_NOW};
    hub_reader_init(&readers[i], workers[i % WORKERS].port, (uint64_t)i + 1, WIRE_WS_DEFLATED);
    assert_int_equal(hub_join(&readers[i], slice_str("t"), &options, NULL), HUB_OK);
  }
  publish(slice_of(text, sizeof text));
  assert_int_equal(taken_count, READERS);
  assert_int_equal(hub_counters(hub)->encoded, 1);
  assert_true(buf_len(&taken) < 30 && (taken.data[0] & WS_RSV1) != 0);
}

// What a reader of the form is given of a message.
static void expect_form(unsigned form, const char *start, size_t len) {
  char text[200];
  memset(text, 'a', sizeof text);
  struct message_fields fields = {.payload = slice_of(text, sizeof text), .topic = slice_str("t")};
  struct message *m = message_new(&fields);
  struct slice bytes = hub_form(workers[0].port, m, form);
  assert_true(bytes.len >= len);
  assert_memory_equal(bytes.ptr, start, len);
  // The form is kept with the message.
  assert_ptr_equal(hub_form(workers[1].port, m, form).ptr, bytes.ptr);
  message_unref(m);
}

static void each_form_is_that_of_its_protocol(void **state) {
  (void)state;
  expect_form(WIRE_WS,
              "\x81\x7e\0\xc8"
              "aaa",
              7);
  expect_form(WIRE_WS_ENVELOPE, "\x81\x7e\0", 3);
  expect_form(WIRE_WS_DEFLATED, "\xc1", 1);
  expect_form(WIRE_WS_ENVELOPE_DEFLATED, "\xc1", 1);
  expect_form(WIRE_SSE, "data: aaa", 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_to_a_thousand_is_compressed_once),
      cmocka_unit_test(each_form_is_that_of_its_protocol),
  };
  return cmocka_run_group_tests(tests, open_hub, close_hub);
}
