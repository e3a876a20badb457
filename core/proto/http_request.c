// What the head of a request means: see http_request.h and http_parse.h.
#include "proto/http_request.h"

#include <arpa/inet.h>

#include "proto/http_chars.h"
#include "proto/url.h"

// What the known headers say, gathered in one pass.
struct facts {
  struct http_header *host;
  size_t host_count, length_count, coding_count;
  bool is_chunked, has_unknown_coding;
  bool says_close, says_keep_alive, says_upgrade;
  bool names_websocket;
  bool expects_continue, expects_other;
  uint64_t length;  // UINT64_MAX: larger than any that is taken
};

static struct http_failure refuse(int status, const char *reason) {
  return (struct http_failure){status, reason};
}

static const struct http_failure good = {0, NULL};

static bool token_is(struct slice token, const char *word) {
  return slice_equal_nocase(token, slice_str(word));
}

// Takes the next element off a comma-separated list, empty ones included.
static bool list_next(struct slice *rest, struct slice *element) {
  if (rest->ptr == NULL) return false;
  if (!slice_split(rest, ',', element)) rest->ptr = NULL;
  *element = slice_trim(*element);
  return true;
}

static struct http_failure take_host(struct facts *facts, struct http_header *header) {
  if (facts->host_count++ > 0) return refuse(400, "there is more than one Host");
  facts->host = header;
  return good;
}

static struct http_failure take_length(struct facts *facts, struct http_header *header) {
  struct slice v = header->value;
  if (facts->length_count++ > 0) return refuse(400, "there is more than one Content-Length");
  if (v.len == 0) return refuse(400, "Content-Length is not a number");
  for (size_t i = 0; i < v.len; i++) {
    if (v.ptr[i] < '0' || v.ptr[i] > '9') return refuse(400, "Content-Length is not a number");
    bool fits = facts->length <= (INT64_MAX - 9) / 10;
    facts->length = fits ? facts->length * 10 + (uint64_t)(v.ptr[i] - '0') : UINT64_MAX;
  }
  return good;
}

static struct http_failure take_coding(struct facts *facts, struct http_header *header) {
  struct slice rest = header->value, coding;
  while (list_next(&rest, &coding)) {
    // Chunked has to be the last, once (RFC 9112 6.1). An empty element would say
    // nothing, but to hide a coding from others is all that it is seen for.
    if (facts->is_chunked || coding.len == 0) return refuse(400, "Transfer-Encoding is malformed");
    if (token_is(coding, "chunked"))
      facts->is_chunked = true;
    else
      facts->has_unknown_coding = true;
    facts->coding_count++;
  }
  return good;
}

static struct http_failure take_connection(struct facts *facts, struct http_header *header) {
  struct slice rest = header->value, option;
  while (list_next(&rest, &option)) {
    if (token_is(option, "close")) facts->says_close = true;
    if (token_is(option, "keep-alive")) facts->says_keep_alive = true;
    if (token_is(option, "upgrade")) facts->says_upgrade = true;
  }
  return good;
}

static struct http_failure take_upgrade(struct facts *facts, struct http_header *header) {
  struct slice rest = header->value, protocol;
  while (list_next(&rest, &protocol)) {
    if (token_is(protocol, "websocket")) facts->names_websocket = true;
  }
  return good;
}

static struct http_failure take_expect(struct facts *facts, struct http_header *header) {
  struct slice rest = header->value, expectation;
  while (list_next(&rest, &expectation)) {
    if (expectation.len == 0) continue;
    if (token_is(expectation, "100-continue"))
      facts->expects_continue = true;
    else
      facts->expects_other = true;
  }
  return good;
}

static const struct known_header {
  struct slice name;
  struct http_failure (*take)(struct facts *facts, struct http_header *header);
} known_headers[] = {
    {{"host", 4}, take_host},
    {{"content-length", 14}, take_length},
    {{"transfer-encoding", 17}, take_coding},
    {{"connection", 10}, take_connection},
    {{"upgrade", 7}, take_upgrade},
    {{"expect", 6}, take_expect},
};

static struct http_failure gather_facts(struct facts *facts, struct http_header *headers,
                                        size_t count) {
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; k < sizeof known_headers / sizeof *known_headers; k++) {
      if (!slice_equal_nocase(headers[i].name, known_headers[k].name)) continue;
      struct http_failure failure = known_headers[k].take(facts, &headers[i]);
      if (failure.status != 0) return failure;
      break;
    }
  }
  return good;
}

static struct http_failure complete_method(struct http_request *request) {
  static const char *const names[] = {
      [HTTP_METHOD_GET] = "GET",         [HTTP_METHOD_HEAD] = "HEAD",
      [HTTP_METHOD_POST] = "POST",       [HTTP_METHOD_PUT] = "PUT",
      [HTTP_METHOD_PATCH] = "PATCH",     [HTTP_METHOD_DELETE] = "DELETE",
      [HTTP_METHOD_OPTIONS] = "OPTIONS",
  };
  request->method = HTTP_METHOD_OTHER;
  for (int i = 0; i < HTTP_METHOD_OTHER; i++) {
    if (slice_equal(request->method_name, slice_str(names[i])))
      request->method = (enum http_method)i;
  }
  if (slice_equal(request->method_name, slice_str("CONNECT")))
    return refuse(501, "CONNECT is not supported");
  return good;
}

static struct http_failure complete_framing(struct http_request *request, const struct facts *facts,
                                            uint64_t max_body_bytes) {
  bool has_coding = facts->coding_count > 0;
  if (has_coding && facts->length_count > 0) {
    return refuse(400, "Content-Length and Transfer-Encoding exclude each other");
  }
  if (has_coding && request->minor_version == 0)
    return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
  // Not even the end of such a body is known (RFC 9112 6.3).
  if (has_coding && !facts->is_chunked)
    return refuse(400, "the last transfer coding is not chunked");
  if (facts->has_unknown_coding) return refuse(501, "the transfer coding is unknown");
  if (facts->length > max_body_bytes) return refuse(413, "the body is too large");
  request->content_length = facts->length_count > 0 ? (int64_t)facts->length : -1;
  request->has_body = facts->is_chunked || facts->length > 0;
  return good;
}

static void complete_connection(struct http_request *request, const struct facts *facts) {
  // HTTP/1.0 has neither upgrades nor 100-continue (RFC 9110 7.8, 10.1.1).
  bool is_current = request->minor_version == 1;
  request->keep_alive = !facts->says_close && (is_current || facts->says_keep_alive);
  request->expects_continue = facts->expects_continue && is_current && request->has_body;
  request->upgrades_websocket = is_current && request->method == HTTP_METHOD_GET &&
                                facts->says_upgrade && facts->names_websocket;
}

static bool port_is_valid(struct slice port) {
  if (port.len > 5) return false;
  unsigned value = 0;
  for (size_t i = 0; i < port.len; i++) {
    if (port.ptr[i] < '0' || port.ptr[i] > '9') return false;
    value = value * 10 + (unsigned)(port.ptr[i] - '0');
  }
  return value <= 65535;
}

static bool is_ipv6_address(struct slice text) {
  char copy[INET6_ADDRSTRLEN] = "";
  struct in6_addr address;
  if (text.len >= sizeof copy) return false;
  memcpy(copy, text.ptr, text.len);
  return inet_pton(AF_INET6, copy, &address) == 1;
}

// uri-host [ ":" port ] (RFC 9110 7.2), which an http URI must not leave empty (4.2.1).
static bool host_is_valid(struct slice host) {
  size_t name = http_chars_run(host.ptr, host.len, HTTP_CHAR_HOST);
  if (host.len > 0 && host.ptr[0] == '[') {
    const char *end = memchr(host.ptr, ']', host.len);
    if (end == NULL) return false;
    name = (size_t)(end - host.ptr) + 1;
    if (!is_ipv6_address(slice_of(host.ptr + 1, name - 2))) return false;
  }
  if (name == 0) return false;
  if (name == host.len) return true;
  return host.ptr[name] == ':' && port_is_valid(slice_of(host.ptr + name + 1, host.len - name - 1));
}

static struct http_failure check_host(const struct http_request *request,
                                      const struct facts *facts) {
  if (facts->host == NULL) {
    return request->minor_version == 0 ? good : refuse(400, "there is no Host");
  }
  return host_is_valid(facts->host->value) ? good : refuse(400, "Host is malformed");
}

// Takes "http://authority" off the front of an absolute-form target.
static struct http_failure take_authority(struct slice *target, struct slice *authority) {
  static const struct scheme {
    struct slice prefix;
    bool is_secure;
  } schemes[] = {{{"http://", 7}, false},
                 {{"https://", 8}, true},
                 {{"ws://", 5}, false},
                 {{"wss://", 6}, true}};
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    struct slice prefix = schemes[i].prefix;
    if (!slice_starts_nocase(*target, prefix)) continue;
    if (schemes[i].is_secure)  // RFC 9110 7.4
      return refuse(421, "the target is secure, the connection is not");
    size_t end = prefix.len;
    while (end < target->len && target->ptr[end] != '/' && target->ptr[end] != '?') end++;
    *authority = slice_of(target->ptr + prefix.len, end - prefix.len);
    *target = slice_of(target->ptr + end, target->len - end);
    return host_is_valid(*authority) ? good
                                     : refuse(400, "the host in the request target is malformed");
  }
  return refuse(400, "the request target is neither a path nor a URL");
}

static struct http_failure complete_path(struct http_request *request, struct slice rest,
                                         char *room) {
  struct slice path;
  bool has_query = slice_split(&rest, '?', &path);
  request->query = rest;
  if (path.len == 0) {
    // "http://host" has an empty path: "/", but for OPTIONS the server (RFC 9110 4.2.3).
    bool is_server = request->method == HTTP_METHOD_OPTIONS && !has_query;
    request->path = slice_str(is_server ? "*" : "/");
    return good;
  }
  memcpy(room, path.ptr, path.len);
  long normal = url_normalize_path(room, path.len);
  if (normal < 0) return refuse(400, "the path is malformed");
  request->path = slice_of(room, (size_t)normal);
  return good;
}

static struct http_failure complete_target(struct http_request *request, const struct facts *facts,
                                           char *room) {
  struct slice rest = request->target, authority;
  if (memchr(rest.ptr, '#', rest.len) != NULL)
    return refuse(400, "the request target has a fragment");
  if (slice_equal(rest, slice_str("*")) && request->method == HTTP_METHOD_OPTIONS) {
    request->path = rest;
    request->query = slice_of(rest.ptr + 1, 0);
    return good;
  }
  if (rest.ptr[0] != '/') {
    struct http_failure failure = take_authority(&rest, &authority);
    if (failure.status != 0) return failure;
    if (facts->host != NULL) facts->host->value = authority;
  }
  return complete_path(request, rest, room);
}

struct http_failure http_request_complete(struct http_request *request, struct http_header *headers,
                                          uint64_t max_body_bytes, char *path_room) {
  struct facts facts = {0};
  // What no request may be goes before what this server does not do.
  struct http_failure failure = gather_facts(&facts, headers, request->header_count);
  if (failure.status == 0) failure = check_host(request, &facts);
  if (failure.status == 0) failure = complete_method(request);
  if (failure.status == 0) failure = complete_framing(request, &facts, max_body_bytes);
  if (failure.status == 0) failure = complete_target(request, &facts, path_room);
  if (failure.status == 0 && facts.expects_other)
    failure = refuse(417, "only 100-continue can be expected");
  if (failure.status == 0) complete_connection(request, &facts);
  return failure;
}

struct slice http_request_header(const struct http_request *request, const char *name) {
  struct slice wanted = slice_str(name);
  for (size_t i = 0; i < request->header_count; i++) {
    if (slice_equal_nocase(request->headers[i].name, wanted)) return request->headers[i].value;
  }
  return slice_of(NULL, 0);
}

bool http_request_has_token(const struct http_request *request, const char *name,
                            const char *token) {
  struct slice wanted = slice_str(name);
  for (size_t i = 0; i < request->header_count; i++) {
    if (!slice_equal_nocase(request->headers[i].name, wanted)) continue;
    struct slice rest = request->headers[i].value, element;
    while (list_next(&rest, &element)) {
      if (token_is(element, token)) return true;
    }
  }
  return false;
}
