// What a stream of requests tells, as text, however it is cut: for the tests of
// http_parse.
#ifndef TIDEGATE_TESTS_HTTP_RUN_H
#define TIDEGATE_TESTS_HTTP_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "proto/http_parse.h"

// How input is cut up: 0 whole, 1 byte by byte, otherwise the seed of random pieces.
static inline size_t next_piece_size(unsigned cut, unsigned *state, size_t left) {
  if (cut == 0) return left;
  if (cut == 1) return 1;
  *state = *state * 1103515245u + 12345u;
  size_t size = 1 + (*state >> 16) % 40;
  return size < left ? size : left;
}

static inline void write_head(struct buf *out, const struct http_request *r) {
  buf_printf(out, "%.*s %.*s", (int)r->method_name.len, r->method_name.ptr, (int)r->path.len,
             r->path.ptr);
  if (r->query.len > 0) buf_printf(out, " ?%.*s", (int)r->query.len, r->query.ptr);
  buf_printf(out, " 1.%d %s%s%s%s", r->minor_version, r->keep_alive ? "k" : "",
             r->has_body ? "b" : "", r->expects_continue ? "c" : "",
             r->upgrades_websocket ? "w" : "");
  if (r->content_length >= 0) buf_printf(out, " %lld", (long long)r->content_length);
  for (size_t i = 0; i < r->header_count; i++) {
    struct slice n = r->headers[i].name, v = r->headers[i].value;
    buf_printf(out, "|%.*s=%.*s", (int)n.len, n.ptr, (int)v.len, v.ptr);
  }
  buf_append_char(out, '\n');
}

struct run {
  struct http_parser *parser;
  struct buf events;  // one line each: the head, "body ...", "done", "failed <status>"
  size_t used;        // bytes of the stream that belong to the requests seen
  bool in_body, is_over;
};

static inline void write_event(struct run *run, enum http_event event, struct slice body) {
  if (event == HTTP_MORE) return;
  if (event == HTTP_BODY) {
    if (!run->in_body) buf_append_str(&run->events, "body ");
    // Without NULs, so that the events stay one string.
    for (size_t i = 0; i < body.len; i++)
      buf_append_char(&run->events, body.ptr[i] != '\0' ? body.ptr[i] : '0');
    run->in_body = true;
    return;
  }
  if (run->in_body) buf_append_char(&run->events, '\n');
  run->in_body = false;
  if (event == HTTP_HEAD) write_head(&run->events, http_parser_request(run->parser));
  if (event == HTTP_FAILED)
    buf_printf(&run->events, "failed %d\n", http_parser_failure(run->parser).status);
  if (event == HTTP_DONE) buf_append_str(&run->events, "done\n");
}

// Feeds one piece, from memory of its exact size so that a read beyond it shows.
static inline void feed_piece(struct run *run, struct slice piece) {
  char *copy = mem_dup(piece.len > 0 ? piece.ptr : "", piece.len > 0 ? piece.len : 1);
  struct slice rest = slice_of(copy, piece.len);
  enum http_event event;
  do {
    size_t consumed;
    struct slice body;
    event = http_parser_feed(run->parser, rest, &consumed, &body);
    assert_true(consumed <= rest.len);
    if (event != HTTP_FAILED) run->used += consumed;
    write_event(run, event, body);
    rest = slice_of(rest.ptr + consumed, rest.len - consumed);
    if (event == HTTP_DONE) {
      run->is_over = http_parser_request(run->parser)->upgrades_websocket;
      if (!run->is_over) http_parser_reset(run->parser);
    }
    if (event == HTTP_FAILED) run->is_over = true;
  } while (!run->is_over && event != HTTP_MORE);
  if (!run->is_over) assert_int_equal(rest.len, 0);
  free(copy);
}

// The events of a whole stream, as text the caller frees.
static inline char *run_stream(const struct http_limits *limits, struct slice in, unsigned cut,
                               size_t *used) {
  struct run run = {.parser = http_parser_new(limits)};
  unsigned state = cut;
  for (size_t at = 0; at < in.len && !run.is_over;) {
    size_t size = next_piece_size(cut, &state, in.len - at);
    feed_piece(&run, slice_of(in.ptr + at, size));
    at += size;
  }
  if (run.in_body) buf_append_char(&run.events, '\n');
  if (!run.is_over && !http_parser_is_idle(run.parser)) buf_append_str(&run.events, "more\n");
  *used = run.used;
  char *text = mem_strndup(buf_len(&run.events) > 0 ? run.events.data : "", buf_len(&run.events));
  buf_free(&run.events);
  http_parser_free(run.parser);
  return text;
}

#endif
