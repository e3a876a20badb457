// The whole server with the scripts of this folder: whatever comes over a
// connection, what goes back begins as HTTP, and once the peer is gone nothing of
// it is left.
#include "gate.h"

#include <sys/socket.h>

#include "base/log.h"
#include "count.h"
#include "fuzz.h"
#include "no_leaks.h"

enum { TURNS_MAX = 1000 };

void count_measure(void (*fn)(void *arg), void *arg) { fn(arg); }

void count_expect(bool is_true, const char *what) {
  if (!is_true) fail_msg("%s", what);
}

static void take_answer(int client, struct buf *answer) {
  char bytes[4096];
  for (ssize_t got; (got = recv(client, bytes, sizeof bytes, 0)) > 0;)
    buf_append(answer, bytes, (size_t)got);
}

static void turn(int client, struct buf *answer) {
  gate_turn();
  take_answer(client, answer);
}

static void check_answer(struct slice answer) {
  static const char status[] = "HTTP/1.1 ";
  if (answer.len == 0) return;
  assert_true(answer.len > sizeof status + 4 && memcmp(answer.ptr, status, sizeof status - 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool is_started;
  if (!is_started) {
    log_set_level(LOG_ERROR);
    gate_start("tests/fuzz/scripts");
    is_started = true;
  }
  struct slice in = fuzz_input(data, size);
  struct fuzz_cut cut = fuzz_cut(fuzz_take_byte(&in));
  struct buf answer = {0};
  int client = gate_connect();
  while (in.len > 0) {
    struct slice piece = fuzz_take_piece(&cut, &in);
    send(client, piece.ptr, piece.len, MSG_NOSIGNAL);  // fails once the server has closed
    turn(client, &answer);
  }
  for (int i = 0; i < 4; i++) turn(client, &answer);
  check_answer(buf_slice(&answer));
  gate_close(client);
  for (int turns = 0; gate_conn_count() > 0; turns++) {
    assert_true(turns < TURNS_MAX);
    gate_turn();
  }
  buf_free(&answer);
  return 0;
}
