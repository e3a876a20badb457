// HTTP/1.x requests: see http_parse.h. A head is collected whole in one buffer,
// walked by the guard as it arrives and read by llhttp once it is complete, so
// that every slice of it can simply point into that buffer. Bodies are not its
// matter: it refuses chunk extensions that RFC 9112 wants ignored, takes others that
// are none, and both differ from version to version.
#include "proto/http_parse.h"

#include <stdlib.h>

// llhttp names its methods HTTP_<name>, which would clash with our HTTP_HEAD.
#define HTTP_HEAD LLHTTP_METHOD_HEAD
#include <llhttp.h>
#undef HTTP_HEAD

#include "base/buf.h"
#include "base/mem.h"
#include "proto/http_chunks.h"
#include "proto/http_guard.h"
#include "proto/http_request.h"

enum {
  HEAD_KEPT_BYTES = 4096,  // what a reset keeps for the next request
  HEADERS_FIRST = 16,
  HEADERS_KEPT = 32,
};

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_DONE, PHASE_FAILED };

struct http_parser {
  llhttp_t llhttp;
  const struct http_limits *limits;
  struct http_guard guard;
  enum phase phase;
  struct buf head;  // the raw head, then the normalized path
  struct http_header *headers;
  size_t header_cap;
  struct http_chunks chunks;  // of a body whose length the head does not tell
  uint64_t left;              // still to come of one whose length it tells
  struct http_request request;
  struct http_failure failure;
};

static int take_target(llhttp_t *llhttp, const char *at, size_t len) {
  struct http_request *request = &((struct http_parser *)llhttp->data)->request;
  if (request->target.ptr == NULL) request->target.ptr = at;
  request->target.len = (size_t)(at + len - request->target.ptr);
  return 0;
}

static struct http_header *add_header(struct http_parser *p) {
  p->headers = mem_grow(p->headers, &p->header_cap, p->request.header_count + 1, HEADERS_FIRST,
                        sizeof *p->headers);
  struct http_header *header = &p->headers[p->request.header_count++];
  *header = (struct http_header){0};
  return header;
}

// llhttp may give a name or value in several pieces that follow on each other.
static bool goes_on(struct slice text, const char *at) { return text.ptr + text.len == at; }

static int take_name(llhttp_t *llhttp, const char *at, size_t len) {
  struct http_parser *p = llhttp->data;
  size_t count = p->request.header_count;
  if (count > 0 && goes_on(p->headers[count - 1].name, at)) {
    p->headers[count - 1].name.len += len;
  } else {
    add_header(p)->name = slice_of(at, len);
  }
  return 0;
}

static int take_value(llhttp_t *llhttp, const char *at, size_t len) {
  struct http_parser *p = llhttp->data;
  if (p->request.header_count == 0) return 0;
  struct slice *value = &p->headers[p->request.header_count - 1].value;
  if (value->ptr == NULL) value->ptr = at;
  value->len = (size_t)(at + len - value->ptr);
  return 0;
}

static int pause_after_head(llhttp_t *llhttp) {
  (void)llhttp;
  return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = take_target,
    .on_header_field = take_name,
    .on_header_value = take_value,
    .on_headers_complete = pause_after_head,
};

// What to answer where llhttp refuses. Versions have been checked before, so
// an invalid constant is a method of another protocol than HTTP.
static const struct refusal {
  llhttp_errno_t error;
  struct http_failure failure;
} refusals[] = {
    {HPE_INVALID_METHOD, {501, "the method is unknown"}},
    {HPE_INVALID_CONSTANT, {501, "the method is unknown"}},
    {HPE_INVALID_URL, {400, "the request target is malformed"}},
    {HPE_INVALID_CONTENT_LENGTH, {400, "Content-Length is malformed"}},
    {HPE_UNEXPECTED_CONTENT_LENGTH, {400, "Content-Length is not allowed here"}},
    {HPE_INVALID_TRANSFER_ENCODING, {400, "Transfer-Encoding is malformed"}},
    {HPE_INVALID_HEADER_TOKEN, {400, "a header is malformed"}},
    {HPE_OK, {400, "the request is malformed"}},  // the last row: everything else
};

static struct http_failure refusal_of(llhttp_errno_t error) {
  const struct refusal *row = refusals;
  while (row->error != error && row->error != HPE_OK) row++;
  return row->failure;
}

struct http_parser *http_parser_new(const struct http_limits *limits) {
  struct http_parser *p = mem_zalloc(sizeof *p);
  llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
  p->llhttp.data = p;
  p->limits = limits;
  http_parser_reset(p);
  return p;
}

void http_parser_free(struct http_parser *p) {
  if (p == NULL) return;
  buf_free(&p->head);
  free(p->headers);
  free(p);
}

void http_parser_reset(struct http_parser *p) {
  llhttp_reset(&p->llhttp);
  http_guard_init(&p->guard);
  p->phase = PHASE_HEAD;
  p->request = (struct http_request){.content_length = -1};
  p->failure = (struct http_failure){0};
  buf_clear(&p->head);
  if (p->head.cap > HEAD_KEPT_BYTES) buf_free(&p->head);
  if (p->header_cap > HEADERS_KEPT) {
    free(p->headers);
    p->headers = NULL;
    p->header_cap = 0;
  }
}

// Off the raw head: llhttp gives it in no callback of all versions.
struct slice http_parser_method(const struct http_parser *p) {
  struct slice head = buf_slice(&p->head), method;
  while (head.len > 0 && (*head.ptr == '\r' || *head.ptr == '\n')) head.ptr++, head.len--;
  return slice_split(&head, ' ', &method) ? method : slice_of(method.ptr, 0);
}

static enum http_event fail(struct http_parser *p, struct http_failure failure) {
  p->failure = failure;
  p->phase = PHASE_FAILED;
  return HTTP_FAILED;
}

// A later minor version is read as HTTP/1.1 (RFC 9110 2.5); llhttp knows it not.
static void lower_version(struct http_parser *p) {
  struct slice head = buf_slice(&p->head);
  size_t line = 2 * (size_t)p->guard.blank_count;
  char *end = memchr(head.ptr + line, '\r', head.len - line);
  end[-1] = '1';
}

// Behind a length or a coding llhttp takes spaces, but not a tab, which is white
// space all the same (RFC 9110 5.6.3). All tabs stand in values, and those at their
// ends go anyway.
static void blank_tabs_at_ends(struct slice head) {
  if (memchr(head.ptr, '\t', head.len) == NULL) return;
  bool is_at_end = false;
  for (char *at = (char *)head.ptr + head.len; at-- > head.ptr;) {
    if (*at == '\t' && is_at_end) *at = ' ';
    if (*at != ' ') is_at_end = *at == '\r';
  }
}

static void tidy_headers(struct http_parser *p) {
  for (size_t i = 0; i < p->request.header_count; i++) {
    struct http_header *h = &p->headers[i];
    h->value = h->value.ptr != NULL ? slice_trim(h->value) : slice_of(h->name.ptr + h->name.len, 0);
  }
}

// The guard has seen the whole head: let llhttp read it.
static enum http_event parse_head(struct http_parser *p) {
  // The path goes behind the head; room for it now, so that nothing moves later.
  char *path_room = buf_reserve(&p->head, p->guard.target_bytes);
  struct slice head = buf_slice(&p->head);
  if (p->guard.minor_version > 1) lower_version(p);
  blank_tabs_at_ends(head);
  llhttp_errno_t error = llhttp_execute(&p->llhttp, head.ptr, head.len);
  if (error != HPE_PAUSED) return fail(p, refusal_of(error));
  struct http_request *request = &p->request;
  bool agrees = request->header_count == p->guard.header_count &&
                request->target.len == p->guard.target_bytes &&
                llhttp_get_error_pos(&p->llhttp) == head.ptr + head.len;
  // Two readings of one head is how requests are smuggled.
  if (!agrees) return fail(p, refusal_of(HPE_OK));
  tidy_headers(p);
  request->method_name = http_parser_method(p);
  request->minor_version = p->llhttp.http_minor;
  request->headers = p->headers;
  struct http_failure failure =
      http_request_complete(request, p->headers, p->limits->body_bytes, path_room);
  if (failure.status != 0) return fail(p, failure);
  p->left = request->content_length > 0 ? (uint64_t)request->content_length : 0;
  if (request->content_length < 0) http_chunks_init(&p->chunks);
  p->phase = PHASE_BODY;
  return HTTP_HEAD;
}

static enum http_event feed_head(struct http_parser *p, struct slice in, size_t *consumed) {
  struct http_failure failure = http_guard_head(&p->guard, p->limits, in, consumed);
  buf_append(&p->head, in.ptr, *consumed);
  if (failure.status != 0) return fail(p, failure);
  return http_guard_head_is_complete(&p->guard) ? parse_head(p) : HTTP_MORE;
}

static enum http_event feed_length(struct http_parser *p, struct slice in, size_t *consumed,
                                   struct slice *body) {
  if (p->left == 0) return HTTP_DONE;
  if (in.len == 0) return HTTP_MORE;
  if (in.len > p->left) in.len = (size_t)p->left;
  p->left -= in.len;
  *consumed = in.len;
  *body = in;
  return HTTP_BODY;
}

static enum http_event feed_body(struct http_parser *p, struct slice in, size_t *consumed,
                                 struct slice *body) {
  bool is_chunked = p->request.has_body && p->request.content_length < 0;
  enum http_event event =
      is_chunked ? http_chunks_feed(&p->chunks, p->limits, in, consumed, body, &p->failure)
                 : feed_length(p, in, consumed, body);
  if (event == HTTP_DONE) p->phase = PHASE_DONE;
  return event == HTTP_FAILED ? fail(p, p->failure) : event;
}

enum http_event http_parser_feed(struct http_parser *p, struct slice in, size_t *consumed,
                                 struct slice *body) {
  if (in.ptr == NULL) in.ptr = "";
  enum http_event event = HTTP_DONE;
  *consumed = 0;
  *body = slice_of(NULL, 0);
  if (p->phase == PHASE_HEAD)
    event = feed_head(p, in, consumed);
  else if (p->phase == PHASE_BODY)
    event = feed_body(p, in, consumed, body);
  if (p->phase != PHASE_FAILED) return event;
  *consumed = in.len;
  return HTTP_FAILED;
}

size_t http_parser_held(const struct http_parser *p) {
  size_t headers = p->header_cap > HEADERS_KEPT ? p->header_cap * sizeof *p->headers : 0;
  return headers + (p->head.cap > HEAD_KEPT_BYTES ? p->head.cap : 0);
}

bool http_parser_is_idle(const struct http_parser *p) {
  return p->phase == PHASE_HEAD && http_guard_is_idle(&p->guard);
}

const struct http_request *http_parser_request(const struct http_parser *p) { return &p->request; }

struct http_failure http_parser_failure(const struct http_parser *p) {
  return p->failure;
}
