// The receiving side of a WebSocket session beside the rules of RFC 6455, which
// ws_rules_test goes through: when events come, what is copied, what memory is
// held, and that none of it depends on how the input is cut up.
#include "proto/ws_fixture.h"

// Events come with the last byte they need, not later.
static void test_events_come_at_once(void **state) {
  (void)state;
  static const uint8_t firsts[] = {0x81, 0x82, 0x88, 0x89, 0x8A};
  for (size_t i = 0; i < sizeof firsts; i++) {
    for (size_t len = 0; len <= 4; len += 2) {
      struct run run;
      run_begin(&run, MAX_MESSAGE);
      struct buf input = {0};
      write_frame(&input, firsts[i], slice_of("\x03\xE8zz", len));
      // 0xE8 is not text, but a good close code.
      if (firsts[i] == 0x81) input.data[7] = (char)('x' ^ mask[1]);
      feed_cut(&run, buf_slice(&input), 1, 1);
      assert_true(buf_len(&run.told) > 0);
      assert_int_equal(run.told_after, buf_len(&input));
      buf_free(&input);
      run_end(&run);
    }
  }
}

// ---- memory --------------------------------------------------------------

static enum ws_event feed(struct ws_parser *s, struct buf *input, struct ws_result *result) {
  size_t consumed;
  struct ws_inflater *none = NULL;
  enum ws_event event =
      ws_parser_feed(s, &none, input->data + input->start, buf_len(input), &consumed, result);
  input->start += consumed;
  return event;
}

static bool is_inside(const struct buf *b, struct slice s) {
  return s.ptr >= b->data && s.ptr + s.len <= b->data + b->end;
}

// Whole frames are told from the input, and leave nothing behind.
static void test_whole_frames_are_not_copied(void **state) {
  (void)state;
  static const uint8_t firsts[] = {0x81, 0x82, 0x89, 0x8A};
  struct ws_parser parser;
  struct ws_result result;
  ws_parser_init(&parser, MAX_MESSAGE);
  struct buf input = {0};
  for (size_t i = 0; i < sizeof firsts; i++) write_frame(&input, firsts[i], slice_str("payload"));
  for (size_t i = 0; i < sizeof firsts; i++) {
    assert_int_not_equal(feed(&parser, &input, &result), WS_EVENT_MORE);
    assert_true(is_inside(&input, result.data));
    assert_true(slice_equal(result.data, slice_str("payload")));
    assert_null(parser.assembly);
  }
  assert_int_equal(feed(&parser, &input, &result), WS_EVENT_MORE);
  buf_free(&input);
}

// A header in pieces does not keep a whole payload from being told in place,
// nor does a message under way keep a control frame from it.
static void test_whole_payloads_are_not_copied(void **state) {
  (void)state;
  struct ws_parser parser;
  struct ws_result result;
  ws_parser_init(&parser, MAX_MESSAGE);
  struct buf input = {0};
  write_frame(&input, 0x81, slice_str("payload"));
  size_t whole = input.end;
  input.end = 3;
  assert_int_equal(feed(&parser, &input, &result), WS_EVENT_MORE);
  assert_non_null(parser.assembly);
  input.end = whole;
  assert_int_equal(feed(&parser, &input, &result), WS_EVENT_MESSAGE);
  assert_true(is_inside(&input, result.data));
  assert_null(parser.assembly);

  buf_clear(&input);
  write_frame(&input, 0x01, slice_str("a"));
  write_frame(&input, 0x89, slice_str("ping"));
  write_frame(&input, 0x80, slice_str("b"));
  assert_int_equal(feed(&parser, &input, &result), WS_EVENT_PING);
  assert_true(is_inside(&input, result.data));
  assert_int_equal(feed(&parser, &input, &result), WS_EVENT_MESSAGE);
  assert_true(slice_equal(result.data, slice_str("ab")));
  assert_int_equal(feed(&parser, &input, &result), WS_EVENT_MORE);
  assert_null(parser.assembly);
  buf_free(&input);
}

static void test_idle_parsers_own_nothing(void **state) {
  (void)state;
  static const uint8_t firsts[] = {0x81, 0x82, 0x89, 0x8A, 0x88};
  assert_true(sizeof(struct ws_parser) <= 32);
  for (size_t i = 0; i < sizeof firsts; i++) {
    struct run run;
    run_begin(&run, MAX_MESSAGE);
    struct buf input = {0};
    write_frame(&input, firsts[i], firsts[i] == 0x88 ? slice_str("\x03\xE8") : slice_str("abcdef"));
    for (unsigned cut = 1; cut < 10; cut++) {
      feed_cut(&run, buf_slice(&input), cut, 5);
      assert_null(run.parser.assembly);  // feed_piece goes on until WS_EVENT_MORE
    }
    buf_free(&input);
    run_end(&run);
  }
}

static void test_is_finished_after_the_end(void **state) {
  (void)state;
  static const struct part ends[] = {FRAME(0x88, ""), FRAME(0x83, ""), FRAME(0x81, "\xFF")};
  for (size_t i = 0; i < 3; i++) {
    struct run run;
    run_begin(&run, MAX_MESSAGE);
    struct buf input = {0};
    write_frame(&input, 0x01, slice_str("open"));
    write_frame(&input, 0x80, slice_str(""));
    feed_piece(&run, buf_slice(&input));
    assert_false(run.parser.is_finished);
    buf_clear(&input);
    write_part(&input, &ends[i]);
    feed_piece(&run, buf_slice(&input));
    assert_true(run.parser.is_finished);
    assert_null(run.parser.assembly);
    buf_free(&input);
    run_end(&run);
  }
}

// ---- at random -----------------------------------------------------------

static void random_payload(struct random *r, struct buf *out, bool is_text, size_t characters) {
  static const char *const texts[] = {
      "a", "Z", " ", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  buf_clear(out);
  for (size_t i = 0; i < characters; i++) {
    if (is_text)
      buf_append_str(out, texts[random_below(r, 6)]);
    else
      buf_append_char(out, (char)random_below(r, 256));
  }
}

static void write_told(struct buf *told, const char *name, struct slice data) {
  buf_printf(told, "%s%s(", buf_len(told) > 0 ? " " : "", name);
  buf_append_slice(told, data);
  buf_append_char(told, ')');
}

static void write_random_ping(struct random *r, struct buf *input, struct buf *told) {
  struct buf payload = {0};
  bool is_ping = random_below(r, 2);
  random_payload(r, &payload, false, random_below(r, 126));
  write_frame(input, is_ping ? 0x89 : 0x8A, buf_slice(&payload));
  write_told(told, is_ping ? "ping" : "pong", buf_slice(&payload));
  buf_free(&payload);
}

// A message in random fragments, cut inside characters too, with pings between.
static void write_random_message(struct random *r, struct buf *input, struct buf *told) {
  struct buf payload = {0};
  bool is_text = random_below(r, 2), is_first = true, is_last;
  random_payload(r, &payload, is_text, random_below(r, random_below(r, 4) ? 30 : 240));
  struct slice rest = buf_slice(&payload);
  do {
    is_last = random_below(r, 3) != 0;
    size_t n = is_last ? rest.len : random_below(r, rest.len + 1);
    uint8_t opcode = !is_first ? WS_CONTINUATION : is_text ? WS_TEXT : WS_BINARY;
    write_frame(input, (uint8_t)((is_last ? 0x80 : 0) | opcode), slice_of(rest.ptr, n));
    rest = slice_of(rest.ptr + n, rest.len - n);
    is_first = false;
    if (!is_last && random_below(r, 2)) write_random_ping(r, input, told);
  } while (!is_last);
  write_told(told, is_text ? "text" : "binary", buf_slice(&payload));
  buf_free(&payload);
}

static void test_random_talk(void **state) {
  (void)state;
  struct random random = {6455};
  for (int i = 0; i < 500; i++) {
    struct buf input = {0}, told = {0};
    for (size_t n = 1 + random_below(&random, 8); n > 0; n--) {
      if (random_below(&random, 4) == 0)
        write_random_ping(&random, &input, &told);
      else
        write_random_message(&random, &input, &told);
    }
    expect_told("random talk", buf_slice(&input), buf_slice(&told), MAX_MESSAGE, 8, 200);
    buf_free(&told);
    buf_free(&input);
  }
}

// Damaged talk: whatever it means, it means the same however it comes.
static void test_random_damage(void **state) {
  (void)state;
  struct random random = {77};
  for (int i = 0; i < 3000; i++) {
    struct buf input = {0}, ignored = {0};
    for (size_t n = 1 + random_below(&random, 4); n > 0; n--) {
      write_random_message(&random, &input, &ignored);
    }
    for (size_t n = random_below(&random, 4); n > 0; n--) {
      input.data[random_below(&random, buf_len(&input))] = (char)random_below(&random, 256);
    }
    struct run whole;
    run_begin(&whole, MAX_MESSAGE);
    feed_piece(&whole, buf_slice(&input));
    expect_told("damage", buf_slice(&input), buf_slice(&whole.told), MAX_MESSAGE, 6, 50);
    run_end(&whole);
    buf_free(&ignored);
    buf_free(&input);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_events_come_at_once),
      cmocka_unit_test(test_whole_frames_are_not_copied),
      cmocka_unit_test(test_whole_payloads_are_not_copied),
      cmocka_unit_test(test_idle_parsers_own_nothing),
      cmocka_unit_test(test_is_finished_after_the_end),
      cmocka_unit_test(test_random_talk),
      cmocka_unit_test(test_random_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
