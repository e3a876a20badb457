// HTTP/1.1 on a connection whose bytes the test sends one by one: calls in their order,
// bodies, pieces, refusals, and what each leaves of the connection.
#include "net/http1.h"

#include "net/fake_app.h"

#define GET "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"

static struct fake_peer *open_peer(void) {
  struct fake_peer *peer = fake_peer_open_http(fake.worker);
  fake_turns();
  return peer;
}

static void close_peer(struct fake_peer *peer) {
  if (peer->session != NULL) conn_close(&peer->session->conn);
  fake_turns();
  fake_peer_free(peer);
  buf_clear(&fake_events);
}

static void answer(const char *body) {
  assert_non_null(fake_last_call);
  assert_int_equal(http_respond(fake_last_call, 200, NULL, 0, slice_str(body)), HTTP_SENT);
  fake_turns();
}

static unsigned count_of(struct fake_peer *peer, const char *text) {
  unsigned count = 0;
  for (const char *at = fake_peer_text(peer); (at = strstr(at, text)) != NULL; at++) count++;
  return count;
}

static void requests_come_byte_by_byte(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  const char *text = POST "hello" GET;
  for (size_t i = 0; text[i] != '\0'; i++) {
    fake_peer_send(peer, text + i, 1);
    if (i == strlen(POST) - 1) {
      expect_events("request /p\n");
      assert_false(http_want_body(fake_last_call));
    }
    if (i == strlen(POST) + 4) {
      expect_events("body hello\n");
      answer("one");
      expect_events("request closed\n");
    }
  }
  expect_events("request /a\n");
  answer("two");
  assert_int_equal(count_of(peer, "HTTP/1.1 200 OK\r\n"), 2);
  assert_int_equal(count_of(peer, "Content-Length: 3\r\n"), 2);
  assert_true(fake_peer_has(peer, "\r\n\r\none") && fake_peer_has(peer, "\r\n\r\ntwo"));
  close_peer(peer);
}

static void pipelined_requests_wait_for_their_turn(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  fake_peer_send_text(peer, GET "GET /b HTTP/1.1\r\nHost: x\r\n\r\n" POST "hello");
  expect_events("request /a\n");
  answer("1");
  expect_events("request closed\nrequest /b\n");
  fake_peer_send_text(peer, GET);
  expect_events("");
  answer("2");
  expect_events("request closed\nrequest /p\n");
  answer("3");  // the body, which nobody asked for, is read over
  expect_events("request closed\nrequest /a\n");
  answer("4");
  assert_int_equal(count_of(peer, "HTTP/1.1 200 OK\r\n"), 4);
  close_peer(peer);
}

static void too_much_of_a_pipeline_is_not_read(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  fake_peer_send_text(peer, GET);
  for (int i = 0; i < 5000; i++) fake_peer_send_text(peer, GET);
  assert_false(peer->session->conn.is_reading);
  assert_true(buf_len(&peer->input) > 0);
  for (int i = 0; i <= 5000; i++) {
    assert_non_null(fake_last_call);
    answer("x");
    fake_peer_clear(peer);
  }
  assert_null(fake_last_call);
  assert_true(peer->session->conn.is_reading);
  close_peer(peer);
}

static void a_client_that_waits_is_told_to_continue(void **state) {
  (void)state;
  static const char head[] =
      "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  struct fake_peer *peer = open_peer();
  fake_peer_send_text(peer, head);
  fake_turns();
  assert_int_equal(buf_len(&peer->output), 0);
  assert_false(http_want_body(fake_last_call));
  assert_false(http_want_body(fake_last_call));
  fake_turns();
  assert_string_equal(fake_peer_text(peer), "HTTP/1.1 100 Continue\r\n\r\n");
  fake_peer_send_text(peer, "ok");
  expect_events("request /p\nbody ok\n");
  assert_true(http_want_body(fake_last_call));
  answer("");
  assert_false(peer->is_shut);
  buf_clear(&fake_events);
  // Answered at once it may or may not send the body: only closing is unambiguous.
  fake_peer_clear(peer);
  fake_peer_send_text(peer, head);
  answer("no");
  assert_true(fake_peer_has(peer, "Connection: close\r\n") && peer->is_shut);
  close_peer(peer);
}

static void answers_come_in_pieces(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  struct http_field field = {slice_str("X-A"), slice_str("b")};
  fake_peer_send_text(peer, GET);
  assert_int_equal(http_respond_head(fake_last_call, 200, &field, 1), HTTP_SENT);
  assert_true(http_is_started(fake_last_call));
  assert_int_equal(http_respond_head(fake_last_call, 200, NULL, 0), HTTP_SEND_STARTED);
  assert_int_equal(http_respond(fake_last_call, 200, NULL, 0, slice_str("")), HTTP_SEND_STARTED);
  assert_int_equal(http_respond_write(fake_last_call, slice_str("one")), HTTP_SENT);
  assert_int_equal(http_respond_write(fake_last_call, slice_str("")), HTTP_SENT);
  fake_turns();
  expect_events("request /a\nrequest drained\n");
  peer->room = 100;
  static char much[2 << 20];
  memset(much, 'x', sizeof much);
  assert_int_equal(http_respond_write(fake_last_call, slice_of(much, sizeof much)), HTTP_SEND_FULL);
  fake_turns();
  expect_events("");
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  expect_events("request drained\n");
  http_respond_end(fake_last_call);
  expect_events("request closed\n");
  fake_turns();
  assert_true(fake_peer_has(peer, "X-A: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"));
  assert_true(strcmp(fake_peer_text(peer) + buf_len(&peer->output) - 5, "0\r\n\r\n") == 0);
  close_peer(peer);
}

static void pieces_for_http_1_0_end_with_the_connection(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  fake_peer_send_text(peer, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  http_respond_head(fake_last_call, 200, NULL, 0);
  http_respond_write(fake_last_call, slice_str("all"));
  http_respond_end(fake_last_call);
  fake_turns();
  assert_true(fake_peer_has(peer, "Connection: close\r\n\r\nall") && peer->is_shut);
  close_peer(peer);
  peer = open_peer();
  fake_peer_send_text(peer, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  answer("whole");
  assert_true(fake_peer_has(peer, "Connection: keep-alive\r\n") && !peer->is_shut);
  close_peer(peer);
}

static void bodies_are_left_out_where_none_belongs(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  fake_peer_send_text(peer, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  answer("hello");
  assert_true(fake_peer_has(peer, "Content-Length: 5\r\n\r\n"));
  assert_false(fake_peer_has(peer, "hello"));
  static const int statuses[] = {204, 205, 304};
  for (size_t i = 0; i < 3; i++) {
    fake_peer_clear(peer);
    fake_peer_send_text(peer, GET);
    http_respond(fake_last_call, statuses[i], NULL, 0, slice_str("hello"));
    fake_turns();
    assert_false(fake_peer_has(peer, "hello"));
    assert_int_equal(fake_peer_has(peer, "Content-Length: 0\r\n"), statuses[i] == 205);
  }
  fake_peer_clear(peer);
  fake_peer_send_text(peer, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  http_respond_head(fake_last_call, 200, NULL, 0);
  http_respond_write(fake_last_call, slice_str("hello"));
  http_respond_end(fake_last_call);
  fake_turns();
  assert_false(fake_peer_has(peer, "hello"));
  close_peer(peer);
}

static void fields_of_the_server_are_refused(void **state) {
  (void)state;
  static const struct http_field fields[] = {
      {{"Content-Length", 14}, {"5", 1}},
      {{"Date", 4}, {"x", 1}},
      {{"connection", 10}, {"x", 1}},
      {{"a b", 3}, {"x", 1}},
      {{"a", 1}, {"x\ny", 3}},
  };
  struct fake_peer *peer = open_peer();
  fake_peer_send_text(peer, GET);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    assert_int_equal(http_respond(fake_last_call, 200, &fields[i], 1, slice_str("")),
                     HTTP_SEND_BAD_FIELD);
  struct http_field upgrade = {slice_str("Upgrade"), slice_str("websocket")};
  assert_int_equal(http_respond(fake_last_call, 426, &upgrade, 1, slice_str("")), HTTP_SENT);
  fake_turns();
  assert_true(fake_peer_has(peer, "Connection: Upgrade\r\n"));
  close_peer(peer);
}

static void what_cannot_be_read_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *status;
  } rows[] = {
      {"GET\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n", "HTTP/1.1 413 "},
      {"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "HTTP/1.1 501 "},
      {"GET / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", "HTTP/1.1 417 "},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct fake_peer *peer = open_peer();
    long long bad = metric_get(&fake.server.stats.bad_requests);
    fake_peer_send_text(peer, rows[i].text);
    fake_turns();
    if (!fake_peer_has(peer, rows[i].status))
      fail_msg("%s: %s", rows[i].text, fake_peer_text(peer));
    assert_true(fake_peer_has(peer, "Connection: close\r\n") && peer->is_shut);
    assert_int_equal(metric_get(&fake.server.stats.bad_requests), bad + 1);
    expect_events("");
    close_peer(peer);
  }
}

static void a_body_that_breaks_ends_the_request(void **state) {
  (void)state;
  static const char head[] =
      "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
  struct fake_peer *peer = open_peer();
  fake_peer_send_text(peer, head);
  http_want_body(fake_last_call);
  fake_peer_send_text(peer, "zz\r\n");
  fake_turns();
  expect_events("request /p\nrequest closed\n");
  assert_true(fake_peer_has(peer, "HTTP/1.1 400 "));
  close_peer(peer);
  peer = open_peer();
  fake_peer_send_text(peer, head);
  http_respond_head(fake_last_call, 200, NULL, 0);  // half of an answer must not look whole
  fake_peer_send_text(peer, "zz\r\n");
  fake_turns();
  assert_null(peer->session);
  close_peer(peer);
  peer = open_peer();
  fake_peer_send_text(peer, head);
  answer("early");
  fake_peer_send_text(peer, "zz\r\n");
  fake_turns();
  assert_true(fake_peer_has(peer, "early") && peer->is_shut);
  close_peer(peer);
}

static void a_client_may_end_its_side_and_be_answered(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  fake_peer_send_text(peer, GET GET);
  fake_peer_end(peer);
  fake_turns();
  answer("one");
  answer("two");
  fake_turns();
  assert_int_equal(count_of(peer, "HTTP/1.1 200 OK\r\n"), 2);
  assert_null(peer->session);
  close_peer(peer);
  static const char *const texts[] = {"", "GET /a HT", POST "he"};
  for (size_t i = 0; i < 3; i++) {
    peer = open_peer();
    fake_peer_send_text(peer, texts[i]);
    fake_peer_end(peer);
    fake_turns();
    assert_null(peer->session);
    assert_int_equal(buf_len(&peer->output), 0);
    close_peer(peer);
  }
}

static void slow_clients_are_refused(void **state) {
  (void)state;
  const struct config *config = &fake.config;
  struct fake_peer *peer = open_peer();
  fake_wait_ms(config->header_timeout_ms);
  assert_null(peer->session);  // said nothing: nothing is said
  assert_int_equal(buf_len(&peer->output), 0);
  close_peer(peer);
  peer = open_peer();
  fake_peer_send_text(peer, "GET /a");
  fake_wait_ms(config->header_timeout_ms / 2);
  fake_peer_send_text(peer, "b");  // it has one time for all of the head
  fake_wait_ms(config->header_timeout_ms / 2);
  assert_true(fake_peer_has(peer, "HTTP/1.1 408 "));
  assert_true(fake_peer_has(peer, "the request head took too long"));
  close_peer(peer);
  peer = open_peer();
  fake_peer_send_text(peer, POST "he");
  fake_wait_ms(config->body_timeout_ms);
  expect_events("request /p\nrequest closed\n");
  assert_true(fake_peer_has(peer, "the request body took too long"));
  close_peer(peer);
  peer = open_peer();
  fake_peer_send_text(peer, GET);
  fake_wait_ms(10 * config->body_timeout_ms);  // the app may take its time
  answer("x");
  fake_wait_ms(config->idle_timeout_ms - 1);
  assert_non_null(peer->session);
  fake_wait_ms(1);
  assert_null(peer->session);
  close_peer(peer);
}

static void who_does_not_read_is_not_answered_into_memory(void **state) {
  (void)state;
  static char much[2 << 20];
  memset(much, 'x', sizeof much - 1);
  struct fake_peer *peer = open_peer();
  peer->room = 0;
  fake_peer_send_text(peer, GET);
  answer(much);
  expect_events("request /a\nrequest closed\n");
  fake_peer_send_text(peer, GET);
  fake_turns();
  expect_events("");
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  expect_events("request /a\n");
  answer("y");
  close_peer(peer);
}

static void an_abort_cuts_the_connection(void **state) {
  (void)state;
  struct fake_peer *peer = open_peer();
  fake_peer_send_text(peer, "GET /a HTTP/1.0\r\n\r\n");
  http_respond_head(fake_last_call, 200, NULL, 0);
  http_respond_write(fake_last_call, slice_str("half"));
  http_respond_abort(fake_last_call);
  fake_turns();
  expect_events("request /a\nrequest closed\n");
  assert_null(peer->session);
  close_peer(peer);
}

static void beyond_the_limit_connections_are_refused(void **state) {
  (void)state;
  enum { REFUSED = 70 };  // more than are held at a time
  uint64_t limit = fake.config.connections;
  struct fake_peer *peer = open_peer();
  fake.config.connections = 1;
  long long refused = metric_get(&fake.server.stats.refused);
  for (int i = 0; i < REFUSED; i++) http1_open(fake.worker, fake_peer_fd());
  assert_int_equal(metric_get(&fake.server.stats.refused), refused + REFUSED);
  assert_int_equal(fake.worker->conns.count, 1);
  fake_wait_ms(SOCK_LINGER_MS);
  fake.config.connections = limit;
  close_peer(peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_come_byte_by_byte),
      cmocka_unit_test(pipelined_requests_wait_for_their_turn),
      cmocka_unit_test(too_much_of_a_pipeline_is_not_read),
      cmocka_unit_test(a_client_that_waits_is_told_to_continue),
      cmocka_unit_test(answers_come_in_pieces),
      cmocka_unit_test(pieces_for_http_1_0_end_with_the_connection),
      cmocka_unit_test(bodies_are_left_out_where_none_belongs),
      cmocka_unit_test(fields_of_the_server_are_refused),
      cmocka_unit_test(what_cannot_be_read_is_refused),
      cmocka_unit_test(a_body_that_breaks_ends_the_request),
      cmocka_unit_test(a_client_may_end_its_side_and_be_answered),
      cmocka_unit_test(slow_clients_are_refused),
      cmocka_unit_test(who_does_not_read_is_not_answered_into_memory),
      cmocka_unit_test(an_abort_cuts_the_connection),
      cmocka_unit_test(beyond_the_limit_connections_are_refused),
  };
  return cmocka_run_group_tests(tests, fake_app_open, fake_app_close);
}
