// What a client makes of presence: the members of a topic, kept up to date by
// the diffs it is told. Reads the JSON that the hub writes, and no other.
#ifndef TIDEGATE_TESTS_HUB_ROSTER_H
#define TIDEGATE_TESTS_HUB_ROSTER_H

#include <string.h>

#include "hub_fixture.h"

enum { ROSTER_MAX = 2048, ROSTER_INFO = 128 };

struct roster {
  size_t count;
  struct {
    char id[64];
    char info[ROSTER_INFO];  // "" for none
  } members[ROSTER_MAX];
};

static inline size_t roster_find(const struct roster *r, const char *id) {
  size_t i = 0;
  while (i < r->count && strcmp(r->members[i].id, id) != 0) i++;
  return i;
}

// The text between `before` and `after` from *at on, and *at set behind it.
static inline void roster_cut(const char **at, const char *before, const char *after, char *out,
                              size_t size) {
  const char *start = strstr(*at, before);
  assert_non_null(start);
  start += strlen(before);
  const char *end = strstr(start, after);
  assert_non_null(end);
  assert_true((size_t)(end - start) < size);
  memcpy(out, start, (size_t)(end - start));
  out[end - start] = '\0';
  *at = end;
}

// Applies the JSON array that starts at *at: of joins, or of leaves.
static inline void roster_apply(struct roster *r, const char **at, bool is_join) {
  assert_int_equal(**at, '[');
  for (++*at; **at != ']'; *at += **at == ',') {
    char id[64], info[ROSTER_INFO] = "", since[32];
    roster_cut(at, "{\"id\":\"", "\"", id, sizeof id);
    if (strncmp(*at, "\",\"info\":", 9) == 0)
      roster_cut(at, "\"info\":", ",\"since\":", info, sizeof info);
    roster_cut(at, "\"since\":", "}", since, sizeof since);
    assert_true(atof(since) > 1e9);
    ++*at;
    size_t i = roster_find(r, id);
    if (!is_join) {
      if (i < r->count) r->members[i] = r->members[--r->count];
      continue;
    }
    assert_true(i < ROSTER_MAX);
    if (i == r->count) r->count++;
    snprintf(r->members[i].id, sizeof r->members[i].id, "%s", id);
    snprintf(r->members[i].info, sizeof r->members[i].info, "%s", info);
  }
  ++*at;
}

// Applies a diff; returns how many joins and leaves it has.
static inline void roster_apply_diff(struct roster *r, const char *diff) {
  const char *joins = strstr(diff, "\"joins\":");
  assert_non_null(joins);
  joins += 8;
  roster_apply(r, &joins, true);
  assert_memory_equal(joins, ",\"leaves\":", 10);
  joins += 10;
  roster_apply(r, &joins, false);
  assert_string_equal(joins, "}");
}

// What hub_presence says now.
static inline void roster_read(struct roster *r, struct hub *hub, const char *topic) {
  struct buf out = {0};
  hub_presence(hub, slice_str(topic), &out);
  buf_append_char(&out, '\0');
  const char *at = out.data;
  r->count = 0;
  roster_apply(r, &at, true);
  assert_string_equal(at, "");
  buf_free(&out);
}

static inline void roster_check_equal(const struct roster *a, const struct roster *b) {
  assert_int_equal(a->count, b->count);
  for (size_t i = 0; i < a->count; i++) {
    size_t k = roster_find(b, a->members[i].id);
    assert_true(k < b->count);
    assert_string_equal(a->members[i].info, b->members[k].info);
  }
}

// "ann=1 bob", in order.
static inline const char *roster_line(const struct roster *r) {
  static char line[4096];
  size_t used = 0;
  line[0] = '\0';
  for (size_t i = 0; i < r->count && used < sizeof line - 256; i++) {
    const char *info = r->members[i].info;
    used += (size_t)sprintf(line + used, "%s%s%s%s", i > 0 ? " " : "", r->members[i].id,
                            info[0] != '\0' ? "=" : "", info);
  }
  return line;
}

// A port with one reader that applies all the diffs it hears.
struct ear {
  struct hub_port *port;
  struct hub_reader reader;
  struct buf heard;  // payloads, each with a newline
  struct roster roster;
};

static inline void ear_wake(void *ctx) { (void)ctx; }

static inline size_t ear_deliver(struct hub_reader *reader, const struct hub_batch *batch) {
  struct ear *ear = hub_port_ctx(reader->port);
  for (size_t i = 0; i < batch->count; i++) {
    struct slice payload = message_payload(batch->messages[i]);
    char *text = mem_strndup(payload.ptr, payload.len);
    assert_true(payload.len < 64 * 1024);
    assert_true(slice_equal(message_event(batch->messages[i]), slice_str("presence")));
    roster_apply_diff(&ear->roster, text);
    buf_append_slice(&ear->heard, payload);
    buf_append_char(&ear->heard, '\n');
    free(text);
  }
  return batch->count;
}

static inline void ear_gap(struct hub_reader *r, struct slice t, uint64_t n, enum hub_lag lag) {
  (void)r, (void)t, (void)lag;
  assert_int_equal(n, 0);
}

// Joins nothing yet.
static inline void ear_open(struct ear *ear, struct hub *hub) {
  memset(ear, 0, sizeof *ear);
  ear->port = hub_port_new(hub, &(struct hub_port_ops){ear_wake, ear_deliver, ear_gap}, ear);
  hub_reader_init(&ear->reader, ear->port, 0, HUB_FORM_NONE);
}

static inline void ear_close(struct ear *ear) {
  hub_reader_close(&ear->reader);
  hub_port_free(ear->port);
  buf_free(&ear->heard);
}

#endif
