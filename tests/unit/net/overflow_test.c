// Output that clients leave unread: what all of a worker hold together, and who is cut for it.
#include "net/overflow.h"

#include "net/fake_app.h"
#include "net/wire.h"

enum { MOST = 1 << 20, SMALL = 1 << 10, LARGE = 1 << 17 };

static void ignore_data(struct conn *conn, char *data, size_t len) {
  (void)conn, (void)data, (void)len;
}
static void ignore(struct conn *conn) { (void)conn; }
static void on_close(struct conn *conn) { session_end(session_of(conn), 1006, (struct slice){0}); }
static void on_lagged(struct session *session) { (void)session; }
static bool holds_input(const struct session *session) {
  (void)session;
  return false;
}

static const struct session_ops plain_ops = {
    .conn = {ignore_data, conn_close, ignore, session_on_stalled, session_on_rearm,
             session_on_written, ignore, session_on_drained, conn_finish, on_close},
    .open_count = offsetof(struct stats, streams),
    .holds_input = holds_input,
    .lagged = on_lagged,
};

static struct fake_peer *open_session(size_t room) {
  struct fake_peer *peer = fake_peer_new(fake.worker, &plain_ops.conn);
  session_begin(peer->session, &plain_ops, WIRE_SSE, 0);
  fake_turns();
  peer->room = room;
  return peer;
}

static void say(struct fake_peer *peer, size_t bytes) {
  char *text = mem_zalloc(bytes);
  buf_append(session_out(peer->session), text, bytes);
  free(text);
}

static void leave(struct fake_peer *peer) {
  if (peer->session != NULL) conn_close(&peer->session->conn);
  fake_turns();
  fake_peer_free(peer);
}

static long long shed(void) { return metric_get(&fake.server.stats.shed_readers); }

static void who_reads_is_not_counted(void **state) {
  (void)state;
  struct fake_peer *peer = open_session(SIZE_MAX);
  for (int i = 0; i < 2 * MOST / LARGE; i++) say(peer, LARGE);
  fake_turns();
  assert_int_equal(fake.worker->output_bytes, 0);
  assert_non_null(peer->session);
  leave(peer);
}

static void what_is_unread_counts_until_it_is_read_or_dropped(void **state) {
  (void)state;
  struct fake_peer *reads = open_session(0), *leaves = open_session(0);
  say(reads, LARGE);
  say(leaves, LARGE);
  fake_turns();
  assert_in_range(fake.worker->output_bytes, 2 * LARGE, 4 * LARGE);
  say(reads, LARGE);  // while the socket is full
  fake_turns();
  assert_in_range(fake.worker->output_bytes, 3 * LARGE, 6 * LARGE);
  fake_peer_give_room(reads, SIZE_MAX);
  fake_turns();
  assert_in_range(fake.worker->output_bytes, LARGE, 2 * LARGE);
  leave(leaves);
  assert_int_equal(fake.worker->output_bytes, 0);
  assert_int_equal(shed(), 0);
  leave(reads);
}

static void those_who_hold_most_are_cut(void **state) {
  (void)state;
  enum { SMALL_ONES = 20, LARGE_ONES = 3 * MOST / LARGE };
  struct fake_peer *small[SMALL_ONES], *large[LARGE_ONES];
  for (int i = 0; i < SMALL_ONES; i++) say(small[i] = open_session(0), SMALL);
  for (int i = 0; i < LARGE_ONES; i++) say(large[i] = open_session(0), LARGE);
  fake_turns();
  int left = 0;
  for (int i = 0; i < LARGE_ONES; i++) left += large[i]->session != NULL;
  assert_in_range(left, 1, LARGE_ONES - 1);
  assert_int_equal(shed(), LARGE_ONES - left);
  assert_in_range(fake.worker->output_bytes, left * LARGE, MOST);
  for (int i = 0; i < SMALL_ONES; i++) {
    assert_non_null(small[i]->session);
    leave(small[i]);
  }
  for (int i = 0; i < LARGE_ONES; i++) leave(large[i]);
  assert_int_equal(fake.worker->output_bytes, 0);
  assert_true(fake_log_has("leave more than output_memory unread"));
}

static void many_who_hold_little_are_cut_too(void **state) {
  (void)state;
  enum { MANY = 400, EACH = 4000 };
  struct fake_peer *peers[MANY];
  long long before = shed();
  struct fake_peer *largest = open_session(0);
  say(largest, LARGE);
  for (int i = 0; i < MANY; i++) say(peers[i] = open_session(0), EACH);
  fake_turns();
  assert_null(largest->session);
  assert_true(shed() - before > 1);
  assert_in_range(fake.worker->output_bytes, MOST / 2, MOST);
  for (int i = 0; i < MANY; i++) leave(peers[i]);
  leave(largest);
  assert_int_equal(fake.worker->output_bytes, 0);
}

static int start(void **state) {
  int result = fake_app_open(state);
  fake.config.output_memory_bytes = MOST;
  return result;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_reads_is_not_counted),
      cmocka_unit_test(what_is_unread_counts_until_it_is_read_or_dropped),
      cmocka_unit_test(those_who_hold_most_are_cut),
      cmocka_unit_test(many_who_hold_little_are_cut_too),
  };
  return cmocka_run_group_tests(tests, start, fake_app_close);
}
