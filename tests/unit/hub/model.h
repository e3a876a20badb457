// The model a hub is held against: every message ever published, what became
// of it, and which of them each subscription is still owed. It looks into the
// hub for one thing only, which messages are in the logs; why one may be gone,
// who must get what, and what a gap must count follow from the promises alone.
#ifndef TIDEGATE_TESTS_HUB_MODEL_H
#define TIDEGATE_TESTS_HUB_MODEL_H

#include "hub/topics.h"
#include "roster.h"

enum { TOPICS = 5, READERS = 6, PORTS = 2, USERS = 5, KEYS = 64 };

enum fate {
  KEPT,
  SPENT,  // gone, after a newer one of its key had come
  LOST,   // gone otherwise
};

struct published {
  uint64_t seq, except;
  size_t newer;  // index of the next of its key, published while it was kept; or 0
  uint32_t size;
  uint8_t key;  // 0: none
  uint8_t fate;
};

struct log {
  struct published *all;
  size_t count, cap;
  size_t newest[KEYS];      // index + 1
  size_t delivered[PORTS];  // how many had been published when the port delivered last
  size_t first_kept;        // none before it is
  uint64_t lost_seq;        // the newest that is LOST, or came while there was no log
};

struct model_sub {
  bool is_joined;
  bool is_clean;     // it has kept up so far: it must get all
  bool is_promised;  // until the next delivery all it is owed, that is kept, will come
  enum hub_lag lag;
  bool *owed;  // by index in the log
  size_t cap;
  size_t low;  // nothing before it is owed
  int user;    // member, or -1
};

struct model_reader {
  struct reader reader;
  int port;
  struct model_sub subs[TOPICS];
  int sub_count;
  uint64_t last_seq;  // messages come in seq order since the last replay began
};

// A reader of a pattern that matches all topics.
struct model_tap {
  struct reader reader;
  size_t next;  // in model->seqs
};

struct model_member {
  bool is_one, is_leaving;
  uint32_t grace_ms;  // when it left
  unsigned info;      // 0: none
};

struct model {
  struct hub *hub;
  struct port ports[PORTS];
  struct ear ear;
  struct log logs[TOPICS];
  uint64_t *seqs;  // of all messages
  size_t seq_count, seq_cap;
  struct model_reader readers[READERS];
  struct model_tap taps[PORTS];
  struct hub_rule rules[TOPICS];
  struct model_member members[TOPICS][USERS];
  uint64_t next_id, random;
  uint64_t evicted, evicted_memory, missed, refused, delivered;
  bool has_memory_cap;
  bool is_retention_odd;  // rules or ages changed: what goes need not be explained
};

static const char *const topic_names[TOPICS] = {"t0", "t1", "t2", "t3", "t4"};

static inline void *grow(void *array, size_t *cap, size_t count, size_t size) {
  if (count < *cap) return array;
  *cap = *cap == 0 ? 256 : *cap * 2;
  return mem_realloc(array, *cap * size);
}

static inline uint32_t subscriber_count(const struct model *m, int topic) {
  uint32_t count = 0;
  for (int i = 0; i < READERS; i++) count += m->readers[i].subs[topic].is_joined;
  return count;
}

static inline uint64_t newest_seq(const struct model *m) { return m->hub->seq; }

// ---- what the hub keeps --------------------------------------------------

static inline uint64_t limit_of(const struct model *m, int topic) {
  uint32_t history = m->rules[topic].history;
  return history > 0 ? history : subscriber_count(m, topic) > 0 ? HUB_WINDOW : 0;
}

// Whether retention had a right to drop message `at`: enough newer ones are kept.
static inline void check_loss(const struct model *m, int topic, size_t at) {
  const struct log *log = &m->logs[topic];
  for (int p = 0; p < PORTS; p++) {
    bool is_there = false;
    for (int i = 0; i < READERS; i++)
      is_there |= m->readers[i].subs[topic].is_joined && m->readers[i].port == p;
    assert_true(!is_there || at < log->delivered[p]);
  }
  if (m->is_retention_odd || m->rules[topic].bytes > 0) return;
  uint64_t newer = 0, limit = limit_of(m, topic);
  for (size_t i = at + 1; i < log->count; i++) newer += log->all[i].fate == KEPT;
  assert_true(newer >= (log->all[at].key > 0 ? 2 * limit : limit));
}

static inline void look_at_topic(struct model *m, int topic, bool by_memory) {
  struct log *log = &m->logs[topic];
  struct topic *t = topics_find(m->hub, slice_str(topic_names[topic]));
  uint64_t at = 0;
  size_t gone[4096], gone_count = 0;
  struct message *next = t != NULL ? topic_next(t, 0, &at) : NULL;
  for (size_t i = log->first_kept; i < log->count; i++) {
    struct published *p = &log->all[i];
    if (next != NULL && next->seq == p->seq) {
      assert_int_equal(p->fate, KEPT);
      next = topic_next(t, at + 1, &at);
    } else if (p->fate == KEPT) {
      p->fate = p->newer > 0 ? SPENT : LOST;
      if (p->fate == LOST && p->seq > log->lost_seq) log->lost_seq = p->seq;
      m->evicted++;
      if (gone_count < 4096) gone[gone_count++] = i;
    }
  }
  assert_null(next);
  while (log->first_kept < log->count && log->all[log->first_kept].fate != KEPT) log->first_kept++;
  for (size_t i = 0; i < gone_count && !by_memory; i++) {
    if (log->all[gone[i]].fate == LOST) check_loss(m, topic, gone[i]);
  }
}

// To be called after whatever may have dropped messages.
static inline void look(struct model *m, bool is_thorough) {
  struct hub_counters *counters = hub_counters(m->hub);
  if (!is_thorough && counted(&counters->evicted) == m->evicted) return;
  bool by_memory = counted(&counters->evicted_memory) != m->evicted_memory;
  assert_true(!by_memory || m->has_memory_cap);
  m->evicted_memory = counted(&counters->evicted_memory);
  for (int t = 0; t < TOPICS; t++) look_at_topic(m, t, by_memory);
  assert_int_equal(m->evicted, counters->evicted);
}

// ---- what a subscription is owed -----------------------------------------

static inline void owe(struct model_sub *sub, size_t at, bool is_owed) {
  while (at >= sub->cap) sub->owed = grow(sub->owed, &sub->cap, sub->cap, sizeof *sub->owed);
  sub->owed[at] = is_owed;
}

// Whether it is right that message `at` does not come any more.
static inline bool may_be_left_out(const struct log *log, const struct model_sub *sub, size_t at,
                                   uint64_t reader_id) {
  const struct published *p = &log->all[at];
  if (p->except == reader_id) return true;
  return p->newer > 0 && (p->fate == SPENT || !sub->is_clean);
}

// The reader is past all messages before `end`.
static inline void settle(const struct log *log, struct model_sub *sub, size_t end,
                          uint64_t reader_id) {
  for (; sub->low < end; sub->low++) {
    if (!sub->owed[sub->low]) continue;
    assert_true(may_be_left_out(log, sub, sub->low, reader_id));
    sub->owed[sub->low] = false;
  }
}

static inline void check_message(struct model *m, struct model_reader *r, const struct event *e) {
  assert_true(e->seq > r->last_seq);
  r->last_seq = e->seq;
  int topic = atoi(e->text);
  const struct log *log = &m->logs[topic];
  struct model_sub *sub = &r->subs[topic];
  assert_true(sub->is_joined);
  size_t at = sub->low;
  while (at < log->count && log->all[at].seq < e->seq) at++;
  assert_true(at < log->count && log->all[at].seq == e->seq);
  assert_true(sub->owed[at] && log->all[at].except != r->reader.hub.id);
  assert_int_equal(log->all[at].fate, KEPT);
  settle(log, sub, at, r->reader.hub.id);
  sub->owed[at] = false;
  m->delivered++;
}

// A gap counts what is lost, and what a jump to the newest leaves out. Whether
// those count that leave the reader out is open for the first few of them: it
// may or may not have passed them before they went.
static inline void check_gap(struct model *m, struct model_reader *r, const struct event *e) {
  int topic = atoi(e->text + 1);
  const struct log *log = &m->logs[topic];
  struct model_sub *sub = &r->subs[topic];
  enum hub_lag lag = sub->lag != HUB_LAG_DEFAULT ? sub->lag : m->rules[topic].lag;
  assert_true(sub->is_joined);
  assert_int_equal(e->policy, lag == HUB_LAG_DEFAULT ? HUB_LAG_SKIP : lag);
  assert_true(m->has_memory_cap || !(sub->is_clean || sub->is_promised));
  bool is_jump = e->policy == HUB_LAG_LATEST && log->all[log->count - 1].fate == KEPT;
  size_t to = is_jump ? log->count - 1 : 0;
  uint64_t least = 0, most = 0, keyed = 0;
  bool is_open = true;
  for (size_t i = sub->low; i < log->count; i++) {
    const struct published *p = &log->all[i];
    if (!sub->owed[i] || p->newer > 0) continue;
    is_open &= p->except == r->reader.hub.id;
    bool counts = p->fate == LOST || i < to;
    most += counts;
    least += counts && !is_open;
    keyed += p->fate == LOST && p->key > 0;
    if (counts) sub->owed[i] = false;
  }
  if (keyed > HUB_DROPPED) least -= keyed - HUB_DROPPED;  // of so many, it knows no more
  assert_true(e->missed > 0 && e->missed >= least && e->missed <= most);
  for (; sub->low < to; sub->low++) sub->owed[sub->low] = false;
  m->missed += e->missed;
}

static inline void check_events(struct model *m, struct model_reader *r) {
  for (size_t i = 0; i < r->reader.event_count; i++) {
    const struct event *e = &r->reader.events[i];
    if (e->is_gap) {
      check_gap(m, r, e);
    } else {
      check_message(m, r, e);
    }
  }
  r->reader.event_count = 0;
}

// After a delivery of its port: who could take all has all.
static inline void check_delivered(struct model *m, struct model_reader *r) {
  check_events(m, r);
  const struct hub_reader *hub = &r->reader.hub;
  bool is_done = !hub->is_blocked && !hub->is_ended && hub->behind == NULL;
  for (int t = 0; t < TOPICS; t++) {
    struct model_sub *sub = &r->subs[t];
    if (!sub->is_joined) continue;
    if (is_done) settle(&m->logs[t], sub, m->logs[t].count, hub->id);
    sub->is_clean = is_done;
    sub->is_promised = r->reader.is_at_gap;
  }
}

// A tap misses nothing, and gets nothing twice.
static inline void check_tap(struct model *m, struct model_tap *tap) {
  for (size_t i = 0; i < tap->reader.event_count; i++) {
    assert_false(tap->reader.events[i].is_gap);
    assert_true(tap->next < m->seq_count && tap->reader.events[i].seq == m->seqs[tap->next]);
    tap->next++;
  }
  tap->reader.event_count = 0;
  if (!tap->reader.hub.is_blocked) assert_int_equal(tap->next, m->seq_count);
}

// ---- presence ------------------------------------------------------------

static inline void member_leave(struct model *m, struct model_sub *sub, int topic) {
  int user = sub->user;
  sub->user = -1;
  if (user < 0) return;
  for (int i = 0; i < READERS; i++) {
    if (m->readers[i].subs[topic].user == user) return;
  }
  m->members[topic][user].is_leaving = true;
  m->members[topic][user].grace_ms = m->rules[topic].grace_ms;
}

static inline void member_join(struct model *m, struct model_sub *sub, int topic, int user,
                               unsigned info) {
  struct model_member *member = &m->members[topic][user];
  if (!member->is_one) *member = (struct model_member){.is_one = true};
  if (info > 0) member->info = info;
  member->is_leaving = false;
  if (sub->user == user) return;
  member_leave(m, sub, topic);
  sub->user = user;
}

static inline void members_sweep(struct model *m) {
  for (int t = 0; t < TOPICS; t++) {
    for (int u = 0; u < USERS; u++) {
      struct model_member *member = &m->members[t][u];
      if (member->is_leaving && member->grace_ms == HUB_GRACE_NONE) member->is_one = false;
      if (!member->is_one) member->is_leaving = false;
    }
  }
}

// Whether a roster has all members of a topic, as they are.
static inline size_t count_members(const struct model *m, int topic, const struct roster *roster) {
  size_t count = 0;
  for (int u = 0; u < USERS; u++) {
    const struct model_member *member = &m->members[topic][u];
    char id[32], info[16] = "";
    snprintf(id, sizeof id, "%d/user-%d", topic, u);
    if (member->info > 0) snprintf(info, sizeof info, "%u", member->info);
    size_t at = roster_find(roster, id);
    assert_int_equal(at < roster->count, member->is_one);
    if (!member->is_one) continue;
    assert_string_equal(roster->members[at].info, info);
    count++;
  }
  return count;
}

static inline void check_members(const struct model *m, int topic) {
  static struct roster now;
  roster_read(&now, m->hub, topic_names[topic]);
  assert_int_equal(count_members(m, topic, &now), now.count);
}

// All diffs so far make up all members of all topics: ids name their topic.
static inline void check_diffs(struct model *m) {
  hub_deliver(m->ear.port);
  buf_clear(&m->ear.heard);
  size_t count = 0;
  for (int t = 0; t < TOPICS; t++) count += count_members(m, t, &m->ear.roster);
  assert_int_equal(m->ear.roster.count, count);
}

#endif
