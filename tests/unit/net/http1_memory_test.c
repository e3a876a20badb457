// What HTTP input under way may hold together (message_memory), requests that look like
// smuggling, and requests behind a client's end.
#include "net/fake_app.h"

static char answer[3000];

static int open_server(void **state) {
  (void)state;
  memset(answer, 'x', sizeof answer);
  fake_app_skips_drained = true;
  fake_server_configure();
  fake_server_set("message_memory", "10000");
  fake_server_set("send_queue", "1024");
  assert_true(fake_server_start(&fake_app));
  fake_log_clear();
  buf_clear(&fake_events);
  return 0;
}

static void leave(struct fake_peer *peer) {
  if (peer->session != NULL) conn_close(&peer->session->conn);
  fake_turns();
  fake_peer_free(peer);
  buf_clear(&fake_events);
}

static void send_many(struct fake_peer *peer, char letter, size_t count) {
  char *text = mem_alloc(count);
  memset(text, letter, count);
  fake_peer_send(peer, text, count);
  free(text);
}

static long long refused(void) { return metric_get(&fake.server.stats.refused_memory); }

static struct fake_peer *begin_body(const char *length) {
  struct fake_peer *peer = fake_peer_open_http(fake.worker);
  char *head = mem_format("POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", length);
  fake_peer_send_text(peer, head);
  free(head);
  assert_false(http_want_body(fake_last_call));
  return peer;
}

static void respond(struct http_call *call, int status, size_t bytes) {
  assert_int_equal(http_respond(call, status, NULL, 0, slice_of(answer, bytes)), HTTP_SENT);
}

static void check_bodies(const char *length, const char *chunk) {
  long long before = refused();
  struct fake_peer *first = begin_body(length);
  struct http_call *call = fake_last_call;
  fake_peer_send_text(first, chunk);
  send_many(first, 'a', 8000);
  struct fake_peer *second = begin_body(length);
  fake_peer_send_text(second, chunk);
  send_many(second, 'b', 8000);
  fake_turns();
  assert_true(fake_peer_has(second, "HTTP/1.1 503 "));
  assert_true(fake_peer_has(second, "too many requests are under way"));
  assert_int_equal(refused() - before, 1);
  // The first is not touched, and whoever comes with less is served.
  respond(call, 200, 2);
  fake_turns();
  assert_true(fake_peer_has(first, "HTTP/1.1 200 "));
  leave(first);
  leave(second);
  assert_int_equal(fake.worker->held_bytes, 0);
}

static void bodies_beyond_the_bound_are_refused(void **state) {
  (void)state;
  check_bodies("Content-Length: 9000", "");
}

static void so_are_chunked_ones(void **state) {
  (void)state;
  check_bodies("Transfer-Encoding: chunked", "2328\r\n");  // 9000
}

static void a_complete_body_is_held_until_the_answer(void **state) {
  (void)state;
  struct fake_peer *peer = begin_body("Content-Length: 8000");
  send_many(peer, 'a', 8000);
  assert_true(fake.worker->held_bytes >= 8000);
  respond(fake_last_call, 200, 2);
  assert_int_equal(fake.worker->held_bytes, 0);
  leave(peer);
}

static void heads_count_too(void **state) {
  (void)state;
  long long before = refused();
  struct fake_peer *peer = fake_peer_open_http(fake.worker);
  fake_peer_send_text(peer, "GET / HTTP/1.1\r\nX: ");
  send_many(peer, 'a', 5000);
  assert_true(fake.worker->held_bytes >= 5000);
  send_many(peer, 'a', 5000);
  fake_turns();
  assert_true(fake_peer_has(peer, "HTTP/1.1 503 "));
  assert_int_equal(refused() - before, 1);
  assert_int_equal(fake.worker->held_bytes, 0);  // though the peer is still there
  leave(peer);
}

static void requests_behind_one_are_dropped_with_the_connection(void **state) {
  (void)state;
  long long before = refused();
  struct fake_peer *peer = fake_peer_open_http(fake.worker);
  fake_peer_send_text(peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  struct http_call *call = fake_last_call;
  for (int i = 0; i < 500; i++) fake_peer_send_text(peer, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  assert_int_equal(refused() - before, 1);
  respond(call, 200, 2);
  fake_turns();
  expect_events("request /a\nrequest closed\n");
  assert_true(fake_peer_has(peer, "Connection: close\r\n"));
  assert_true(peer->is_shut);
  leave(peer);
  assert_int_equal(fake.worker->held_bytes, 0);
}

// ---- content that means nothing ------------------------------------------------

// Whether what follows the body is answered, too.
static bool goes_on_after(const char *head, int status) {
  struct fake_peer *peer = fake_peer_open_http(fake.worker);
  fake_peer_send_text(peer, head);
  respond(fake_last_call, status, 2);
  bool says_close = fake_peer_has(peer, "Connection: close\r\n");
  fake_turns();
  says_close = says_close || fake_peer_has(peer, "Connection: close\r\n");
  buf_clear(&fake_events);
  fake_peer_send_text(peer, "abcGET /behind HTTP/1.1\r\nHost: x\r\n\r\n");
  fake_turns();
  bool goes_on = buf_len(&fake_events) > 0;
  assert_true(says_close != goes_on);
  leave(peer);
  return goes_on;
}

#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define REST "Host: x\r\nContent-Length: 3\r\n\r\n"

static void content_that_means_nothing_ends_the_connection(void **state) {
  (void)state;
  assert_false(goes_on_after("GET / HTTP/1.1\r\n" UPGRADE REST, 400));
  assert_false(goes_on_after("GET / HTTP/1.1\r\n" UPGRADE REST, 200));
  assert_false(goes_on_after("POST / HTTP/1.1\r\n" UPGRADE REST, 200));
  assert_false(goes_on_after("GET / HTTP/1.1\r\n" REST, 404));
  assert_true(goes_on_after("GET / HTTP/1.1\r\n" REST, 200));
  assert_true(goes_on_after("POST / HTTP/1.1\r\n" REST, 401));
}

// ---- behind the client's end ---------------------------------------------------

// The output is full, and gets room in the same moment in which the end is read.
static void requests_behind_a_full_output_and_an_end_are_answered(void **state) {
  (void)state;
  struct fake_peer *peer = fake_peer_open_http(fake.worker);
  peer->room = 0;
  fake_peer_send_text(peer, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  respond(fake_last_call, 200, sizeof answer);
  fake_turns();
  expect_events("request /a\nrequest closed\n");
  peer->has_ended = true;
  peer->room = SIZE_MAX;
  fake_peer_tell(peer, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  fake_turns();
  expect_events("request /b\n");
  respond(fake_last_call, 200, 2);
  fake_turns();
  assert_null(peer->session);
  leave(peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bodies_beyond_the_bound_are_refused),
      cmocka_unit_test(so_are_chunked_ones),
      cmocka_unit_test(a_complete_body_is_held_until_the_answer),
      cmocka_unit_test(heads_count_too),
      cmocka_unit_test(requests_behind_one_are_dropped_with_the_connection),
      cmocka_unit_test(content_that_means_nothing_ends_the_connection),
      cmocka_unit_test(requests_behind_a_full_output_and_an_end_are_answered),
  };
  return cmocka_run_group_tests(tests, open_server, fake_app_close);
}
