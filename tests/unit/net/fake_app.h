// A C app that writes down what it is told, a line an event, and answers requests only
// when the test says so.
#ifndef TIDEGATE_TESTS_FAKE_APP_H
#define TIDEGATE_TESTS_FAKE_APP_H

#include "net/app.h"
#include "net/fake_server.h"

static struct buf fake_events;
static struct http_call *fake_last_call;  // NULL: over
static bool fake_app_skips_drained;       // does not note that output has gone

static inline void *fake_app_start(struct worker *worker, void *ctx) {
  (void)ctx;
  return worker;
}
static inline void fake_app_stop(void *state) { (void)state; }

static inline void fake_app_request(struct http_call *call) {
  fake_last_call = call;
  buf_printf(&fake_events, "request %.*s\n", (int)call->request->target.len,
             call->request->target.ptr);
}
static inline void fake_app_body(struct http_call *call) {
  struct slice body = http_body(call);
  buf_printf(&fake_events, "body %.*s\n", (int)body.len, body.ptr);
}
static inline void fake_app_request_drained(struct http_call *call) {
  (void)call;
  buf_append_str(&fake_events, "request drained\n");
}
static inline void fake_app_request_closed(struct http_call *call) {
  (void)call;
  fake_last_call = NULL;
  buf_append_str(&fake_events, "request closed\n");
}
static inline void fake_app_message(struct session *session, enum message_kind kind,
                                    struct slice data) {
  (void)session;
  buf_printf(&fake_events, "%s %.*s\n", kind == MESSAGE_TEXT ? "text" : "binary", (int)data.len,
             data.ptr);
}
static inline void fake_app_gap(struct session *session, struct slice topic, uint64_t missed) {
  (void)session;
  buf_printf(&fake_events, "gap %.*s %llu\n", (int)topic.len, topic.ptr,
             (unsigned long long)missed);
}
static inline void fake_app_drained(struct session *session) {
  (void)session;
  if (!fake_app_skips_drained) buf_append_str(&fake_events, "drained\n");
}
static inline void fake_app_closed(struct session *session, int code, struct slice reason) {
  (void)session;
  buf_printf(&fake_events, "closed %d %.*s\n", code, (int)reason.len, reason.ptr);
}

static const struct app fake_app = {
    .worker_start = fake_app_start,
    .worker_stop = fake_app_stop,
    .request = fake_app_request,
    .request_body = fake_app_body,
    .request_drained = fake_app_request_drained,
    .request_closed = fake_app_request_closed,
    .message = fake_app_message,
    .gap = fake_app_gap,
    .drained = fake_app_drained,
    .closed = fake_app_closed,
};

// All that was told since the last call, which forgets it.
#define expect_events(expected)                                          \
  do {                                                                   \
    buf_append_char(&fake_events, '\0');                                 \
    assert_string_equal(fake_events.data + fake_events.start, expected); \
    buf_clear(&fake_events);                                             \
  } while (0)

static inline int fake_app_open(void **state) {
  (void)state;
  fake_server_configure();
  assert_true(fake_server_start(&fake_app));
  fake_log_clear();
  return 0;
}

static inline int fake_app_close(void **state) {
  (void)state;
  fake_server_stop();
  buf_free(&fake_events);
  return 0;
}

#endif
