// The bytes of responses: see http_response.h.
#include "proto/http_response.h"

#include <time.h>

#include "proto/http_chars.h"

// The first are the most frequent ones; the rest by number.
static const struct status_row {
  int status;
  const char *text;
} statuses[] = {
    {200, "OK"},
    {101, "Switching Protocols"},
    {204, "No Content"},
    {304, "Not Modified"},
    {404, "Not Found"},
    {100, "Continue"},
    {102, "Processing"},
    {103, "Early Hints"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {510, "Not Extended"},
    {511, "Network Authentication Required"},
};

const char *http_status_text(int status) {
  static const char *const classes[] = {"Unknown",     "Informational", "Success",
                                        "Redirection", "Client Error",  "Server Error"};
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    if (statuses[i].status == status) return statuses[i].text;
  }
  return classes[status >= 100 && status < 600 ? status / 100 : 0];
}

bool http_status_is_bodiless(int status) {
  return (status >= 100 && status < 200) || status == 204 || status == 205 || status == 304;
}

bool http_header_name_is_valid(struct slice name) {
  return name.len > 0 && http_chars_are(name, HTTP_CHAR_TOKEN);
}

bool http_header_value_is_valid(struct slice value) {
  return http_chars_are(value, HTTP_CHAR_VALUE);
}

// Writes `number` right-aligned before `end` and returns its first digit.
static char *write_number(char *end, uint64_t number, unsigned base) {
  do *--end = "0123456789abcdef"[number % base];
  while ((number /= base) > 0);
  return end;
}

static void append_number(struct buf *out, uint64_t number, unsigned base) {
  char digits[20];
  char *first = write_number(digits + sizeof digits, number, base);
  buf_append(out, first, (size_t)(digits + sizeof digits - first));
}

bool http_field_is_own(struct slice name) {
  static const char *const own[] = {"content-length", "transfer-encoding", "connection", "date",
                                    "keep-alive"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    if (slice_equal_nocase(name, slice_str(own[i]))) return true;
  }
  return false;
}

void http_write_status(struct buf *out, int status) {
  if (status < 100 || status > 999) status = 500;  // three digits, whatever the caller does
  buf_append_str(out, "HTTP/1.1 ");
  append_number(out, (uint64_t)status, 10);
  buf_append_char(out, ' ');
  buf_append_str(out, http_status_text(status));
  buf_append(out, "\r\n", 2);
}

void http_write_header(struct buf *out, struct slice name, struct slice value) {
  buf_append_slice(out, name);
  buf_append(out, ": ", 2);
  buf_append_slice(out, value);
  buf_append(out, "\r\n", 2);
}

void http_write_length(struct buf *out, uint64_t bytes) {
  buf_append_str(out, "Content-Length: ");
  append_number(out, bytes, 10);
  buf_append(out, "\r\n", 2);
}

void http_write_end(struct buf *out) { buf_append(out, "\r\n", 2); }

void http_write_chunk(struct buf *out, struct slice data) {
  if (data.len == 0) return;  // an empty chunk would end the body
  append_number(out, data.len, 16);
  buf_append(out, "\r\n", 2);
  buf_append_slice(out, data);
  buf_append(out, "\r\n", 2);
}

void http_write_last_chunk(struct buf *out) { buf_append_str(out, "0\r\n\r\n"); }

static char *put_digits(char *to, int number, int width) {
  for (int i = width; i-- > 0; number /= 10) to[i] = (char)('0' + number % 10);
  return to + width;
}

static char *put_text(char *to, const char *text, size_t len) {
  memcpy(to, text, len);
  return to + len;
}

void http_write_refusal(struct buf *out, int status, const char *date, const char *reason,
                        bool omits_body) {
  http_write_status(out, status);
  http_write_header(out, slice_str("Date"), slice_str(date));
  if (reason != NULL)
    http_write_header(out, slice_str("Content-Type"), slice_str("text/plain; charset=utf-8"));
  if (status == 503) http_write_header(out, slice_str("Retry-After"), slice_str("1"));
  http_write_length(out, reason != NULL ? strlen(reason) + 1 : 0);
  http_write_header(out, slice_str("Connection"), slice_str("close"));
  http_write_end(out);
  if (reason == NULL || omits_body) return;
  buf_append_str(out, reason);
  buf_append_char(out, '\n');
}

// By hand, because strftime follows the locale.
void http_format_date(char out[HTTP_DATE_BYTES], int64_t seconds) {
  static const char days[] = "SunMonTueWedThuFriSat";
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const int64_t last = 253402300799;  // the end of the year 9999: the form has four digits
  time_t t = (time_t)(seconds < 0 ? 0 : seconds > last ? last : seconds);
  struct tm tm;
  gmtime_r(&t, &tm);
  char *p = put_text(out, &days[(size_t)tm.tm_wday * 3], 3);
  p = put_digits(put_text(p, ", ", 2), tm.tm_mday, 2);
  p = put_text(put_text(p, " ", 1), &months[(size_t)tm.tm_mon * 3], 3);
  p = put_digits(put_text(p, " ", 1), tm.tm_year + 1900, 4);
  p = put_digits(put_text(p, " ", 1), tm.tm_hour, 2);
  p = put_digits(put_text(p, ":", 1), tm.tm_min, 2);
  p = put_digits(put_text(p, ":", 1), tm.tm_sec, 2);
  memcpy(p, " GMT", 5);
}
