// Questions to the hub as a whole: what a topic keeps, and which topics there are.
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hub/id.h"
#include "hub/topics.h"

// ---- history -------------------------------------------------------------

// The ordinals [from, to) that the options ask for.
struct range {
  uint64_t from, to;
};

static struct range range_of(const struct hub *hub, const struct topic *t,
                             const struct hub_history_options *options,
                             struct hub_join_result *result) {
  struct range all = {topic_first(t), t->head};
  uint64_t seq;
  switch (options->since) {
    case HUB_SINCE_NOW:
    case HUB_SINCE_FIRST:
      return all;
    case HUB_SINCE_LAST:
      return (struct range){topic_last(t), t->head};
    case HUB_SINCE_ID:
      break;
  }
  if (!options->is_reverse)
    return (struct range){id_start_after(hub, t, options->id, result), t->head};
  result->recovered = hub_id_parse(hub, options->id, &seq) && seq <= hub->seq;
  result->missed_known = result->recovered;
  // Nothing is before an id that was never given out, or before the first of all.
  if (!result->recovered || seq == 0) return (struct range){all.from, all.from};
  return (struct range){all.from, topic_find_after(t, seq - 1)};
}

// Narrows the range where that is plain arithmetic, so that the newest few of a
// long log cost no walk over all of it.
static struct range narrow(const struct topic *t, struct range range,
                           const struct hub_history_options *options) {
  uint64_t limit = options->limit;
  if (!options->is_reverse || limit == 0 || range.to < t->base || range.to - t->base < limit)
    return range;
  if (range.from < range.to - limit) range.from = range.to - limit;
  return range;
}

enum { READ_STEP = 512, READ_TRIES = 4 };

// Of a log that is read in several holds of the lock.
struct reading {
  struct range range;
  size_t most;  // messages
  size_t cap;   // of the array
};

static struct reading begin(struct hub *hub, struct topic *t,
                            const struct hub_history_options *options,
                            struct hub_history *history) {
  struct hub_join_result result = {.missed_known = true};
  topics_note_used(hub, t);
  struct reading reading = {.most = SIZE_MAX};
  reading.range = narrow(t, range_of(hub, t, options, &result), options);
  if (!options->is_reverse && options->limit > 0) reading.most = options->limit;
  history->recovered = result.recovered;
  history->missed_known = result.missed_known;
  history->missed = result.missed;
  return reading;
}

// Takes `count` messages at most; true when it has all.
static bool collect(const struct topic *t, struct reading *reading, size_t count,
                    struct hub_history *history) {
  struct message *m;
  uint64_t found;
  for (; history->count < reading->most; count--) {
    m = topic_next(t, reading->range.from, &found);
    if (m == NULL || found >= reading->range.to) return true;
    if (count == 0) return false;
    history->messages = mem_grow(history->messages, &reading->cap, history->count + 1, 16,
                                 sizeof *history->messages);
    history->messages[history->count++] = message_ref(m);
    reading->range.from = found + 1;
  }
  return true;
}

// Whether something was lost behind what has been read, so that the rest would not follow on.
static bool is_torn(const struct topic *t, const struct hub_history *history) {
  return t == NULL || t->lost_seq >= history->messages[history->count - 1]->seq;
}

// Reads it, in holds of the lock for `step` messages each; false when too much went meanwhile.
static bool read_log(struct hub *hub, struct slice topic, const struct hub_history_options *options,
                     size_t step, struct hub_history *history) {
  uint64_t now_ms = clock_mono_ms();
  pthread_mutex_lock(&hub->lock);
  struct topic *t = topics_find_trimmed(hub, topic, now_ms);
  bool is_new = t == NULL, is_whole = true;
  // A topic that is not there knows all the same what it lost.
  if (is_new) t = topics_create(hub, topic);
  topics_rule(hub, t);
  struct reading reading = begin(hub, t, options, history);
  while (is_whole && !collect(t, &reading, step, history)) {
    pthread_mutex_unlock(&hub->lock);
    pthread_mutex_lock(&hub->lock);
    t = topics_find(hub, topic);
    is_whole = !is_torn(t, history);
  }
  if (is_new) topics_settle(hub, t, now_ms);
  pthread_mutex_unlock(&hub->lock);
  return is_whole;
}

static void reverse(struct message **messages, size_t count) {
  for (size_t i = 0; i < count / 2; i++) {
    struct message *swap = messages[i];
    messages[i] = messages[count - 1 - i];
    messages[count - 1 - i] = swap;
  }
}

struct hub_history hub_history_read(struct hub *hub, struct slice topic,
                                    const struct hub_history_options *options) {
  struct hub_history history = {.missed_known = true};
  if (topic_name_check(topic) != HUB_OK) return history;
  for (int tries = 1;
       !read_log(hub, topic, options, tries < READ_TRIES ? READ_STEP : SIZE_MAX, &history);
       tries++) {
    hub_history_free(&history);
  }
  if (!options->is_reverse) return history;
  reverse(history.messages, history.count);
  while (options->limit > 0 && history.count > options->limit)
    message_unref(history.messages[--history.count]);
  return history;
}

void hub_history_free(struct hub_history *history) {
  for (size_t i = 0; i < history->count; i++) message_unref(history->messages[i]);
  free(history->messages);
  *history = (struct hub_history){0};
}

// ---- topics --------------------------------------------------------------

enum hub_status hub_topic_check(struct slice topic) { return topic_name_check(topic); }

enum hub_status hub_publish_check(struct slice topic) {
  enum hub_status status = topic_name_check(topic);
  return status == HUB_OK && topic_is_reserved(topic) ? HUB_RESERVED : status;
}

bool hub_pattern_is_valid(struct slice pattern) { return topic_text_is_valid(pattern); }

size_t hub_count(struct hub *hub, struct slice topic) {
  pthread_mutex_lock(&hub->lock);
  struct topic *t = topics_find(hub, topic);
  size_t count = t != NULL ? t->sub_count : 0;
  pthread_mutex_unlock(&hub->lock);
  return count;
}

enum { SCAN_STEP = 512 };

struct scan {
  const struct hub_topics_query *query;
  size_t start;  // a free place of the map
  size_t at;     // places from there
  struct hub_topic_info *found;
  size_t count, cap;
  bool has_more;
};

static void note_topic(struct scan *scan, const struct topic *t) {
  if (t->sub_count == 0 && topic_is_empty(t)) return;  // members in their grace period
  scan->found = mem_grow(scan->found, &scan->cap, scan->count + 1, 16, sizeof *scan->found);
  struct hub_topic_info *info = &scan->found[scan->count++];
  info->name_len = t->name_len;
  memcpy(info->name, t->name, t->name_len);
  info->subscribers = t->sub_count;
  info->messages = topic_kept_count(t);
}

static void scan_begin(struct scan *scan, const struct map *topics) {
  scan->at = scan->start = scan->count = 0;
  scan->has_more = false;
  while (scan->start < topics->cap && map_at(topics, scan->start) != NULL) scan->start++;
}

// Notes the topics of SCAN_STEP places at least, up to a free one: see map_places. True when all
// were seen.
static bool scan_step(struct scan *scan, const struct map *topics) {
  size_t total = map_places(topics);
  for (size_t places = SCAN_STEP; scan->at < total; scan->at++) {
    size_t place = scan->at + scan->start;
    const struct topic *t = map_at(topics, place < total ? place : place - total);
    if (places > 0) places--;
    if (t != NULL) note_topic(scan, t);
    if (t == NULL && places == 0) break;
  }
  return scan->at >= total;
}

// Keeps of the topics from `first` on those that match. Without the lock: a pattern and names
// that peers made up may take some 30 us each.
static void keep_matching(struct scan *scan, size_t first) {
  size_t noted = scan->count;
  scan->count = first;
  for (size_t i = first; i < noted && !scan->has_more; i++) {
    const struct hub_topic_info *info = &scan->found[i];
    if (!rules_pattern_matches(scan->query->pattern, slice_of(info->name, info->name_len)))
      continue;
    scan->has_more = scan->count == scan->query->limit;
    if (!scan->has_more) scan->found[scan->count++] = *info;
  }
}

static bool is_cut_short(struct scan *scan) {
  const struct hub_topics_query *query = scan->query;
  if (query->is_over != NULL && query->is_over(query->ctx)) scan->has_more = true;
  return scan->has_more;
}

// A million topics must not stop all publishers, so the lock is held for a few places at a
// time. When the map grows or shrinks meanwhile the scan starts again, once all entries have
// moved: until then each publisher may move some.
struct hub_topic_info *hub_topics(struct hub *hub, const struct hub_topics_query *query,
                                  size_t *count, bool *has_more) {
  struct scan scan = {.query = query};
  uint64_t version = 0;
  bool has_begun = false, is_done = false;
  while (!is_done && !is_cut_short(&scan)) {
    pthread_mutex_lock(&hub->lock);
    bool is_moving = topics_move_step(hub);
    if (!is_moving && (!has_begun || version != hub->topics_version)) {
      version = hub->topics_version;
      scan_begin(&scan, &hub->topics);
      has_begun = true;
    }
    size_t first = scan.count;
    if (!is_moving) is_done = scan_step(&scan, &hub->topics);
    pthread_mutex_unlock(&hub->lock);
    keep_matching(&scan, first);
  }
  if (scan.count == 0) {
    free(scan.found);
    scan.found = NULL;
  }
  *count = scan.count;
  *has_more = scan.has_more;
  return scan.found;
}
