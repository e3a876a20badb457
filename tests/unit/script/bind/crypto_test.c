// gate.crypto: the vectors of the standards, and what is no argument.
#include "script/fake_gate.h"

struct row {
  const char *expression, *noted;
};

static void expect_rows(const struct row *rows, size_t count) {
  struct buf script = {0};
  buf_append_str(&script,
                 "local c = gate.crypto\n"
                 "local function say(fn, ...) return select(2, pcall(fn, ...)) end\n");
  for (size_t i = 0; i < count; i++) buf_printf(&script, "note(%s)\n", rows[i].expression);
  buf_append_char(&script, '\0');
  gate_open(script.data);
  buf_free(&script);
  char *notes = mem_strdup(gate_notes()), *rest = notes;
  for (size_t i = 0; i < count; i++) {
    const char *line = strsep(&rest, "\n");
    if (line == NULL || strcmp(line, rows[i].noted) != 0)
      fail_msg("%s: %s, not %s", rows[i].expression, line, rows[i].noted);
  }
  free(notes);
}

#define expect_each(rows) expect_rows(rows, sizeof(rows) / sizeof *(rows))

// RFC 4231 section 4 (1, 2, 6 with a key longer than a block), RFC 2202 section 3 (2).
static void signatures_are_those_of_the_standards(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"c.hex(c.hmac('sha256', ('\\x0b'):rep(20), 'Hi There'))",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"c.hex(c.hmac('sha224', ('\\x0b'):rep(20), 'Hi There'))",
       "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22"},
      {"c.hex(c.hmac('sha256', 'Jefe', 'what do ya want for nothing?'))",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {"c.hex(c.hmac('sha384', 'Jefe', 'what do ya want for nothing?'))",
       "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
       "8e2240ca5e69e2c78b3239ecfab21649"},
      {"c.hex(c.hmac('sha512', 'Jefe', 'what do ya want for nothing?'))",
       "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
       "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
      {"c.hex(c.hmac('sha256', ('\\xaa'):rep(131), 'Test Using Larger Than Block-Size Key - Hash "
       "Key First'))",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {"c.hex(c.hmac('sha1', 'Jefe', 'what do ya want for nothing?'))",
       "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
      {"c.hex(c.hmac('md5', 'Jefe', 'what do ya want for nothing?'))",
       "750c783e6ab0b503eaa86e310a5db738"},
      {"c.hex(c.hmac('sha256', '', ''))",
       "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
  };
  expect_each(rows);
}

// FIPS 180-4 (its examples), RFC 1321 appendix A.5.
static void digests_are_those_of_the_standards(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"c.hex(c.digest('sha256', 'abc'))",
       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"c.hex(c.digest('sha256', ''))",
       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"c.hex(c.digest('sha224', 'abc'))",
       "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
      {"c.hex(c.digest('sha384', 'abc'))",
       "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
       "8086072ba1e7cc2358baeca134c825a7"},
      {"c.hex(c.digest('sha512', 'abc'))",
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
      {"c.hex(c.digest('sha1', 'abc'))", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {"c.hex(c.digest('md5', 'message digest'))", "f96b697d7cb7938d525a2f31aaf161d0"},
      {"c.digest('sha256', 'a\\0b') ~= c.digest('sha256', 'a')", "true"},
  };
  expect_each(rows);
}

static void text_and_bytes(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"c.base64 'foob', c.base64url 'foob', c.hex 'foob'", "Zm9vYg== Zm9vYg 666f6f62"},
      {"c.base64 '\\xfb\\xff', c.base64url '\\xfb\\xff', c.hex '\\0'", "+/8= -_8 00"},
      {"c.base64 '' == '' and c.hex_decode '' == ''", "true"},
      {"c.base64_decode 'Zm9vYg==', c.base64url_decode 'Zm9vYg', c.hex_decode '666F6f62'",
       "foob foob foob"},
      {"#c.base64_decode 'AAAA', c.hex_decode '00' == '\\0'", "3 true"},
      {"c.base64_decode 'Zm9vYg'", "nil the text is not base64 base64"},
      {"c.base64url_decode 'Zm9vYg=='", "nil the text is not base64url base64url"},
      {"c.hex_decode 'abc'", "nil the text is not hex hex"},
      {"#c.base64(('x'):rep(1000000)), #c.base64_decode(c.base64(('x'):rep(1000000)))",
       "1333336 1000000"},
      {"c.equal('a', 'a'), c.equal('a', 'b'), c.equal('a', 'ab'), c.equal('', '')",
       "true false false true"},
      {"c.equal('a\\0b', 'a\\0b'), c.equal('a\\0b', 'a\\0c')", "true false"},
      {"#c.random(16), #c.random(0), #c.random(1048576), c.random(16) ~= c.random(16)",
       "16 0 1048576 true"},
  };
  expect_each(rows);
}

static void what_is_no_argument_raises(void **state) {
  (void)state;
  static const struct row rows[] = {
      {"(say(c.digest, 'sha3', 'x'):gsub('^.*: ', ''))",
       "algorithm must be one of \"sha256\", \"sha512\", \"sha384\", \"sha224\", \"sha1\", "
       "\"md5\" (got \"sha3\")"},
      {"pcall(c.hmac, 'SHA256', 'k', 'x') == false", "true"},
      {"(say(c.hmac, 'sha256', nil, 'x'):gsub('^.*%(', ''))", "string expected, got nil)"},
      {"(say(c.hmac, 'sha256', 'k'):gsub('^.*%(', ''))", "string expected, got no value)"},
      {"(say(c.base64, 5):gsub('^.*%(', ''))", "string expected, got number)"},
      {"(say(c.equal, 'a', nil):gsub('^.*%(', ''))", "string expected, got nil)"},
      {"(say(c.random, -1):gsub('^.*%(', ''))", "must be from 0 to 1048576)"},
      {"(say(c.random, 1048577):gsub('^.*%(', ''))", "must be from 0 to 1048576)"},
      {"(say(c.random, 1.5):gsub('^.*%(', ''))", "number has no integer representation)"},
      {"(say(c.random):gsub('^.*%(', ''))", "number expected, got no value)"},
  };
  expect_each(rows);
}

#define crypto_test(name) cmocka_unit_test_teardown(name, close_gate)

static int close_gate(void **state) {
  (void)state;
  gate_close();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      crypto_test(signatures_are_those_of_the_standards),
      crypto_test(digests_are_those_of_the_standards),
      crypto_test(text_and_bytes),
      crypto_test(what_is_no_argument_raises),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
