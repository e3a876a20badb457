// Presence: see presence.h.
#include "hub/presence.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/publish.h"
#include "hub/topics.h"

enum {
  PREFIX_LEN = sizeof HUB_PRESENCE_PREFIX - 1,
  DIFF_BYTES = 32 * 1024,  // a diff is cut into messages of about this size
  SWEEP_STEP = 512,        // members looked at in one hold of the lock
};

struct member {
  struct presence *presence;
  struct list link;          // in presence->members, or presence->gone
  struct list leaving_link;  // in hub->leaving during its grace period
  struct list changed_link;  // in presence->changed
  char *info;                // JSON text, or NULL
  size_t info_len;
  double since;  // seconds since 1970
  uint64_t leave_ms;
  uint32_t sub_count;
  bool is_told;  // somebody may have heard of it
  uint8_t id_len;
  char id[];
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
  struct list members;      // in order of joining
  struct list changed;      // of them: joins to tell
  struct list gone;         // leaves to tell
  struct list change_link;  // in hub->presences while there is something to tell
};

static struct slice member_id(const struct member *member) {
  return slice_of(member->id, member->id_len);
}

static struct slice sub_key(const struct hub_sub *const *sub) {
  return slice_of((const char *)sub, sizeof *sub);
}

// ---- life ----------------------------------------------------------------

static struct presence *presence_of(struct topic *t) {
  if (t->presence != NULL) return t->presence;
  struct presence *p = mem_zalloc(sizeof *p);
  p->topic = t;
  map_init(&p->ids);
  map_init(&p->subs);
  list_init(&p->members);
  list_init(&p->changed);
  list_init(&p->gone);
  list_init(&p->change_link);
  t->presence = p;
  return p;
}

static void member_free(struct member *member) {
  list_remove(&member->link);
  list_remove(&member->leaving_link);
  list_remove(&member->changed_link);
  free(member->info);
  free(member);
}

static void free_list(struct list *members) {
  struct list *node;
  while ((node = list_pop(members)) != NULL) member_free(list_entry(node, struct member, link));
}

void presence_free(struct topic *t) {
  struct presence *p = t->presence;
  if (p == NULL) return;
  free_list(&p->members);
  free_list(&p->gone);
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

static struct member *member_add(struct hub *hub, struct presence *p, struct slice id) {
  struct member *member = mem_zalloc(sizeof *member + id.len);
  member->presence = p;
  member->since = clock_wall_s();
  member->id_len = (uint8_t)id.len;
  memcpy(member->id, id.ptr, id.len);
  list_init(&member->leaving_link);
  list_init(&member->changed_link);
  list_append(&p->members, &member->link);
  map_set(&p->ids, member_id(member), member);
  note_joined(hub, member);
  return member;
}

// The member is none any more. One that nobody heard of goes without a word.
static void member_end(struct hub *hub, struct member *member) {
  struct presence *p = member->presence;
  map_remove(&p->ids, member_id(member));
  if (!member->is_told) {
    member_free(member);
  } else {
    list_remove(&member->leaving_link);
    list_remove(&member->changed_link);
    list_remove(&member->link);
    list_append(&p->gone, &member->link);
  }
  note_change(hub, p);
}

// ---- joining and leaving -------------------------------------------------

enum hub_status presence_check(const struct topic *t, struct slice as, struct slice info) {
  if (t->rule->presence_off) return HUB_NO_PRESENCE;
  if (as.len > HUB_MEMBER_MAX || !topic_text_is_valid(as)) return HUB_BAD_MEMBER;
  if (info.len > HUB_INFO_MAX) return HUB_INFO_TOO_LARGE;
  return t->name_len + PREFIX_LEN > HUB_TOPIC_MAX ? HUB_LONG_TOPIC : HUB_OK;
}

static void set_info(struct hub *hub, struct member *member, struct slice info) {
  if (info.ptr == NULL || slice_equal(slice_of(member->info, member->info_len), info)) return;
  free(member->info);
  member->info = info.len > 0 ? mem_strndup(info.ptr, info.len) : NULL;
  member->info_len = info.len;
  note_joined(hub, member);
}

void presence_join(struct hub *hub, struct hub_sub *sub, struct slice as, struct slice info) {
  struct presence *p = presence_of(sub->place->topic);
  struct member *member = map_get(&p->ids, as);
  if (member == NULL) member = member_add(hub, p, as);
  set_info(hub, member, info);
  struct member_sub *known = map_get(&p->subs, sub_key((const struct hub_sub *const *)&sub));
  if (known != NULL && known->member == member) return;
  if (known != NULL) presence_leave(hub, sub);
  struct member_sub *fresh = mem_alloc(sizeof *fresh);
  *fresh = (struct member_sub){sub, member};
  map_set(&p->subs, sub_key(&fresh->sub), fresh);
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
  sub->is_member = false;
  if (--member->sub_count > 0) return;
  uint32_t grace = topics_rule(hub, t)->grace_ms;
  member->leave_ms = clock_mono_ms() + (grace == HUB_GRACE_NONE ? 0 : grace);
  list_append(&hub->leaving, &member->leaving_link);
}

// ---- telling -------------------------------------------------------------

static void append_member(struct buf *out, struct member *member) {
  member->is_told = true;
  buf_append_str(out, "{\"id\":");
  json_append_string(out, member_id(member));
  if (member->info != NULL) {
    buf_append_str(out, ",\"info\":");
    buf_append(out, member->info, member->info_len);
  }
  buf_printf(out, ",\"since\":%.3f}", member->since);
}

void hub_presence(struct hub *hub, struct slice topic, struct buf *out) {
  buf_append_char(out, '[');
  pthread_mutex_lock(&hub->lock);
  struct topic *t = topics_find(hub, topic);
  if (t != NULL && t->presence != NULL) {
    const struct list *members = &t->presence->members;
    for (const struct list *node = members->next; node != members; node = node->next) {
      if (node != members->next) buf_append_char(out, ',');
      append_member(out, list_entry(node, struct member, link));
    }
  }
  pthread_mutex_unlock(&hub->lock);
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
  for (size_t i = 0; i < SWEEP_STEP && has_room(out) && !list_is_empty(&p->changed); i++) {
    struct member *member = list_entry(p->changed.next, struct member, changed_link);
    // A sweep may take a while, when others hold the lock: who came and went meanwhile is not told.
    if (has_left(member, now_ms)) {
      member_end(hub, member);
      continue;
    }
    list_remove(&member->changed_link);
    if (told++ > 0) buf_append_char(out, ',');
    append_member(out, member);
  }
  return told;
}

static size_t append_leaves(struct presence *p, struct buf *out) {
  size_t told = 0;
  while (has_room(out) && !list_is_empty(&p->gone)) {
    struct member *member = list_entry(list_pop(&p->gone), struct member, link);
    // Who came back meanwhile is told as a join alone.
    if (map_get(&p->ids, member_id(member)) == NULL) {
      if (told++ > 0) buf_append_char(out, ',');
      append_member(out, member);
    }
    member_free(member);
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
  told += append_leaves(p, &out);
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
  if (!list_is_empty(&p->members) || !list_is_empty(&p->gone)) return;
  struct topic *t = p->topic;
  presence_free(t);
  topics_settle(hub, t, now_ms);
}

// Each step holds the lock; true when there is more to do.
// What comes up meanwhile is for the next sweep: each ends, whatever others do.

// `round` is in the list of who is leaving, behind those to look at.
static bool end_grace(struct hub *hub, uint64_t now_ms, const struct list *round) {
  for (size_t i = 0; i < SWEEP_STEP; i++) {
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
