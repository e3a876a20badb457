// Topic rules by pattern: see rules.h.
#include "hub/rules.h"

#include <stdlib.h>

#include "base/mem.h"

struct entry {
  struct hub_rule rule;                              // owns rule.pattern
  size_t literal_count, double_count, single_count;  // characters that are no `*`; `**`; `*`
};

struct rules {
  size_t count;
  struct entry entries[];  // the one that wins where several match comes first
};

static const struct hub_rule fallback = {
    .pattern = "**", .bytes = HUB_BYTES, .lag = HUB_LAG_SKIP, .grace_ms = HUB_GRACE_MS};

static void count_parts(struct entry *entry) {
  for (const char *p = entry->rule.pattern; *p != '\0'; p++) {
    if (*p != '*') {
      entry->literal_count++;
    } else if (p[1] == '*') {
      entry->double_count++, p++;
    } else {
      entry->single_count++;
    }
  }
}

static bool is_more_specific(const struct entry *a, const struct entry *b) {
  if (a->literal_count != b->literal_count) return a->literal_count > b->literal_count;
  if (a->double_count != b->double_count) return a->double_count < b->double_count;
  return a->single_count < b->single_count;
}

// Puts the entry behind all that win over it; one given later wins a draw.
static void insert(struct rules *rules, const struct entry *entry) {
  size_t at = rules->count++;
  for (; at > 0 && !is_more_specific(&rules->entries[at - 1], entry); at--) {
    rules->entries[at] = rules->entries[at - 1];
  }
  rules->entries[at] = *entry;
}

struct rules *rules_new(const struct hub_rule *given, size_t count) {
  struct rules *rules = mem_zalloc(sizeof *rules + count * sizeof rules->entries[0]);
  for (size_t i = 0; i < count; i++) {
    struct entry entry = {.rule = given[i]};
    entry.rule.pattern = mem_strdup(given[i].pattern);
    count_parts(&entry);
    if (entry.rule.bytes == 0) entry.rule.bytes = HUB_BYTES;
    if (entry.rule.grace_ms == 0) entry.rule.grace_ms = HUB_GRACE_MS;
    if (entry.rule.lag == HUB_LAG_DEFAULT) entry.rule.lag = HUB_LAG_SKIP;
    insert(rules, &entry);
  }
  return rules;
}

void rules_free(struct rules *rules) {
  if (rules == NULL) return;
  for (size_t i = 0; i < rules->count; i++) free((char *)rules->entries[i].rule.pattern);
  free(rules);
}

const struct hub_rule *rules_find(const struct rules *rules, struct slice topic) {
  for (size_t i = 0; i < rules->count; i++) {
    const struct hub_rule *rule = &rules->entries[i].rule;
    if (rules_pattern_matches(slice_str(rule->pattern), topic)) return rule;
  }
  return &fallback;
}

// A wildcard that was passed and may yet swallow more of the topic.
struct retry {
  size_t pattern;  // just past the wildcard; 0: none
  size_t topic;    // where its run ends so far
};

// Only the last wildcard of each kind need be retried: an earlier one that
// swallows more gives nothing that the later one cannot. So this takes at most
// quadratic time, whatever pattern a script and topic a peer make up.
bool rules_pattern_matches(struct slice pattern, struct slice topic) {
  struct retry within = {0}, across = {0};
  size_t p = 0, t = 0;
  while (p < pattern.len || t < topic.len) {
    if (p < pattern.len && pattern.ptr[p] == '*') {
      bool is_double = p + 1 < pattern.len && pattern.ptr[p + 1] == '*';
      p += is_double ? 2 : 1;
      struct retry here = {p, t};
      if (is_double) across = here;
      within = is_double ? (struct retry){0} : here;
    } else if (p < pattern.len && t < topic.len && pattern.ptr[p] == topic.ptr[t]) {
      p++, t++;
    } else if (within.pattern > 0 && within.topic < topic.len && topic.ptr[within.topic] != '/') {
      p = within.pattern;
      t = ++within.topic;
    } else if (across.pattern > 0 && across.topic < topic.len) {
      within = (struct retry){0};
      p = across.pattern;
      t = ++across.topic;
    } else {
      return false;
    }
  }
  return true;
}
