// Server-sent events: see sse.h.
#include "proto/sse.h"

#include <string.h>

#include "base/utf8.h"

static const char *find_char(const char *from, const char *end, char c) {
  const char *found = from < end ? memchr(from, c, (size_t)(end - from)) : NULL;
  return found != NULL ? found : end;
}

static void write_line(struct buf *out, const char *field, struct slice value) {
  buf_append_str(out, field);
  buf_append_slice(out, value);
  buf_append_char(out, '\n');
}

// One line "<field>value" for each line of text. The next CR and the next LF
// are each remembered until passed, so the text is walked once whatever it holds.
static void write_lines(struct buf *out, const char *field, struct slice text) {
  const char *line = text.len > 0 ? text.ptr : "", *end = line + text.len;
  const char *cr = find_char(line, end, '\r'), *lf = find_char(line, end, '\n');
  for (;;) {
    const char *stop = cr < lf ? cr : lf;
    write_line(out, field, slice_of(line, (size_t)(stop - line)));
    if (stop == end) return;
    bool is_crlf = stop == cr && lf != end && lf == cr + 1;
    line = stop + (is_crlf ? 2 : 1);
    if (cr < line) cr = find_char(line, end, '\r');
    if (lf < line) lf = find_char(line, end, '\n');
  }
}

// The field names end in a space: a client drops one, and so keeps those that
// belong to the value. The id comes last: some clients remember it as soon as they
// have its line, and would not ask again for an event whose rest was cut off.
static const char event_field[] = "event: ", id_field[] = "id: ", data_field[] = "data: ";

static bool is_one_line(struct slice text) {
  const char *end = text.ptr + text.len;
  for (const char *p = text.ptr; p < end; p++) {
    if (*p == '\r' || *p == '\n' || *p == '\0') return false;
  }
  return true;
}

static const char *check_event(const struct sse_event *event) {
  const struct {
    struct slice text;
    bool in_one_line;
    const char *not_one_line, *not_utf8;
  } rules[] = {
      {event->event, true, "event must not contain CR, LF or NUL", "event is not UTF-8"},
      {event->id, true, "id must not contain CR, LF or NUL", "id is not UTF-8"},
      {event->data, false, NULL, "data is not UTF-8"},
      {event->comment, false, NULL, "comment is not UTF-8"},
  };
  bool is_empty = event->retry_ms < 0;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    if (rules[i].text.ptr == NULL) continue;
    is_empty = false;
    if (rules[i].in_one_line && !is_one_line(rules[i].text)) return rules[i].not_one_line;
    if (!utf8_is_valid(rules[i].text)) return rules[i].not_utf8;
  }
  return is_empty ? "an event needs at least one field" : NULL;
}

const char *sse_write(struct buf *out, const struct sse_event *event) {
  const char *wrong = check_event(event);
  if (wrong != NULL) return wrong;
  if (event->comment.ptr != NULL) write_lines(out, ": ", event->comment);
  if (event->event.ptr != NULL) write_line(out, event_field, event->event);
  if (event->retry_ms >= 0) buf_printf(out, "retry: %lld\n", (long long)event->retry_ms);
  if (event->data.ptr != NULL) write_lines(out, data_field, event->data);
  if (event->id.ptr != NULL) write_line(out, id_field, event->id);
  buf_append_char(out, '\n');
  return NULL;
}

void sse_encode_message(const struct message *m, const char *epoch, struct buf *out) {
  if (m->kind != MESSAGE_TEXT) return;
  if (m->event_len > 0) write_line(out, event_field, message_event(m));
  write_lines(out, data_field, message_payload(m));
  buf_append_str(out, id_field);
  buf_append_str(out, epoch);
  buf_append_char(out, '-');
  buf_append_decimal(out, m->seq);
  buf_append_char(out, '\n');
  buf_append_char(out, '\n');
}
