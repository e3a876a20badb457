// Compressed messages in a WebSocket session: the rules of RFC 7692 as rows, and
// that what is told never depends on how the input is cut up.
#include "proto/ws_fixture.h"
#include "proto/ws_message.h"

// "Hello" of section 7.2.3.1.
#define HELLO "\xF2\x48\xCD\xC9\xC9\x07\x00"

// ---- the rules -----------------------------------------------------------

static const struct talk_row rows[] = {
    {"6.2 compressed text", {FRAME(0xC1, HELLO)}, "text(Hello)"},
    {"6.2 compressed binary", {FRAME(0xC2, HELLO)}, "binary(Hello)"},
    {"6.2 uncompressed text", {FRAME(0x81, "Hello")}, "text(Hello)"},
    {"6.2 each message by itself",
     {FRAME(0xC1, HELLO), FRAME(0x81, "a"), FRAME(0xC1, HELLO), FRAME(0xC2, HELLO)},
     "text(Hello) text(a) text(Hello) binary(Hello)"},
    {"7.2.3.3 no compression",
     {FRAME(0xC1, "\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00")},
     "text(Hello)"},
    {"7.2.3.4 BFINAL",
     {FRAME(0xC1, "\xF3\x48\xCD\xC9\xC9\x07\x00\x00"), FRAME(0xC1, HELLO)},
     "text(Hello) text(Hello)"},
    {"7.2.3.5 two blocks",
     {FRAME(0xC1, "\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00")},
     "text(Hello)"},
    {"7.2.3.6 empty", {FRAME(0xC1, "\x00"), FRAME(0xC2, "\x00")}, "text() binary()"},
    {"7.2.2 a payload of nothing", {FRAME(0xC1, "")}, "text()"},

    {"7.2.3.1 fragments",
     {FRAME(0x41, "\xF2\x48\xCD"), FRAME(0x80, "\xC9\xC9\x07\x00")},
     "text(Hello)"},
    {"6.2 empty fragments around",
     {FRAME(0x41, ""), FRAME(0x00, HELLO), FRAME(0x00, ""), FRAME(0x80, "")},
     "text(Hello)"},
    {"6.2 empty fragments of nothing", {FRAME(0x42, ""), FRAME(0x80, "")}, "binary()"},
    {"6.2 control frames between fragments",
     {FRAME(0x41, "\xF2\x48"), FRAME(0x89, "1"), FRAME(0x00, "\xCD\xC9"), FRAME(0x8A, "2"),
      FRAME(0x80, "\xC9\x07\x00")},
     "ping(1) pong(2) text(Hello)"},
    {"6.2 close between fragments",
     {FRAME(0x41, "\xF2\x48"), FRAME(0x88, "\x03\xE8"), FRAME(0x80, "b")},
     "close(1000)"},
    {"6.2 only fragments", {FRAME(0x41, HELLO), FRAME(0x00, "")}, ""},

    {"6.1 RSV1 on a continuation",
     {FRAME(0x41, "\xF2\x48\xCD"), FRAME(0xC0, "\xC9\xC9\x07\x00")},
     "failed(1002)"},
    {"6.1 RSV1 on the continuation of an uncompressed message",
     {FRAME(0x01, "a"), FRAME(0xC0, HELLO)},
     "failed(1002)"},
    {"6.1 RSV1 on a continuation of nothing", {FRAME(0xC0, HELLO)}, "failed(1002)"},
    {"6.1 RSV1 on a ping", {FRAME(0xC9, HELLO)}, "failed(1002)"},
    {"6.1 RSV1 on a pong", {FRAME(0xCA, HELLO)}, "failed(1002)"},
    {"6.1 RSV1 on a close", {FRAME(0xC8, "\x03\xE8")}, "failed(1002)"},
    {"6.1 RSV1 on a ping between fragments",
     {FRAME(0x41, "\xF2\x48"), FRAME(0xC9, "")},
     "failed(1002)"},
    {"6.1 RSV1 on an unknown opcode", {FRAME(0xC3, HELLO)}, "failed(1002)"},
    {"6.1 RSV2 beside RSV1", {FRAME(0xE1, HELLO)}, "failed(1002)"},
    {"6.1 RSV3 beside RSV1", {FRAME(0xD1, HELLO)}, "failed(1002)"},
    {"6.1 text inside a compressed message",
     {FRAME(0x41, "\xF2"), FRAME(0xC1, HELLO)},
     "failed(1002)"},

    {"7.2.2 a reserved block type", {FRAME(0xC2, "\x06")}, "failed(1007)"},
    {"7.2.2 a length that belies itself", {FRAME(0xC2, "\x00\x05\x00\xFA\xFE")}, "failed(1007)"},
    {"7.1.1 a reference to the message before",
     {FRAME(0xC1, HELLO), FRAME(0xC1, "\xF2\x00\x11\x00\x00")},
     "text(Hello) failed(1007)"},
    {"7.2.2 cut off", {FRAME(0xC2, "\xF2\x48\xCD\xC9")}, "failed(1007)"},
    {"7.2.2 cut off in fragments",
     {FRAME(0x42, "\xF2\x48"), FRAME(0x80, "\xCD\xC9")},
     "failed(1007)"},
    {"7.2.2 broken in an open fragment", {FRAME(0x42, "\x06")}, "failed(1007)"},
    {"7.2.2 uncompressed data with RSV1", {FRAME(0xC1, "Hello")}, "failed(1007)"},

    // Stored blocks, which anybody can read: 00, the length, its complement, the text.
    {"text that is not UTF-8", {FRAME(0xC1, "\x00\x01\x00\xFE\xFF\xFF\x00")}, "failed(1007)"},
    {"the same as binary", {FRAME(0xC2, "\x00\x01\x00\xFE\xFF\xFF\x00")}, "binary(\xFF)"},
    {"a character over blocks",
     {FRAME(0xC1, "\x00\x01\x00\xFE\xFF\xC3\x00\x01\x00\xFE\xFF\xA9\x00")},
     "text(\xC3\xA9)"},
    {"a character cut off", {FRAME(0xC1, "\x00\x01\x00\xFE\xFF\xC3\x00")}, "failed(1007)"},
    {"bad text before broken data", {FRAME(0x41, "\x00\x01\x00\xFE\xFF\xFF\x06")}, "failed(1007)"},

    {"announces more than the limit", {HEADER(0xC2, MAX_MESSAGE + 20)}, ""},
    {"announces far more than the limit", {HEADER(0xC2, 2 * MAX_MESSAGE)}, "failed(1009)"},
    {"announces 2^63 - 1", {HEADER(0xC1, INT64_MAX)}, "failed(1009)"},
    {"fragments announce far more than the limit",
     {FRAME(0x41, "\xF2"), HEADER(0x80, 2 * MAX_MESSAGE)},
     "failed(1009)"},
};

enum { ROWS = sizeof rows / sizeof *rows };

static void test_rsv1_is_refused_where_it_was_not_agreed_on(void **state) {
  (void)state;
  static const struct talk_row refused[] = {
      {"text", {FRAME(0xC1, HELLO)}, "failed(1002)"},
      {"binary", {FRAME(0x42, HELLO)}, "failed(1002)"},
  };
  peer_window_bits = 0;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    void *row = (void *)&refused[i];
    test_talk_row(&row);
  }
  peer_window_bits = WS_WINDOW_BITS_MAX;
}

// ---- as early as possible ------------------------------------------------

// Appends a block that stores so many bytes of the text.
static void write_stored(struct buf *out, const char *text, size_t len) {
  const char head[] = {0, (char)len, (char)(len >> 8), (char)~len, (char)(~len >> 8)};
  buf_append(out, head, sizeof head);
  buf_append(out, text, len);
}

// Expects the failure as soon as the byte `bad_at` of the payload has come.
static void expect_failure_at(uint8_t first, struct slice payload, size_t bad_at, int code) {
  struct buf input = {0};
  char told[20];
  snprintf(told, sizeof told, "failed(%d)", code);
  write_frame(&input, first, payload);
  size_t before = buf_len(&input) - payload.len + bad_at;
  expect_told("before", slice_of(input.data, before), slice_str(""), MAX_MESSAGE, 3, 50);
  expect_told("at", slice_of(input.data, before + 1), slice_str(told), MAX_MESSAGE, 3, 50);
  buf_free(&input);
}

static void test_text_fails_at_its_first_bad_byte(void **state) {
  (void)state;
  struct buf payload = {0};
  char text[100];
  memset(text, 'a', sizeof text);
  text[70] = (char)0xC3;
  text[71] = '(';
  write_stored(&payload, text, sizeof text);
  expect_failure_at(0xC1, buf_slice(&payload), 5 + 71, 1007);
  expect_failure_at(0x41, buf_slice(&payload), 5 + 71, 1007);
  buf_free(&payload);
}

static void test_a_message_fails_at_the_first_byte_over_the_limit(void **state) {
  (void)state;
  struct buf payload = {0};
  char text[MAX_MESSAGE + 20];
  memset(text, 'a', sizeof text);
  write_stored(&payload, text, sizeof text);
  expect_failure_at(0xC1, buf_slice(&payload), 5 + MAX_MESSAGE, 1009);
  expect_failure_at(0x42, buf_slice(&payload), 5 + MAX_MESSAGE, 1009);
  buf_free(&payload);
}

// Compressed to a thousandth: a frame of a few bytes is all it takes.
static void test_bombs_end_at_the_limit(void **state) {
  (void)state;
  static char zeros[1 << 20];
  struct ws_deflater *deflater = ws_deflater_new(WS_WINDOW_BITS_MAX, false);
  char *bomb = mem_alloc(sizeof zeros + WS_DEFLATE_TAIL);
  size_t len = ws_deflate(deflater, slice_of(zeros, sizeof zeros), bomb);
  assert_in_range(len, 1, MAX_MESSAGE + 60);
  struct buf input = {0};
  write_frame(&input, 0xC2, slice_of(bomb, len));
  expect_told("bomb", buf_slice(&input), slice_str("failed(1009)"), MAX_MESSAGE, 6, 100);
  free(bomb);
  buf_free(&input);
  ws_deflater_free(deflater);
}

// ---- inflaters -----------------------------------------------------------

static void test_a_kept_context_lasts_from_message_to_message(void **state) {
  (void)state;
  struct buf input = {0};
  write_frame(&input, 0xC1, slice_of(HELLO, 7));
  write_frame(&input, 0x81, slice_str("between"));
  write_frame(&input, 0xC1, slice_of("\xF2\x00\x11\x00\x00", 5));  // section 7.2.3.2
  for (unsigned cut = 0; cut < 20; cut++) {
    struct run run;
    run_begin(&run, MAX_MESSAGE);
    run.spare = ws_inflater_new(WS_WINDOW_BITS_MAX, true);
    feed_cut(&run, buf_slice(&input), cut, 9);
    assert_true(
        slice_equal(buf_slice(&run.told), slice_str("text(Hello) text(between) text(Hello)")));
    run_end(&run);
  }
  buf_free(&input);
}

// Two parsers share a spare while both have a message under way.
static void test_parsers_share_an_inflater_and_no_state(void **state) {
  (void)state;
  struct buf first = {0}, last = {0};
  write_frame(&first, 0x41, slice_of(HELLO, 3));
  write_frame(&last, 0x80, slice_of(HELLO + 3, 4));
  struct run a, b;
  run_begin(&a, MAX_MESSAGE);
  run_begin(&b, MAX_MESSAGE);
  struct ws_inflater *shared = ws_inflater_new(WS_WINDOW_BITS_MAX, false);
  for (int i = 0; i < 3; i++) {
    a.spare = shared;
    feed_piece(&a, buf_slice(&first));
    assert_null(a.spare);
    feed_piece(&b, buf_slice(&first));
    feed_piece(&a, buf_slice(&last));
    assert_ptr_equal(a.spare, shared);
    b.spare = a.spare;
    a.spare = NULL;
    feed_piece(&b, buf_slice(&last));
    assert_ptr_equal(b.spare, shared);  // its own one was too many
    b.spare = NULL;
  }
  struct slice told = slice_str("text(Hello) text(Hello) text(Hello)");
  assert_true(slice_equal(buf_slice(&a.told), told));
  assert_true(slice_equal(buf_slice(&b.told), told));
  ws_inflater_free(shared);
  run_end(&a);
  run_end(&b);
  buf_free(&first);
  buf_free(&last);
}

static void test_idle_parsers_own_nothing(void **state) {
  (void)state;
  struct buf input = {0};
  write_frame(&input, 0xC1, slice_of(HELLO, 7));
  for (unsigned cut = 0; cut < 10; cut++) {
    struct run run;
    run_begin(&run, MAX_MESSAGE);
    feed_cut(&run, buf_slice(&input), cut, 5);
    assert_null(run.parser.assembly);
    assert_non_null(run.spare);
    run_end(&run);
  }
  buf_free(&input);
}

// ---- at random -----------------------------------------------------------

// A compressed message in random fragments, with pings between.
static void write_random_message(struct random *r, struct ws_deflater *deflater, struct buf *input,
                                 struct buf *told) {
  char text[600], payload[sizeof text + WS_DEFLATE_TAIL];
  size_t len = WS_DEFLATE_MIN + random_below(r, sizeof text - WS_DEFLATE_MIN);
  for (size_t i = 0; i < len; i++) text[i] = (char)('a' + random_below(r, 4));
  struct slice rest = slice_of(payload, ws_deflate(deflater, slice_of(text, len), payload));
  uint8_t first = random_below(r, 2) ? 0x41 : 0x42;
  buf_printf(told, "%s%s(%.*s)", buf_len(told) > 0 ? " " : "", first == 0x41 ? "text" : "binary",
             (int)len, text);
  for (uint8_t next = first, last = 0; last == 0; next = WS_CONTINUATION) {
    size_t n = random_below(r, 2) ? rest.len : random_below(r, rest.len + 1);
    last = n == rest.len ? 0x80 : 0;
    write_frame(input, next | last, slice_of(rest.ptr, n));
    rest = slice_of(rest.ptr + n, rest.len - n);
  }
}

static void test_random_talk(void **state) {
  (void)state;
  struct random random = {7692};
  for (int i = 0; i < 200; i++) {
    struct ws_deflater *deflater = ws_deflater_new(WS_WINDOW_BITS, false);
    struct buf input = {0}, told = {0};
    for (size_t n = 1 + random_below(&random, 6); n > 0; n--)
      write_random_message(&random, deflater, &input, &told);
    expect_told("random talk", buf_slice(&input), buf_slice(&told), MAX_MESSAGE, 8, 200);
    ws_deflater_free(deflater);
    buf_free(&told);
    buf_free(&input);
  }
}

// Damaged talk: whatever it means, it means the same however it comes.
static void test_random_damage(void **state) {
  (void)state;
  struct random random = {78};
  struct ws_deflater *deflater = ws_deflater_new(WS_WINDOW_BITS, false);
  for (int i = 0; i < 2000; i++) {
    struct buf input = {0}, ignored = {0};
    for (int n = 0; n < 2; n++) write_random_message(&random, deflater, &input, &ignored);
    for (size_t n = random_below(&random, 4); n > 0; n--)
      input.data[random_below(&random, buf_len(&input))] = (char)random_below(&random, 256);
    struct run whole;
    run_begin(&whole, MAX_MESSAGE);
    feed_piece(&whole, buf_slice(&input));
    expect_told("damage", buf_slice(&input), buf_slice(&whole.told), MAX_MESSAGE, 6, 50);
    run_end(&whole);
    buf_free(&ignored);
    buf_free(&input);
  }
  ws_deflater_free(deflater);
}

static const struct CMUnitTest others[] = {
    cmocka_unit_test(test_rsv1_is_refused_where_it_was_not_agreed_on),
    cmocka_unit_test(test_text_fails_at_its_first_bad_byte),
    cmocka_unit_test(test_a_message_fails_at_the_first_byte_over_the_limit),
    cmocka_unit_test(test_bombs_end_at_the_limit),
    cmocka_unit_test(test_a_kept_context_lasts_from_message_to_message),
    cmocka_unit_test(test_parsers_share_an_inflater_and_no_state),
    cmocka_unit_test(test_idle_parsers_own_nothing),
    cmocka_unit_test(test_random_talk),
    cmocka_unit_test(test_random_damage),
};
enum { OTHERS = sizeof others / sizeof *others };

int main(void) {
  struct CMUnitTest tests[ROWS + OTHERS];
  for (size_t i = 0; i < ROWS; i++)
    tests[i] = (struct CMUnitTest){rows[i].name, test_talk_row, NULL, NULL, (void *)&rows[i]};
  memcpy(tests + ROWS, others, sizeof others);
  peer_window_bits = WS_WINDOW_BITS_MAX;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
