// Presence: see presence.h.
#include "hub/presence.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/members.h"
#include "hub/publish.h"
#include "hub/topics.h"

enum {
  PREFIX_LEN = sizeof HUB_PRESENCE_PREFIX - 1,
  DIFF_BYTES = 32 * 1024,  // a diff is cut into messages of about this size
  TELL_STEP = 512,         // members told of in one hold of the lock
  END_STEP = 128,          // members that may end in one; that takes longer
};

struct member {
  struct presence *presence;
  struct member_record *record;
  struct member_place place;  // in presence->members
  struct list gone_link;      // in presence->gone
  struct list leaving_link;   // in hub->leaving during its grace period
  struct list changed_link;   // in presence->changed
  uint64_t number;            // counted in its presence
  uint64_t leave_ms;
  uint32_t sub_count;
  bool is_told;  // in a diff; whether it was in a list, presence->listed says
};

// Which member a subscription is.
struct member_sub {
  const struct hub_sub *sub;  // its address is the key
  struct member *member;
};

// Exists while a topic has members, or a leave to tell.
struct presence {
  struct topic *topic;
  struct map ids;           // to struct member
  struct map subs;          // to struct member_sub
  struct members members;   // in order of joining
  struct list changed;      // of them: joins to tell
  struct list gone;         // leaves to tell
  struct list change_link;  // in hub->presences while there is something to tell
  uint64_t numbers;         // given to members
  uint64_t listed;          // those with a smaller number were in a list that somebody read
};

// What each takes beside its text, about: with its share of the maps and of the allocator.
enum {
  MAP_SHARE = 2 * sizeof(struct map_slot),
  PRESENCE_COST = sizeof(struct presence) + 16 * sizeof(struct map_slot) + 128,
  MEMBER_COST = sizeof(struct member) + sizeof(struct member_record) + MAP_SHARE + 64,
  MEMBER_SUB_COST = sizeof(struct member_sub) + MAP_SHARE + 16,
};

static struct slice member_id(const struct member *member) {
  return member_record_id(member->record);
}

static size_t text_bytes(const struct member_record *record) {
  return (size_t)record->id_len + record->info_len;
}

static void account(struct hub *hub, size_t added, size_t removed) {
  hub->presence_bytes += added;
  hub->presence_bytes -= removed;
  metric_set(&hub->counters.presence_bytes, (long long)hub->presence_bytes);
}

static struct slice sub_key(const struct hub_sub *const *sub) {
  return slice_of((const char *)sub, sizeof *sub);
}

// ---- life ----------------------------------------------------------------

static struct presence *presence_of(struct hub *hub, struct topic *t) {
  if (t->presence != NULL) return t->presence;
  struct presence *p = mem_zalloc(sizeof *p);
  p->topic = t;
  map_init(&p->ids);
  map_init(&p->subs);
  members_init(&p->members);
  list_init(&p->changed);
  list_init(&p->gone);
  list_init(&p->change_link);
  t->presence = p;
  account(hub, PRESENCE_COST, 0);
  return p;
}

static void member_free(struct hub *hub, struct member *member) {
  account(hub, 0, MEMBER_COST + text_bytes(member->record));
  member_record_unref(member->record);
  list_remove(&member->gone_link);
  list_remove(&member->leaving_link);
  list_remove(&member->changed_link);
  free(member);
}

void presence_free(struct hub *hub, struct topic *t) {
  struct presence *p = t->presence;
  if (p == NULL) return;
  struct list *node;
  struct member *member;
  for (size_t at = 0; (member = map_next(&p->ids, &at)) != NULL;) member_free(hub, member);
  while ((node = list_pop(&p->gone)) != NULL)
    member_free(hub, list_entry(node, struct member, gone_link));
  members_free(&p->members);
  account(hub, 0, PRESENCE_COST);
  list_remove(&p->change_link);
  map_free(&p->ids);
  map_free(&p->subs);
  free(p);
  t->presence = NULL;
}

static void note_change(struct hub *hub, struct presence *p) {
  if (list_is_empty(&p->change_link)) list_append(&hub->presences, &p->change_link);
}

static void note_joined(struct hub *hub, struct member *member) {
  if (!list_is_empty(&member->changed_link)) return;
  list_append(&member->presence->changed, &member->changed_link);
  note_change(hub, member->presence);
}

// Adds a reference for the list of members.
static struct member_record *record_ref(struct member_record *record) {
  atomic_fetch_add_explicit(&record->refs, 1, memory_order_relaxed);
  return record;
}

static struct member *member_add(struct hub *hub, struct presence *p, struct slice id,
                                 struct slice info) {
  struct member *member = mem_zalloc(sizeof *member);
  member->presence = p;
  member->number = p->numbers++;
  member->record = member_record_new(id, info, clock_wall_s());
  list_init(&member->gone_link);
  list_init(&member->leaving_link);
  list_init(&member->changed_link);
  member->place = members_add(&p->members, record_ref(member->record));
  map_set(&p->ids, member_id(member), member);
  account(hub, MEMBER_COST + text_bytes(member->record), 0);
  note_joined(hub, member);
  return member;
}

// The member is none any more. One that nobody heard of goes without a word.
static void member_end(struct hub *hub, struct member *member) {
  struct presence *p = member->presence;
  map_remove(&p->ids, member_id(member));
  members_remove(&p->members, member->place);
  if (!member->is_told && member->number >= p->listed) {
    member_free(hub, member);
  } else {
    list_remove(&member->leaving_link);
    list_remove(&member->changed_link);
    list_append(&p->gone, &member->gone_link);
  }
  note_change(hub, p);
}

// ---- joining and leaving -------------------------------------------------

// The memory that the join would take beyond what there is.
static size_t needed_bytes(const struct topic *t, const struct hub_sub *sub, struct slice as,
                           struct slice info) {
  const struct presence *p = t->presence;
  const struct member *member = p != NULL ? map_get(&p->ids, as) : NULL;
  size_t needed = sub != NULL && sub->is_member ? 0 : MEMBER_SUB_COST;
  if (p == NULL) needed += PRESENCE_COST;
  if (member == NULL) return needed + MEMBER_COST + as.len + info.len;
  size_t before = member->record->info_len;
  return info.ptr != NULL && info.len > before ? needed + info.len - before : needed;
}

enum hub_status presence_check(const struct hub *hub, const struct topic *t,
                               const struct hub_sub *sub, struct slice as, struct slice info) {
  if (t->rule->presence_off) return HUB_NO_PRESENCE;
  if (as.len > HUB_MEMBER_MAX || !topic_text_is_valid(as)) return HUB_BAD_MEMBER;
  if (info.len > HUB_INFO_MAX) return HUB_INFO_TOO_LARGE;
  if (t->name_len + PREFIX_LEN > HUB_TOPIC_MAX) return HUB_LONG_TOPIC;
  size_t needed = needed_bytes(t, sub, as, info), most = hub->limits.max_bytes / 2;
  return needed > 0 && hub->presence_bytes + needed > most ? HUB_LIMIT_MEMBERS : HUB_OK;
}

static void set_info(struct hub *hub, struct member *member, struct slice info) {
  struct member_record *old = member->record;
  if (info.ptr == NULL || slice_equal(member_record_info(old), info)) return;
  member->record = member_record_new(member_id(member), info, old->since);
  members_replace(member->place, record_ref(member->record));
  map_set(&member->presence->ids, member_id(member), member);  // the key is a part of it
  account(hub, info.len, old->info_len);
  member_record_unref(old);
  note_joined(hub, member);
}

void presence_join(struct hub *hub, struct hub_sub *sub, struct slice as, struct slice info) {
  struct presence *p = presence_of(hub, sub->place->topic);
  struct member *member = map_get(&p->ids, as);
  if (member == NULL)
    member = member_add(hub, p, as, info);
  else
    set_info(hub, member, info);
  struct member_sub *known = map_get(&p->subs, sub_key((const struct hub_sub *const *)&sub));
  if (known != NULL && known->member == member) return;
  if (known != NULL) presence_leave(hub, sub);
  struct member_sub *fresh = mem_alloc(sizeof *fresh);
  *fresh = (struct member_sub){sub, member};
  map_set(&p->subs, sub_key(&fresh->sub), fresh);
  account(hub, MEMBER_SUB_COST, 0);
  sub->is_member = true;
  member->sub_count++;
  list_remove(&member->leaving_link);
}

void presence_leave(struct hub *hub, struct hub_sub *sub) {
  struct topic *t = sub->place->topic;
  struct presence *p = t->presence;
  struct member_sub *known = map_remove(&p->subs, sub_key((const struct hub_sub *const *)&sub));
  struct member *member = known->member;
  free(known);
  account(hub, 0, MEMBER_SUB_COST);
  sub->is_member = false;
  if (--member->sub_count > 0) return;
  uint32_t grace = topics_rule(hub, t)->grace_ms;
  member->leave_ms = clock_mono_ms() + (grace == HUB_GRACE_NONE ? 0 : grace);
  list_append(&hub->leaving, &member->leaving_link);
}

// ---- telling -------------------------------------------------------------

static void append_member(struct buf *out, const struct member_record *record) {
  buf_append_str(out, "{\"id\":");
  json_append_string(out, member_record_id(record));
  if (record->info_len > 0) {
    buf_append_str(out, ",\"info\":");
    buf_append_slice(out, member_record_info(record));
  }
  buf_printf(out, ",\"since\":%.3f}", record->since);
}

static void append_to_list(void *arg, const struct member_record *record) {
  struct buf *out = arg;
  if (out->data[out->end - 1] != '[') buf_append_char(out, ',');
  append_member(out, record);
}

void hub_presence(struct hub *hub, struct slice topic, struct buf *out) {
  struct member_snapshot snapshot = {0};
  buf_append_char(out, '[');
  pthread_mutex_lock(&hub->lock);
  struct topic *t = topics_find(hub, topic);
  if (t != NULL && t->presence != NULL) {
    snapshot = members_share(&t->presence->members);
    t->presence->listed = t->presence->numbers;
  }
  pthread_mutex_unlock(&hub->lock);
  // A hundred thousand members take longer to write than others may wait for the lock.
  member_snapshot_each(&snapshot, append_to_list, out);
  member_snapshot_free(&snapshot);
  buf_append_char(out, ']');
}

static bool has_room(const struct buf *out) { return buf_len(out) < DIFF_BYTES; }

static bool has_left(const struct member *member, uint64_t now_ms) {
  return member->sub_count == 0 && member->leave_ms <= now_ms;
}

// Both return how many they told.

static size_t append_joins(struct hub *hub, struct presence *p, struct buf *out) {
  uint64_t now_ms = clock_mono_ms();
  size_t told = 0;
  for (size_t i = 0; i < TELL_STEP && has_room(out) && !list_is_empty(&p->changed); i++) {
    struct member *member = list_entry(p->changed.next, struct member, changed_link);
    // A sweep may take a while, when others hold the lock: who came and went meanwhile is not told.
    if (has_left(member, now_ms)) {
      member_end(hub, member);
      continue;
    }
    list_remove(&member->changed_link);
    if (told++ > 0) buf_append_char(out, ',');
    append_member(out, member->record);
    member->is_told = true;
  }
  return told;
}

static size_t append_leaves(struct hub *hub, struct presence *p, struct buf *out) {
  size_t told = 0;
  for (size_t i = 0; i < TELL_STEP && has_room(out) && !list_is_empty(&p->gone); i++) {
    struct member *member = list_entry(list_pop(&p->gone), struct member, gone_link);
    // Who came back meanwhile is told as a join alone.
    if (map_get(&p->ids, member_id(member)) == NULL) {
      if (told++ > 0) buf_append_char(out, ',');
      append_member(out, member->record);
    }
    member_free(hub, member);
  }
  return told;
}

// NULL when there is nothing to tell after all.
static struct message *new_diff(struct hub *hub, struct presence *p) {
  struct slice topic = topic_name(p->topic);
  char companion[HUB_TOPIC_MAX];
  memcpy(companion, HUB_PRESENCE_PREFIX, PREFIX_LEN);
  memcpy(companion + PREFIX_LEN, topic.ptr, topic.len);
  struct buf out = {0};
  buf_append_str(&out, "{\"topic\":");
  json_append_string(&out, topic);
  buf_append_str(&out, ",\"joins\":[");
  size_t told = append_joins(hub, p, &out);
  buf_append_str(&out, "],\"leaves\":[");
  told += append_leaves(hub, p, &out);
  buf_append_str(&out, "]}");
  struct message *m = NULL;
  if (told > 0) {
    m = message_new(&(struct message_fields){
        .is_json = true,
        .payload = buf_slice(&out),
        .event = slice_str("presence"),
        .topic = slice_of(companion, PREFIX_LEN + topic.len),
    });
  }
  buf_free(&out);
  return m;
}

// Publishes one message of the topic's diff.
static void tell(struct hub *hub, struct presence *p, struct port_wakes *wakes) {
  struct message *m = new_diff(hub, p);
  if (m == NULL) return;
  struct topic *companion = topics_for(hub, message_topic(m));
  publish_message(hub, NULL, companion, m, clock_mono_ns(), wakes);
  message_unref(m);
  metric_count(&hub->counters.published, 1);
}

static void settle(struct hub *hub, struct presence *p, uint64_t now_ms) {
  if (p->ids.count > 0 || !list_is_empty(&p->gone)) return;
  struct topic *t = p->topic;
  presence_free(hub, t);
  topics_settle(hub, t, now_ms);
}

// Each step holds the lock; true when there is more to do.
// What comes up meanwhile is for the next sweep: each ends, whatever others do.

// `round` is in the list of who is leaving, behind those to look at.
static bool end_grace(struct hub *hub, uint64_t now_ms, const struct list *round) {
  for (size_t i = 0; i < END_STEP; i++) {
    struct list *node = list_pop(&hub->leaving);
    if (node == round) return false;
    struct member *member = list_entry(node, struct member, leaving_link);
    if (member->leave_ms <= now_ms) {
      member_end(hub, member);
    } else {
      list_append(&hub->leaving, node);
    }
  }
  return true;
}

// `round`: those of hub->presences that are to be told.
static bool tell_one(struct hub *hub, uint64_t now_ms, const struct list *round,
                     struct port_wakes *wakes) {
  if (list_is_empty(round)) return false;
  struct presence *p = list_entry(round->next, struct presence, change_link);
  if (!list_is_empty(&p->changed) || !list_is_empty(&p->gone)) tell(hub, p, wakes);
  if (list_is_empty(&p->changed) && list_is_empty(&p->gone)) {
    list_remove(&p->change_link);
    settle(hub, p, now_ms);
  }
  return true;
}

void presence_sweep(struct hub *hub, uint64_t now_ms) {
  struct port_wakes wakes;
  struct list round;
  wakes.count = 0;
  pthread_mutex_lock(&hub->lock);
  list_append(&hub->leaving, &round);
  while (end_grace(hub, now_ms, &round)) {
    pthread_mutex_unlock(&hub->lock);
    pthread_mutex_lock(&hub->lock);
  }
  list_splice(&round, &hub->presences);  // end_grace took it out
  while (tell_one(hub, now_ms, &round, &wakes)) {
    pthread_mutex_unlock(&hub->lock);
    port_wake_all(&wakes);
    pthread_mutex_lock(&hub->lock);
  }
  pthread_mutex_unlock(&hub->lock);
}
