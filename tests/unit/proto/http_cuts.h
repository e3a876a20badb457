// Requests that must tell the same however they are cut, and the lines that most of
// them begin with: for the tests of http_parse.
#ifndef TIDEGATE_TESTS_HTTP_CUTS_H
#define TIDEGATE_TESTS_HTTP_CUTS_H

#include <stdio.h>

#include "proto/http_run.h"

#define LINE "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define UPGRADE "Host: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"

// Limits that no good request of the tests meets.
static const struct http_limits roomy = {
    .header_bytes = 4096, .header_count = 20, .url_bytes = 1024, .body_bytes = 1000};

enum { CUTS = 12 };

// All ways to cut must tell the same; returns what they tell, to be freed.
static inline char *run_all_cuts(const struct http_limits *limits, struct slice in) {
  size_t used, first_used;
  char *first = run_stream(limits, in, 0, &first_used);
  for (unsigned cut = 1; cut < CUTS; cut++) {
    char *events = run_stream(limits, in, cut, &used);
    if (strcmp(events, first) != 0) print_message("cut %u of: %.*s\n", cut, (int)in.len, in.ptr);
    assert_string_equal(events, first);
    if (strstr(first, "failed") == NULL) assert_int_equal(used, first_used);
    free(events);
  }
  return first;
}

static inline void expect_events(const struct http_limits *limits, struct slice in,
                                 const char *expected) {
  char *events = run_all_cuts(limits, in);
  if (strcmp(events, expected) != 0) print_message("input: %.*s\n", (int)in.len, in.ptr);
  assert_string_equal(events, expected);
  free(events);
}

#endif
