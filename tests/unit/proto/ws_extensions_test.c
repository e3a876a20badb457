// Offers of extensions as a table: what each is answered.
#include "proto/ws_extensions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MAX_LINES = 3 };

#define MALFORMED "malformed"
#define NONE "none"
#define PMD "permessage-deflate"
#define NO_CONTEXT "; server_no_context_takeover; client_no_context_takeover"

struct row {
  const char *lines[MAX_LINES];  // of the header
  const char *answer;            // of a route that keeps no contexts
  const char *kept;              // of one that keeps them; NULL: the same
};

// ---- RFC 6455 section 9.1: the grammar -----------------------------------

static const struct row grammar[] = {
    {{NULL}, NONE, NULL},
    {{"foo"}, NONE, NULL},
    {{"foo, bar; baz=2"}, NONE, NULL},
    {{"bar; baz=2", "foo; baz=\"2\""}, NONE, NULL},
    {{"foo;bar;bar;bar=1"}, NONE, NULL},
    {{"x-webkit-deflate-frame"}, NONE, NULL},
    {{"foo; bar=\"a\\b\""}, NONE, NULL},
    {{" \t foo \t ; \t bar \t = \t baz \t , \t quux \t "}, NONE, NULL},
    {{", foo,, ,\tbar,"}, NONE, NULL},
    {{"", "foo"}, NONE, NULL},
    {{"!#$%&'*+-.^_`|~09azAZ"}, NONE, NULL},

    {{""}, MALFORMED, NULL},
    {{"", ""}, MALFORMED, NULL},
    {{" , "}, MALFORMED, NULL},
    {{";"}, MALFORMED, NULL},
    {{"; foo"}, MALFORMED, NULL},
    {{"foo;"}, MALFORMED, NULL},
    {{"foo; , bar"}, MALFORMED, NULL},
    {{"foo;; bar"}, MALFORMED, NULL},
    {{"foo bar"}, MALFORMED, NULL},
    {{"foo; bar baz"}, MALFORMED, NULL},
    {{"foo=1"}, MALFORMED, NULL},
    {{"=1"}, MALFORMED, NULL},
    {{"foo; =1"}, MALFORMED, NULL},
    {{"foo; bar="}, MALFORMED, NULL},
    {{"foo; bar=, baz"}, MALFORMED, NULL},
    {{"foo; bar==1"}, MALFORMED, NULL},
    {{"foo; bar=1 2"}, MALFORMED, NULL},
    {{"foo; bar=1=2"}, MALFORMED, NULL},
    {{"\"foo\""}, MALFORMED, NULL},
    {{"foo; \"bar\"=1"}, MALFORMED, NULL},
    {{"foo/1"}, MALFORMED, NULL},
    {{"foo; bar=a/b"}, MALFORMED, NULL},
    {{"f\xC3\xB6\xC3\xB6"}, MALFORMED, NULL},
    // The value after unescaping must be a token.
    {{"foo; bar=\"\""}, MALFORMED, NULL},
    {{"foo; bar=\"a b\""}, MALFORMED, NULL},
    {{"foo; bar=\"a,b\""}, MALFORMED, NULL},
    {{"foo; bar=\"a;b\""}, MALFORMED, NULL},
    {{"foo; bar=\"\\\"\""}, MALFORMED, NULL},
    {{"foo; bar=\"\\\\\""}, MALFORMED, NULL},
    {{"foo; bar=\"a"}, MALFORMED, NULL},
    {{"foo; bar=\"a\\"}, MALFORMED, NULL},
    {{"foo; bar=\"a\\\""}, MALFORMED, NULL},
    {{"foo; bar=\"a\"b"}, MALFORMED, NULL},
    {{"foo; bar=\"a", "b\""}, MALFORMED, NULL},
    // Whatever stands beside it.
    {{PMD ", foo;"}, MALFORMED, NULL},
    {{"foo;, " PMD}, MALFORMED, NULL},
    {{PMD, "foo bar"}, MALFORMED, NULL},
    {{PMD "; server_max_window_bits="}, MALFORMED, NULL},
};

// ---- RFC 7692 section 7.1: offers that are accepted ------------------------

static const struct row accepted[] = {
    {{PMD}, PMD NO_CONTEXT, PMD},
    {{"foo", PMD}, PMD NO_CONTEXT, PMD},
    {{"foo; bar, " PMD " , baz"}, PMD NO_CONTEXT, PMD},

    // 7.1.1.1
    {{PMD "; server_no_context_takeover"}, PMD NO_CONTEXT, PMD "; server_no_context_takeover"},
    // 7.1.1.2
    {{PMD "; client_no_context_takeover"}, PMD NO_CONTEXT, PMD "; client_no_context_takeover"},
    {{PMD ";client_no_context_takeover;server_no_context_takeover"},
     PMD NO_CONTEXT,
     PMD NO_CONTEXT},

    // 7.1.2.1
    {{PMD "; server_max_window_bits=8"},
     PMD NO_CONTEXT "; server_max_window_bits=8",
     PMD "; server_no_context_takeover; server_max_window_bits=8"},
    {{PMD "; server_max_window_bits=9"},
     PMD NO_CONTEXT "; server_max_window_bits=9",
     PMD "; server_max_window_bits=9"},
    {{PMD "; server_max_window_bits=10"},
     PMD NO_CONTEXT "; server_max_window_bits=10",
     PMD "; server_max_window_bits=10"},
    {{PMD "; server_max_window_bits=15"},
     PMD NO_CONTEXT "; server_max_window_bits=15",
     PMD "; server_max_window_bits=15"},
    {{PMD "; server_max_window_bits=\"11\""},
     PMD NO_CONTEXT "; server_max_window_bits=11",
     PMD "; server_max_window_bits=11"},
    {{PMD "; server_max_window_bits=\"\\1\\1\""},
     PMD NO_CONTEXT "; server_max_window_bits=11",
     PMD "; server_max_window_bits=11"},
    {{PMD " ; server_max_window_bits = 11"},
     PMD NO_CONTEXT "; server_max_window_bits=11",
     PMD "; server_max_window_bits=11"},

    // 7.1.2.2: only answered when it was offered, and with no more than that
    {{PMD "; client_max_window_bits"}, PMD NO_CONTEXT, PMD "; client_max_window_bits=12"},
    {{PMD "; client_max_window_bits=15"}, PMD NO_CONTEXT, PMD "; client_max_window_bits=12"},
    {{PMD "; client_max_window_bits=12"}, PMD NO_CONTEXT, PMD "; client_max_window_bits=12"},
    {{PMD "; client_max_window_bits=9"}, PMD NO_CONTEXT, PMD "; client_max_window_bits=9"},
    {{PMD "; client_max_window_bits=8"}, PMD NO_CONTEXT, PMD "; client_max_window_bits=8"},
    {{PMD "; client_max_window_bits=\"10\""}, PMD NO_CONTEXT, PMD "; client_max_window_bits=10"},
    {{PMD "; client_max_window_bits; client_no_context_takeover"},
     PMD NO_CONTEXT,
     PMD "; client_no_context_takeover"},

    // As clients send it.
    {{PMD "; server_max_window_bits=12; client_max_window_bits=12"},
     PMD NO_CONTEXT "; server_max_window_bits=12",
     PMD "; server_max_window_bits=12; client_max_window_bits=12"},
    {{PMD "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; "
          "client_max_window_bits=9"},
     PMD NO_CONTEXT "; server_max_window_bits=9",
     PMD NO_CONTEXT "; server_max_window_bits=9"},
};

// ---- section 7: offers that must be declined -------------------------------

static const struct row declined[] = {
    // "an extension parameter not defined for use in an offer"
    {{PMD "; foo"}, NONE, NULL},
    {{PMD "; foo=1"}, NONE, NULL},
    {{PMD "; server_max_window_bits=10; foo"}, NONE, NULL},
    {{PMD "; Server_No_Context_Takeover"}, NONE, NULL},
    {{PMD "; server_no_context_takeove"}, NONE, NULL},
    {{PMD "; server_no_context_takeovers"}, NONE, NULL},
    // "with an invalid value"
    {{PMD "; server_no_context_takeover=1"}, NONE, NULL},
    {{PMD "; server_no_context_takeover=\"true\""}, NONE, NULL},
    {{PMD "; client_no_context_takeover=true"}, NONE, NULL},
    {{PMD "; server_max_window_bits"}, NONE, NULL},
    {{PMD "; server_max_window_bits=7"}, NONE, NULL},
    {{PMD "; server_max_window_bits=16"}, NONE, NULL},
    {{PMD "; server_max_window_bits=0"}, NONE, NULL},
    {{PMD "; server_max_window_bits=08"}, NONE, NULL},
    {{PMD "; server_max_window_bits=\"09\""}, NONE, NULL},
    {{PMD "; server_max_window_bits=010"}, NONE, NULL},
    {{PMD "; server_max_window_bits=-9"}, NONE, NULL},
    {{PMD "; server_max_window_bits=+9"}, NONE, NULL},
    {{PMD "; server_max_window_bits=9.0"}, NONE, NULL},
    {{PMD "; server_max_window_bits=0xA"}, NONE, NULL},
    {{PMD "; server_max_window_bits=a"}, NONE, NULL},
    {{PMD "; server_max_window_bits=1a"}, NONE, NULL},
    {{PMD "; server_max_window_bits=100"}, NONE, NULL},
    {{PMD "; server_max_window_bits=10000000000000000000000012"}, NONE, NULL},
    {{PMD "; client_max_window_bits=7"}, NONE, NULL},
    {{PMD "; client_max_window_bits=16"}, NONE, NULL},
    {{PMD "; client_max_window_bits=09"}, NONE, NULL},
    {{PMD "; client_max_window_bits=x"}, NONE, NULL},
    // "multiple extension parameters with the same name"
    {{PMD "; server_no_context_takeover; server_no_context_takeover"}, NONE, NULL},
    {{PMD "; client_no_context_takeover; client_no_context_takeover"}, NONE, NULL},
    {{PMD "; server_max_window_bits=10; server_max_window_bits=10"}, NONE, NULL},
    {{PMD "; client_max_window_bits; client_max_window_bits"}, NONE, NULL},
    {{PMD "; client_max_window_bits=15; client_max_window_bits"}, NONE, NULL},

    // Names are compared as they are.
    {{"Permessage-Deflate"}, NONE, NULL},
    {{"permessage-deflat"}, NONE, NULL},
    {{"permessage-deflate2"}, NONE, NULL},
    {{"permessage-bzip2"}, NONE, NULL},
};

// ---- section 5: of several offers the first that can be accepted ------------

static const struct row chosen[] = {
    {{PMD "; server_max_window_bits=10, " PMD},
     PMD NO_CONTEXT "; server_max_window_bits=10",
     PMD "; server_max_window_bits=10"},
    {{PMD ", " PMD "; server_max_window_bits=10"}, PMD NO_CONTEXT, PMD},
    {{PMD "; server_max_window_bits=7, " PMD "; foo, " PMD "; server_max_window_bits=9"},
     PMD NO_CONTEXT "; server_max_window_bits=9",
     PMD "; server_max_window_bits=9"},
    {{PMD "; foo", "bar", PMD "; client_max_window_bits"},
     PMD NO_CONTEXT,
     PMD "; client_max_window_bits=12"},
    // Nothing of a declined one is left over.
    {{PMD "; server_max_window_bits=9; client_max_window_bits=9; foo, " PMD}, PMD NO_CONTEXT, PMD},
    {{PMD "; server_no_context_takeover=1", PMD}, PMD NO_CONTEXT, PMD},
};

static struct http_request request_of(const char *const *lines, struct http_header *store) {
  struct http_request request = {.headers = store, .header_count = 1};
  store[0] = (struct http_header){slice_str("Sec-WebSocket-Protocol"), slice_str("a b;")};
  for (size_t i = 0; i < MAX_LINES && lines[i] != NULL; i++) {
    struct slice name = slice_str(i == 0 ? "Sec-WebSocket-Extensions" : "sec-websocket-extensions");
    store[request.header_count++] = (struct http_header){name, slice_str(lines[i])};
  }
  return request;
}

static void write_answer(struct buf *out, const char *const *lines, bool keeps_context) {
  struct http_header store[1 + MAX_LINES];
  struct http_request request = request_of(lines, store);
  struct ws_deflate_terms offer;
  switch (ws_extensions_read(&request, &offer)) {
    case WS_EXTENSIONS_MALFORMED:
      buf_append_str(out, MALFORMED);
      break;
    case WS_EXTENSIONS_NONE:
      buf_append_str(out, NONE);
      break;
    case WS_EXTENSIONS_DEFLATE: {
      struct ws_deflate_terms terms = ws_deflate_agree(&offer, keeps_context);
      ws_deflate_write_terms(out, &terms);
      break;
    }
  }
}

static void expect_answers(const struct row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    for (int keeps_context = 0; keeps_context <= 1; keeps_context++) {
      const char *expected = rows[i].answer;
      if (keeps_context && rows[i].kept != NULL) expected = rows[i].kept;
      struct buf got = {0};
      write_answer(&got, rows[i].lines, keeps_context);
      buf_append_char(&got, '\0');
      if (strcmp(got.data, expected) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", rows[i].lines[0], got.data, expected);
      buf_free(&got);
    }
  }
}

#define EXPECT(rows) expect_answers(rows, sizeof(rows) / sizeof *(rows))

static void headers_follow_the_grammar(void **state) {
  (void)state;
  EXPECT(grammar);
}

static void offers_are_answered_with_their_parameters(void **state) {
  (void)state;
  EXPECT(accepted);
}

static void offers_with_anything_wrong_are_declined(void **state) {
  (void)state;
  EXPECT(declined);
}

static void the_first_good_offer_wins(void **state) {
  (void)state;
  EXPECT(chosen);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(headers_follow_the_grammar),
      cmocka_unit_test(offers_are_answered_with_their_parameters),
      cmocka_unit_test(offers_with_anything_wrong_are_declined),
      cmocka_unit_test(the_first_good_offer_wins),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
