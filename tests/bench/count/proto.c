// Parsing: 1,000 HTTP requests and WebSocket frames, whole and cut.
#include <string.h>

#include "base/buf.h"
#include "count.h"
#include "proto/http_parse.h"
#include "proto/ws_parse.h"

enum { UNITS = 1000, PAYLOAD = 128, PIECE = 100 };

static const char get_request[] =
    "GET /chat/lobby/messages?since=18&limit=50 HTTP/1.1\r\n"
    "Host: gate.example:8080\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "Cache-Control: no-cache\r\n\r\n";

static const char chunked_request[] =
    "POST /publish/news HTTP/1.1\r\nHost: gate.example\r\nContent-Type: application/json\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
    "10\r\n{\"text\":\"hello, \r\n9\r\nworld!\"}\n\r\n0\r\n\r\n";

// ---- HTTP ----------------------------------------------------------------

struct requests {
  struct http_parser *parser;
  struct slice text;
  size_t piece;  // bytes fed at once
  unsigned heads, done;
};

static void feed_request(struct requests *r) {
  for (size_t at = 0; at < r->text.len; at += r->piece) {
    struct slice in = {r->text.ptr + at, r->text.len - at}, body;
    if (in.len > r->piece) in.len = r->piece;
    size_t consumed;
    enum http_event event;
    do {
      event = http_parser_feed(r->parser, in, &consumed, &body);
      in = slice_of(in.ptr + consumed, in.len - consumed);
      r->heads += event == HTTP_HEAD;
      r->done += event == HTTP_DONE;
    } while (event == HTTP_HEAD || event == HTTP_BODY);
  }
  http_parser_reset(r->parser);
}

static void feed_requests(void *arg) {
  for (unsigned i = 0; i < UNITS; i++) feed_request(arg);
}

static void parse_requests(const char *text, size_t piece) {
  static const struct http_limits limits = {32768, 100, 8192, 1 << 20};
  struct requests r = {http_parser_new(&limits), slice_str(text), piece, 0, 0};
  feed_request(&r);
  count_measure(feed_requests, &r);
  count_expect(r.heads == UNITS + 1 && r.done == UNITS + 1, "requests were not parsed");
  http_parser_free(r.parser);
}

static void run_get(int piece) { parse_requests(get_request, (size_t)piece); }
static void run_chunked(int piece) { parse_requests(chunked_request, (size_t)piece); }

// ---- WebSocket -----------------------------------------------------------

struct frames {
  struct ws_parser parser;
  struct ws_inflater *spare;
  struct buf bytes;
  size_t piece;
  unsigned messages;
};

// Masked text; every tenth is two fragments with a ping between them.
static void add_frame(struct buf *out, int first_byte, size_t payload) {
  static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
  buf_append_char(out, (char)first_byte);
  if (payload > 125) {
    buf_append_char(out, (char)(0x80 | 126));
    buf_append_char(out, (char)(payload >> 8));
    buf_append_char(out, (char)payload);
  } else {
    buf_append_char(out, (char)(0x80 | payload));
  }
  buf_append(out, mask, sizeof mask);
  for (size_t i = 0; i < payload; i++) buf_append_char(out, (char)(('a' + i % 26) ^ mask[i % 4]));
}

static void add_message(struct buf *out, bool is_fragmented) {
  if (!is_fragmented) return add_frame(out, 0x81, PAYLOAD);
  add_frame(out, 0x01, PAYLOAD / 2);
  add_frame(out, 0x89, 4);
  add_frame(out, 0x80, PAYLOAD / 2);
}

static void feed_frames(void *arg) {
  struct frames *f = arg;
  for (size_t at = 0; at < f->bytes.end; at += f->piece) {
    char *data = f->bytes.data + at;
    size_t len = f->bytes.end - at, consumed;
    if (len > f->piece) len = f->piece;
    struct ws_result result;
    enum ws_event event;
    do {
      event = ws_parser_feed(&f->parser, &f->spare, data, len, &consumed, &result);
      data += consumed;
      len -= consumed;
      f->messages += event == WS_EVENT_MESSAGE && result.data.len == PAYLOAD;
    } while (event != WS_EVENT_MORE && event != WS_EVENT_FAILED);
  }
}

static void read_frames(unsigned fragmented_every, size_t piece) {
  struct frames f = {.piece = piece};
  ws_parser_init(&f.parser, 1 << 20);
  for (unsigned i = 1; i <= UNITS; i++) add_message(&f.bytes, i % fragmented_every == 0);
  count_measure(feed_frames, &f);
  count_expect(f.messages == UNITS, "frames were not read");
  ws_parser_free(&f.parser);
  buf_free(&f.bytes);
}

static void run_frames(int piece) { read_frames(UNITS + 1, (size_t)piece); }
static void run_fragments(int piece) { read_frames(10, (size_t)piece); }

const struct count_case count_proto_cases[] = {
    {"http-parse", UNITS, "request", run_get, 1 << 16},
    {"http-parse-cut", UNITS, "request", run_get, PIECE},
    {"http-parse-chunked", UNITS, "request", run_chunked, 1 << 16},
    {"ws-read", UNITS, "message", run_frames, 1 << 16},
    {"ws-read-cut", UNITS, "message", run_fragments, PIECE},
    {0},
};
