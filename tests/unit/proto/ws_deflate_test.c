// Compressing and inflating payloads (RFC 7692 section 7.2), against zlib itself.
#include "proto/ws_deflate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"

enum { LIMIT = 100000 };

#define BYTES(text) \
  { text, sizeof(text) - 1 }

// Text that repeats itself at distances of up to `words` words, noise where words is 0.
static void fill(struct random *random, struct buf *out, size_t len, unsigned words) {
  buf_clear(out);
  while (buf_len(out) < len) {
    if (words == 0)
      buf_append_char(out, (char)random_below(random, 256));
    else
      buf_printf(out, "%llx ", (unsigned long long)random_below(random, words) * 2654435761u);
  }
  buf_chop(out, buf_len(out) - len);
}

// ---- sending -------------------------------------------------------------

// Compresses a payload into *out, in memory of the size that ws_deflate asks for.
static bool deflate_payload(struct ws_deflater *deflater, struct slice payload, struct buf *out) {
  char *room = mem_alloc(payload.len + WS_DEFLATE_TAIL);
  size_t len = ws_deflate(deflater, payload, room);
  buf_clear(out);
  buf_append(out, room, len);
  free(room);
  return len > 0;
}

// A peer that has just the window that was agreed on: it inflates byte by byte,
// because zlib looks back further within what one call puts out.
static void expect_inflated(z_stream *peer, struct slice payload, struct slice expected) {
  struct buf in = {0};
  size_t count = 0;
  buf_append_slice(&in, payload);
  buf_append(&in, "\0\0\xFF\xFF", 4);
  peer->next_in = (Bytef *)in.data;
  peer->avail_in = (uInt)in.end;
  for (;;) {
    Bytef byte;
    peer->next_out = &byte;
    peer->avail_out = 1;
    int status = inflate(peer, Z_SYNC_FLUSH);
    if (status == Z_BUF_ERROR) break;
    if (status != Z_OK) fail_msg("zlib refuses it: %s", peer->msg);
    if (peer->avail_out == 1) break;
    assert_true(count < expected.len && byte == (Bytef)expected.ptr[count]);
    count++;
  }
  assert_int_equal(count, expected.len);
  assert_int_equal(peer->avail_in, 0);
  buf_free(&in);
}

static void messages_stand_alone_without_context(void **state) {
  (void)state;
  struct random random = {1};
  struct ws_deflater *deflater = ws_deflater_new(WS_WINDOW_BITS, false);
  struct buf text = {0}, out = {0};
  for (int i = 0; i < 60; i++) {
    z_stream peer = {0};
    inflateInit2(&peer, -WS_WINDOW_BITS);
    fill(&random, &text, 64 + random_below(&random, 20000),
         1 + (unsigned)random_below(&random, 3000));
    assert_true(deflate_payload(deflater, buf_slice(&text), &out));
    expect_inflated(&peer, buf_slice(&out), buf_slice(&text));
    inflateEnd(&peer);
  }
  buf_free(&text);
  buf_free(&out);
  ws_deflater_free(deflater);
}

static void no_reference_reaches_beyond_the_window(void **state) {
  (void)state;
  struct random random = {2};
  struct buf text = {0}, out = {0};
  for (unsigned bits = 9; bits <= WS_WINDOW_BITS_MAX; bits++) {
    struct ws_deflater *deflater = ws_deflater_new(bits, true);
    z_stream peer = {0};
    inflateInit2(&peer, -(int)bits);
    for (int i = 0; i < 20; i++) {
      fill(&random, &text, 64 + random_below(&random, 5000), 20 << random_below(&random, 8));
      assert_true(deflate_payload(deflater, buf_slice(&text), &out));
      expect_inflated(&peer, buf_slice(&out), buf_slice(&text));
    }
    inflateEnd(&peer);
    ws_deflater_free(deflater);
  }
  buf_free(&text);
  buf_free(&out);
}

static void a_context_makes_what_was_said_before_cheap(void **state) {
  (void)state;
  struct random random = {3};
  struct ws_deflater *deflater = ws_deflater_new(WS_WINDOW_BITS, true);
  struct buf text = {0}, first = {0}, again = {0}, forgotten = {0};
  fill(&random, &text, 500, 1000);
  deflate_payload(deflater, buf_slice(&text), &first);
  deflate_payload(deflater, buf_slice(&text), &again);
  assert_true(buf_len(&again) < 20);
  ws_deflater_forget(deflater);
  deflate_payload(deflater, buf_slice(&text), &forgotten);
  assert_true(slice_equal(buf_slice(&forgotten), buf_slice(&first)));
  buf_free(&text);
  buf_free(&first);
  buf_free(&again);
  buf_free(&forgotten);
  ws_deflater_free(deflater);
}

// The peer sees nothing of a payload that went as it is, so nothing may refer to it.
static void noise_is_refused_and_forgotten(void **state) {
  (void)state;
  struct random random = {4};
  struct ws_deflater *deflater = ws_deflater_new(WS_WINDOW_BITS, true);
  struct buf noise = {0}, text = {0}, out = {0};
  z_stream peer = {0};
  inflateInit2(&peer, -WS_WINDOW_BITS);
  for (int i = 0; i < 20; i++) {
    fill(&random, &noise, 64 + random_below(&random, 3000), 0);
    assert_false(deflate_payload(deflater, buf_slice(&noise), &out));
    buf_clear(&text);
    buf_append_slice(&text, buf_slice(&noise));
    buf_append_slice(&text, buf_slice(&noise));
    assert_true(deflate_payload(deflater, buf_slice(&text), &out));
    expect_inflated(&peer, buf_slice(&out), buf_slice(&text));
  }
  inflateEnd(&peer);
  buf_free(&noise);
  buf_free(&text);
  buf_free(&out);
  ws_deflater_free(deflater);
}

// ---- receiving -----------------------------------------------------------

static enum ws_inflated inflate_pieces(struct ws_inflater *inflater, struct slice payload,
                                       size_t piece, size_t limit, struct buf *out) {
  buf_clear(out);
  ws_inflater_begin(inflater);
  for (size_t at = 0; at < payload.len; at += piece) {
    size_t len = payload.len - at < piece ? payload.len - at : piece;
    char *copy = mem_dup(payload.ptr + at, len);  // so that a sanitizer sees a step outside
    enum ws_inflated status = ws_inflate(inflater, slice_of(copy, len), limit, out);
    free(copy);
    if (status != WS_INFLATED) return status;
  }
  return ws_inflater_end(inflater, limit, out);
}

// Payloads as they may come, and what they are: RFC 7692 section 7.2.3 and more.
static const struct {
  const char *name;
  struct slice payload, text;
  enum ws_inflated status;
} rows[] = {
    {"one block (7.2.3.1)", BYTES("\xF2\x48\xCD\xC9\xC9\x07\x00"), BYTES("Hello"), WS_INFLATED},
    {"no compression (7.2.3.3)", BYTES("\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00"),
     BYTES("Hello"), WS_INFLATED},
    {"BFINAL (7.2.3.4)", BYTES("\xF3\x48\xCD\xC9\xC9\x07\x00\x00"), BYTES("Hello"), WS_INFLATED},
    {"BFINAL and nothing behind it", BYTES("\xF3\x48\xCD\xC9\xC9\x07\x00"), BYTES("Hello"),
     WS_INFLATED},
    {"a block behind BFINAL", BYTES("\xF3\x48\xCD\xC9\xC9\x07\x00\xF2\x48\xCD\xC9\xC9\x07\x00"),
     BYTES("HelloHello"), WS_INFLATED},
    {"two with BFINAL", BYTES("\xF3\x48\xCD\xC9\xC9\x07\x00\xF3\x48\xCD\xC9\xC9\x07\x00\x00"),
     BYTES("HelloHello"), WS_INFLATED},
    {"two blocks (7.2.3.5)", BYTES("\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00"),
     BYTES("Hello"), WS_INFLATED},
    {"an empty message (7.2.3.6)", BYTES("\x00"), BYTES(""), WS_INFLATED},
    {"an empty block of fixed codes", BYTES("\x02\x00"), BYTES(""), WS_INFLATED},
    {"many empty blocks", BYTES("\x00\x00\x00\xFF\xFF\x00\x00\x00\xFF\xFF\x00"), BYTES(""),
     WS_INFLATED},
    {"the tail was not taken off", BYTES("\xF2\x48\xCD\xC9\xC9\x07\x00\x00\x00\xFF\xFF"),
     BYTES("Hello"), WS_INFLATED},
    {"nothing at all", BYTES(""), BYTES(""), WS_INFLATED},

    {"a reserved block type", BYTES("\x06"), BYTES(""), WS_INFLATE_BROKEN},
    {"a reserved block type behind text", BYTES("\xF2\x48\xCD\xC9\xC9\x07\x06"), BYTES("Hello"),
     WS_INFLATE_BROKEN},
    {"a length that belies itself", BYTES("\x00\x05\x00\xFA\xFE\x48\x65\x6C\x6C\x6F\x00"),
     BYTES(""), WS_INFLATE_BROKEN},
    {"a reference to before the beginning", BYTES("\xF2\x00\x11\x00\x00"), BYTES("H"),
     WS_INFLATE_BROKEN},
    {"cut off in a block", BYTES("\xF2\x48\xCD\xC9"), BYTES("Hel"), WS_INFLATE_BROKEN},
    {"cut off in the code that ends a block", BYTES("\xF2\x48\xCD\xC9\xC9\x07"), BYTES("Hello"),
     WS_INFLATE_BROKEN},
    {"cut off in a length", BYTES("\x00\x05\x00"), BYTES(""), WS_INFLATE_BROKEN},
    {"cut off in stored text", BYTES("\x00\x0F\x00\xF0\xFF\x48\x65\x6C"), BYTES("Hel"),
     WS_INFLATE_BROKEN},
    {"cut off in code lengths", BYTES("\x05\xC0\x81\x08"), BYTES(""), WS_INFLATE_BROKEN},
};

static void payloads_are_inflated_however_they_are_cut(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    for (size_t piece = 1; piece <= rows[i].payload.len + 1; piece++) {
      struct ws_inflater *inflater = ws_inflater_new(WS_WINDOW_BITS_MAX, false);
      struct buf out = {0};
      enum ws_inflated status = inflate_pieces(inflater, rows[i].payload, piece, LIMIT, &out);
      struct slice expected = rows[i].text;
      bool is_right = status == WS_INFLATED ? slice_equal(buf_slice(&out), expected)
                                            : buf_len(&out) >= expected.len &&
                                                  memcmp(out.data, expected.ptr, expected.len) == 0;
      if (status != rows[i].status || (expected.len > 0 && !is_right))
        fail_msg("%s in pieces of %zu: %d, %zu bytes", rows[i].name, piece, status, buf_len(&out));
      buf_free(&out);
      ws_inflater_free(inflater);
    }
  }
}

// Compresses as some client might: any level, block by block.
static void write_as_client(struct random *random, z_stream *client, struct slice text,
                            struct buf *out) {
  static const int flushes[] = {Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK};
  buf_clear(out);
  client->next_in = (Bytef *)text.ptr;
  for (size_t left = text.len; left > 0;) {
    size_t step = 1 + random_below(random, left);
    bool is_last = step == left;
    client->avail_in = (uInt)step;
    client->next_out = (Bytef *)buf_reserve(out, step * 2 + 4096);
    client->avail_out = (uInt)(step * 2 + 4096);
    assert_int_equal(deflate(client, is_last ? Z_SYNC_FLUSH : flushes[random_below(random, 5)]),
                     Z_OK);
    buf_grew(out, step * 2 + 4096 - client->avail_out);
    left -= step;
  }
  assert_memory_equal(out->data + out->end - 4, "\0\0\xFF\xFF", 4);
  buf_chop(out, 4);
}

static void what_zlib_writes_comes_back(void **state) {
  (void)state;
  struct random random = {5};
  struct buf text = {0}, payload = {0}, out = {0};
  for (int i = 0; i < 200; i++) {
    bool keeps_context = random_below(&random, 2);
    int bits = 9 + (int)random_below(&random, 7);
    struct ws_inflater *inflater = ws_inflater_new((unsigned)bits, keeps_context);
    z_stream client = {0};
    deflateInit2(&client, (int)random_below(&random, 10), Z_DEFLATED, -bits,
                 1 + (int)random_below(&random, 9), (int)random_below(&random, 5));
    for (int message = 0; message < 5; message++) {
      fill(&random, &text, 1 + random_below(&random, 9000), (unsigned)random_below(&random, 900));
      write_as_client(&random, &client, buf_slice(&text), &payload);
      size_t piece = 1 + random_below(&random, buf_len(&payload));
      assert_int_equal(inflate_pieces(inflater, buf_slice(&payload), piece, LIMIT, &out),
                       WS_INFLATED);
      assert_true(slice_equal(buf_slice(&out), buf_slice(&text)));
      if (!keeps_context) deflateReset(&client);
    }
    deflateEnd(&client);
    ws_inflater_free(inflater);
  }
  buf_free(&text);
  buf_free(&payload);
  buf_free(&out);
}

static void a_kept_context_is_referred_to(void **state) {
  (void)state;
  static const struct slice first = BYTES("\xF2\x48\xCD\xC9\xC9\x07\x00");
  static const struct slice second = BYTES("\xF2\x00\x11\x00\x00");  // section 7.2.3.2
  for (int keeps_context = 0; keeps_context <= 1; keeps_context++) {
    struct ws_inflater *inflater = ws_inflater_new(WS_WINDOW_BITS_MAX, keeps_context);
    struct buf out = {0};
    assert_int_equal(inflate_pieces(inflater, first, 1, LIMIT, &out), WS_INFLATED);
    enum ws_inflated status = inflate_pieces(inflater, second, 1, LIMIT, &out);
    assert_int_equal(status, keeps_context ? WS_INFLATED : WS_INFLATE_BROKEN);
    if (keeps_context) assert_true(slice_equal(buf_slice(&out), slice_str("Hello")));
    buf_free(&out);
    ws_inflater_free(inflater);
  }
}

// ---- bombs ---------------------------------------------------------------

// A megabyte of one letter, compressed to a kilobyte.
static void write_bomb(struct buf *payload) {
  struct random random = {6};
  z_stream client = {0};
  struct buf text = {0};
  memset(buf_reserve(&text, 1 << 20), 'a', 1 << 20);
  buf_grew(&text, 1 << 20);
  deflateInit2(&client, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
  write_as_client(&random, &client, buf_slice(&text), payload);
  deflateEnd(&client);
  buf_free(&text);
}

static void bombs_stop_one_byte_over_the_limit(void **state) {
  (void)state;
  static const size_t limits[] = {1, 2, 257, 258, 2047, 2048, 2049, 65536, LIMIT, (1 << 20) - 1};
  struct buf payload = {0};
  write_bomb(&payload);
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    for (size_t piece = 1; piece <= buf_len(&payload); piece *= 3) {
      struct ws_inflater *inflater = ws_inflater_new(WS_WINDOW_BITS_MAX, false);
      struct buf out = {0};
      assert_int_equal(inflate_pieces(inflater, buf_slice(&payload), piece, limits[i], &out),
                       WS_INFLATE_TOO_BIG);
      assert_int_equal(buf_len(&out), limits[i] + 1);
      assert_true(out.cap <= 2 * limits[i] + 8192);
      buf_free(&out);
      ws_inflater_free(inflater);
    }
  }
  buf_free(&payload);
}

static void a_message_of_just_the_limit_passes(void **state) {
  (void)state;
  struct buf payload = {0}, out = {0};
  struct ws_inflater *inflater = ws_inflater_new(WS_WINDOW_BITS_MAX, false);
  write_bomb(&payload);
  for (size_t piece = 1; piece <= buf_len(&payload); piece *= 3) {
    assert_int_equal(inflate_pieces(inflater, buf_slice(&payload), piece, 1 << 20, &out),
                     WS_INFLATED);
    assert_int_equal(buf_len(&out), 1 << 20);
  }
  buf_free(&payload);
  buf_free(&out);
  ws_inflater_free(inflater);
}

// Whatever bytes come, they end in a verdict, the same in every cut.
static void noise_has_one_verdict(void **state) {
  (void)state;
  struct random random = {7};
  struct buf noise = {0}, whole = {0}, cut = {0};
  struct ws_inflater *inflater = ws_inflater_new(WS_WINDOW_BITS_MAX, false);
  for (int i = 0; i < 3000; i++) {
    fill(&random, &noise, random_below(&random, 200), 0);
    enum ws_inflated verdict = inflate_pieces(inflater, buf_slice(&noise), 1000, 500, &whole);
    size_t piece = 1 + random_below(&random, 20);
    assert_int_equal(inflate_pieces(inflater, buf_slice(&noise), piece, 500, &cut), verdict);
    assert_true(slice_equal(buf_slice(&whole), buf_slice(&cut)));
  }
  buf_free(&noise);
  buf_free(&whole);
  buf_free(&cut);
  ws_inflater_free(inflater);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages_stand_alone_without_context),
      cmocka_unit_test(no_reference_reaches_beyond_the_window),
      cmocka_unit_test(a_context_makes_what_was_said_before_cheap),
      cmocka_unit_test(noise_is_refused_and_forgotten),
      cmocka_unit_test(payloads_are_inflated_however_they_are_cut),
      cmocka_unit_test(what_zlib_writes_comes_back),
      cmocka_unit_test(a_kept_context_is_referred_to),
      cmocka_unit_test(bombs_stop_one_byte_over_the_limit),
      cmocka_unit_test(a_message_of_just_the_limit_passes),
      cmocka_unit_test(noise_has_one_verdict),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
