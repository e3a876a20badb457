// Sessions over a socket that takes so many bytes and no more: what the app and the hub
// send comes out whole, in order, and once, wherever a write was cut.
#include "net/session.h"

#include "hub/hub.h"
#include "net/fake_app.h"
#include "net/wire.h"

static const char message_a[] = "first message of the topic\n";
static const char message_b[] = "second one\n";
static const char direct[] = "direct output\n";

static unsigned rearmed_count, stalled_count, lagged_count;

static void on_data(struct conn *conn, char *data, size_t len) {
  (void)conn;
  buf_printf(&fake_events, "data %.*s\n", (int)len, data);
}
static void on_eof(struct conn *conn) { conn_close(conn); }
static void on_timeout(struct conn *conn) {
  (void)conn;
  buf_append_str(&fake_events, "timeout\n");
}
static void on_stalled(struct conn *conn) {
  stalled_count++;
  session_on_stalled(conn);
}
static void on_rearm(struct conn *conn) {
  rearmed_count++;
  session_on_rearm(conn);
}
static void on_go_on(struct conn *conn) {
  (void)conn;
  buf_append_str(&fake_events, "goes on\n");
}
static void on_stop(struct conn *conn) { conn_finish(conn); }
static void on_close(struct conn *conn) { session_end(session_of(conn), 1006, (struct slice){0}); }
static void on_lagged(struct session *session) {
  lagged_count++;
  conn_finish(&session->conn);
}
static bool holds_input(const struct session *session) {
  (void)session;
  return true;
}

// A protocol without a wire form of its own: it takes that of SSE.
static const struct session_ops plain_ops = {
    .conn = {on_data, on_eof, on_timeout, on_stalled, on_rearm, session_on_written, on_go_on,
             session_on_drained, on_stop, on_close},
    .open_count = offsetof(struct stats, streams),
    .holds_input = holds_input,
    .lagged = on_lagged,
};

static struct fake_peer *open_session(void) {
  struct fake_peer *peer = fake_peer_new(fake.worker, &plain_ops.conn);
  session_begin(peer->session, &plain_ops, WIRE_SSE, 0);
  fake_turns();
  return peer;
}

static void join(struct fake_peer *peer, const char *topic) {
  struct hub_join_options options = {.since = HUB_SINCE_NOW};
  assert_int_equal(hub_join(&peer->session->reader, slice_str(topic), &options, NULL), HUB_OK);
}

static void publish(const char *topic, const char *text) {
  struct message_fields fields = {.payload = slice_str(text), .topic = slice_str(topic)};
  assert_int_equal(hub_publish(fake.server.hub, fake.worker->port, message_new(&fields), NULL),
                   HUB_OK);
}

static void say(struct fake_peer *peer, const char *text) {
  buf_append_str(session_out(peer->session), text);
}

static void close_peer(struct fake_peer *peer) {
  if (peer->session != NULL) conn_close(&peer->session->conn);
  fake_turns();
  fake_peer_free(peer);
}

// What comes of it through a socket without a bound; ids differ, so they are cut out.
static char *without_ids(struct fake_peer *peer) {
  struct buf out = {0};
  char *text = mem_strdup(fake_peer_text(peer)), *rest = text, *line;
  while ((line = strsep(&rest, "\n")) != NULL) {
    if (strncmp(line, "id: ", 4) != 0) buf_printf(&out, "%s\n", line);
  }
  free(text);
  buf_append_char(&out, '\0');
  return out.data;
}

static void run_turn_of_all(struct fake_peer *peer) {
  say(peer, direct);
  publish("t", message_a);
  publish("t", message_b);
  fake_turns();
}

static void nothing_is_lost_or_doubled_wherever_a_write_is_cut(void **state) {
  (void)state;
  struct fake_peer *whole = open_session();
  join(whole, "t");
  run_turn_of_all(whole);
  char *expected = without_ids(whole);
  size_t bytes = buf_len(&whole->output);
  close_peer(whole);
  expect_events("drained\nclosed 1006 \n");
  for (size_t room = 0; room <= bytes; room++) {
    struct fake_peer *peer = open_session();
    join(peer, "t");
    peer->room = room;
    run_turn_of_all(peer);
    assert_int_equal(buf_len(&peer->output), room < bytes ? room : bytes);
    say(peer, "later\n");  // behind what was begun, before what was not
    fake_turns();
    fake_peer_give_room(peer, SIZE_MAX);
    fake_turns();
    assert_true(fake_peer_has(peer, "later\n"));
    char *later = memmem(peer->output.data, buf_len(&peer->output), "later\n", 6);
    memmove(later, later + 6, (size_t)(peer->output.data + peer->output.end - later - 6));
    buf_chop(&peer->output, 6);
    char *got = without_ids(peer);
    assert_string_equal(got, expected);
    free(got);
    close_peer(peer);
    buf_clear(&fake_events);
  }
  free(expected);
}

static void output_goes_out_byte_by_byte(void **state) {
  (void)state;
  struct fake_peer *peer = open_session();
  join(peer, "t");
  peer->room = 0;
  run_turn_of_all(peer);
  size_t last = 0;
  for (int i = 0; i < 1000 && !fake_peer_has(peer, "data: second one"); i++) {
    fake_peer_give_room(peer, 1);
    fake_turns();
    assert_int_equal(buf_len(&peer->output), last + 1);
    last++;
  }
  assert_true(fake_peer_has(peer, direct));
  assert_true(strstr(fake_peer_text(peer), direct) < strstr(fake_peer_text(peer), "data: first"));
  close_peer(peer);
  expect_events("drained\nclosed 1006 \n");
}

static void drained_is_told_once_and_before_the_topic_has_gone(void **state) {
  (void)state;
  struct fake_peer *peer = open_session();
  join(peer, "t");
  peer->room = strlen(direct) + 3;
  run_turn_of_all(peer);
  expect_events("drained\n");
  assert_int_equal(session_out_bytes(peer->session), 0);
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  expect_events("");
  assert_true(fake_peer_has(peer, "data: second one"));
  close_peer(peer);
  expect_events("closed 1006 \n");
}

static void a_bound_holds_what_piles_up_but_not_one_message(void **state) {
  (void)state;
  struct fake_peer *peer = open_session();
  size_t bound = fake.config.send_queue_bytes;
  peer->room = 0;
  assert_true(session_has_room(peer->session, bound + 1));
  say(peer, direct);
  assert_true(session_has_room(peer->session, bound - strlen(direct)));
  assert_false(session_has_room(peer->session, bound - strlen(direct) + 1));
  long long full = metric_get(&fake.server.stats.sends_full);
  assert_int_equal(session_refuse_full(peer->session), SESSION_FULL);
  assert_int_equal(metric_get(&fake.server.stats.sends_full), full + 1);
  close_peer(peer);
  expect_events("closed 1006 \n");
}

static void who_takes_nothing_is_cut_after_the_write_timeout(void **state) {
  (void)state;
  struct fake_peer *peer = open_session();
  stalled_count = rearmed_count = 0;
  conn_set_timeout(&peer->session->conn, 100);
  peer->room = 0;
  say(peer, direct);
  fake_turns();
  fake_wait_ms(1000);  // the timeout stands back
  expect_events("");
  fake_peer_give_room(peer, 1);
  fake_turns();
  fake_wait_ms(fake.config.write_timeout_ms);  // it took a byte since
  assert_non_null(peer->session);
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  assert_int_equal(rearmed_count, 1);
  expect_events("drained\n");
  peer->room = 0;
  say(peer, direct);
  long long slow = metric_get(&fake.server.stats.slow_readers);
  fake_wait_ms(fake.config.write_timeout_ms);
  assert_null(peer->session);
  assert_int_equal(stalled_count, 1);
  assert_int_equal(metric_get(&fake.server.stats.slow_readers), slow + 1);
  assert_true(fake_log_has("takes nothing for too long"));
  expect_events("closed 1006 \n");
  fake_peer_free(peer);
}

static void a_gap_is_told_before_the_messages_behind_it(void **state) {
  (void)state;
  struct hub_rule rule = {.pattern = "t", .history = 2};
  hub_rules_set(fake.server.hub, &rule, 1);
  struct fake_peer *peer = open_session();
  join(peer, "t");
  peer->room = 0;
  publish("t", message_a);
  fake_turns();
  for (int i = 0; i < 5; i++) {
    publish("t", i < 4 ? "lost" : message_b);
    fake_turns();
  }
  expect_events("");
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  assert_true(fake_peer_has(peer, "second one"));
  buf_append_char(&fake_events, '\0');
  assert_non_null(strstr(fake_events.data, "gap t "));
  buf_clear(&fake_events);
  close_peer(peer);
  buf_clear(&fake_events);
  hub_rules_set(fake.server.hub, NULL, 0);
}

static void the_policy_close_ends_it(void **state) {
  (void)state;
  struct hub_rule rule = {.pattern = "u", .history = 1, .lag = HUB_LAG_CLOSE};
  hub_rules_set(fake.server.hub, &rule, 1);
  struct fake_peer *peer = open_session();
  lagged_count = 0;
  join(peer, "u");
  peer->room = 0;
  for (int i = 0; i < 8; i++) {
    publish("u", message_a);
    fake_turns();
  }
  fake_peer_give_room(peer, SIZE_MAX);
  fake_turns();
  assert_int_equal(lagged_count, 1);
  assert_true(peer->is_shut);
  fake_peer_end(peer);
  fake_turns();
  assert_null(peer->session);
  fake_peer_free(peer);
  buf_clear(&fake_events);
  hub_rules_set(fake.server.hub, NULL, 0);
}

static void reading_stops_and_begins_where_it_was(void **state) {
  (void)state;
  struct fake_peer *peer = open_session();
  session_set_reading(peer->session, false);
  fake_peer_send_text(peer, "one");
  fake_turns();
  expect_events("");
  session_set_reading(peer->session, true);
  expect_events("");
  fake_turns();
  expect_events("goes on\ndata one\n");  // what the session held comes first
  conn_go_on_later(&peer->session->conn);
  fake_peer_send_text(peer, "two");
  expect_events("");  // waits for its turn
  fake_turns();
  expect_events("goes on\ndata two\n");
  conn_go_on(&peer->session->conn);
  fake_turns();
  expect_events("goes on\n");
  session_set_reading(peer->session, false);
  fake_peer_end(peer);
  fake_turns();
  assert_non_null(peer->session);  // the end was seen, not read
  session_set_reading(peer->session, true);
  fake_turns();
  assert_null(peer->session);
  expect_events("goes on\nclosed 1006 \n");
  fake_peer_free(peer);
}

static void deadlines_hold_and_timeouts_stand_back(void **state) {
  (void)state;
  struct fake_peer *peer = open_session();
  struct conn *conn = &peer->session->conn;
  conn_set_timeout(conn, 50);
  fake_wait_ms(49);
  expect_events("");
  fake_wait_ms(1);
  expect_events("timeout\n");
  conn_set_timeout(conn, 50);
  conn_set_timeout(conn, 0);
  fake_wait_ms(100);
  expect_events("");
  conn_set_deadline(conn, 80);
  peer->room = 0;
  say(peer, direct);
  fake_wait_ms(80);  // however the peer reads
  expect_events("timeout\n");
  close_peer(peer);
  expect_events("closed 1006 \n");
}

static void lingers_for_the_end_of_the_peer(void **state) {
  (void)state;
  struct fake_peer *peer = open_session();
  say(peer, direct);
  conn_finish(&peer->session->conn);
  fake_turns();
  assert_true(peer->is_shut);
  assert_true(fake_peer_has(peer, direct));
  fake_peer_send_text(peer, "thrown away");
  fake_turns();
  fake_wait_ms(SOCK_LINGER_MS - 1);
  assert_non_null(peer->session);
  fake_wait_ms(1);
  assert_null(peer->session);
  expect_events("closed 1006 \n");
  fake_peer_free(peer);
}

static void a_broken_socket_ends_it_on_read_and_on_write(void **state) {
  (void)state;
  struct fake_peer *peer = open_session();
  fake_peer_break(peer);
  fake_turns();
  assert_null(peer->session);
  fake_peer_free(peer);
  expect_events("closed 1006 \n");
  peer = open_session();
  say(peer, direct);
  peer->is_broken = true;
  fake_turns();
  assert_null(peer->session);
  fake_peer_free(peer);
  expect_events("closed 1006 \n");
  peer = open_session();
  join(peer, "t");
  publish("t", message_a);
  peer->is_broken = true;
  fake_turns();
  assert_null(peer->session);
  fake_peer_free(peer);
  expect_events("closed 1006 \n");
  peer = open_session();
  fake_peer_tell(peer, EPOLLERR);
  fake_turns();
  assert_null(peer->session);
  fake_peer_free(peer);
  expect_events("closed 1006 \n");
}

static void ids_and_addresses(void **state) {
  (void)state;
  struct fake_peer *a = open_session(), *b = open_session();
  char address[64];
  assert_true(session_id(a->session) != session_id(b->session));
  session_peer(a->session, address, sizeof address);
  assert_string_equal(address, "");  // the descriptor of a fake peer is no socket
  assert_ptr_equal(session_worker(a->session), fake.worker);
  session_set_app(a->session, address);
  assert_ptr_equal(session_app(a->session), address);
  assert_int_equal(metric_get(&fake.server.stats.streams), 2);
  close_peer(a);
  close_peer(b);
  assert_int_equal(metric_get(&fake.server.stats.streams), 0);
  assert_int_equal(metric_get(&fake.server.stats.connections), 0);
  buf_clear(&fake_events);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_lost_or_doubled_wherever_a_write_is_cut),
      cmocka_unit_test(output_goes_out_byte_by_byte),
      cmocka_unit_test(drained_is_told_once_and_before_the_topic_has_gone),
      cmocka_unit_test(a_bound_holds_what_piles_up_but_not_one_message),
      cmocka_unit_test(who_takes_nothing_is_cut_after_the_write_timeout),
      cmocka_unit_test(a_gap_is_told_before_the_messages_behind_it),
      cmocka_unit_test(the_policy_close_ends_it),
      cmocka_unit_test(reading_stops_and_begins_where_it_was),
      cmocka_unit_test(deadlines_hold_and_timeouts_stand_back),
      cmocka_unit_test(lingers_for_the_end_of_the_peer),
      cmocka_unit_test(a_broken_socket_ends_it_on_read_and_on_write),
      cmocka_unit_test(ids_and_addresses),
  };
  return cmocka_run_group_tests(tests, fake_app_open, fake_app_close);
}
