// The hub: one log per topic, cursors over it.
//
// A topic holds a ring of immutable messages. A reader (one session) has a
// subscription per topic it joined, and a subscription is nothing but a
// cursor into the topic's log. Live delivery, history, resume, lag and
// back-pressure are all positions of that cursor.
//
// Threads: each worker owns one port. Functions that take a port or a reader
// are called on that port's thread only; functions that take the hub are
// called from any thread. One lock guards topics and logs; delivery runs
// without it. The hub knows neither sockets nor WebSocket nor Lua: net/ gives
// it encoders (one per wire form) and a `deliver` callback.
#ifndef TIDEGATE_HUB_HUB_H
#define TIDEGATE_HUB_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/message.h"
#include "base/metrics.h"
#include "base/slice.h"

struct hub;
struct hub_port;
struct hub_sub;
struct hub_reader;

enum hub_status {
  HUB_OK = 0,
  HUB_BAD_TOPIC = -1,  // not 1 to 255 bytes of UTF-8 without control characters
  HUB_TOO_LARGE = -2,  // payload larger than the topic's `bytes`, or all of it than max_bytes
  HUB_LIMIT = -3,      // the subscribers of a topic, or the taps
  HUB_NOT_JOINED = -4,
  HUB_NO_PRESENCE = -5,           // the topic's rule has presence turned off
  HUB_BAD_MEMBER = -6,            // `as` is not 1 to 255 bytes of UTF-8 without control characters
  HUB_INFO_TOO_LARGE = -7,        // `info` has more than HUB_INFO_MAX bytes
  HUB_IS_PATTERN = -8,            // a name with `*` in it is a pattern, never a topic
  HUB_RESERVED = -9,              // only the hub publishes to topics of HUB_PRESENCE_PREFIX
  HUB_LIMIT_TOPICS = -11,         // max_topics of the reader
  HUB_LIMIT_SUBSCRIPTIONS = -12,  // max_subscriptions of the port
  HUB_LIMIT_MEMBERS = -13,        // members have all of max_bytes that they may have
  HUB_LONG_TOPIC = -10,  // no room for HUB_PRESENCE_PREFIX before it: it can have no members
};

// What happens to a cursor that falls off the tail of its log.
enum hub_lag {
  HUB_LAG_DEFAULT,  // as the topic's rule says
  HUB_LAG_SKIP,     // go on at the oldest kept message
  HUB_LAG_LATEST,   // go on at the newest message
  HUB_LAG_CLOSE,    // end the session
};

// Retention and limits of the topics that match a pattern. In a pattern `*`
// stands for any run of characters except '/', `**` for any run at all; the
// pattern with the most literal characters wins, then the one with fewer `**`,
// then with fewer `*`, then the one given later.
struct hub_rule {
  const char *pattern;
  // Messages kept, and as many keys of which the newest message is kept beyond
  // these. 0: none for who comes late; while there are subscribers HUB_WINDOW of
  // them stay in the log for the slow ones, and for who resumes by id.
  uint32_t history;
  uint64_t bytes;    // payload bytes kept and largest message; 0: HUB_BYTES
  uint64_t ttl_ms;   // age at which a message is dropped; 0: none
  enum hub_lag lag;  // HUB_LAG_DEFAULT means HUB_LAG_SKIP
  uint32_t limit;    // subscribers; 0: no limit
  bool presence_off;
  // How long a member that left is still one, so that a reconnect goes unseen;
  // 0: HUB_GRACE_MS, HUB_GRACE_NONE: not at all.
  uint32_t grace_ms;
};

#define HUB_GRACE_NONE UINT32_MAX

enum {
  HUB_GRACE_MS = 5000,
  HUB_WINDOW = 1024,
  HUB_BYTES = 1024 * 1024,
  HUB_TOPIC_MAX = 255,
  HUB_MEMBER_MAX = 255,      // bytes of a member's id
  HUB_INFO_MAX = 16 * 1024,  // bytes of its info
  HUB_TAPS = 64,             // readers of a pattern
  HUB_ID_MAX = 32,
  HUB_PORTS = 256
};

// Numbers of a hub. Their meaning is told by the rows in counters.c.
struct hub_counters {
  metric_value published;
  metric_value delivered;
  metric_value evicted;
  metric_value evicted_memory;
  metric_value lagged;
  metric_value conflated;
  metric_value skipped;
  metric_value joins_refused;
  metric_value encoded;
  metric_value form_bytes;
  metric_value presence_bytes;
  metric_value topics;
};

extern const struct metrics hub_metrics;

// Bounds of the whole hub; 0 in a field: its default.
struct hub_limits {
  // Messages and their forms, and members, which take half of it at most; HUB_MAX_BYTES.
  uint64_t max_bytes;
  uint32_t max_topics;         // that one reader may join; HUB_MAX_TOPICS
  uint64_t max_subscriptions;  // of one port; HUB_MAX_SUBSCRIPTIONS, which it is at most
};

#define HUB_MAX_BYTES ((uint64_t)256 * 1024 * 1024)
enum { HUB_MAX_TOPICS = 128, HUB_MAX_SUBSCRIPTIONS = 100000000 };

// ---- life ----------------------------------------------------------------

// `encoders` has form_count (at most MESSAGE_FORMS) functions; it is borrowed
// for the hub's life. The epoch is drawn at random.
struct hub *hub_new(message_encode_fn *const *encoders, unsigned form_count);
void hub_free(struct hub *hub);  // after all ports are freed

// Replaces all rules (copied). Topics take up their new rule at once.
void hub_rules_set(struct hub *hub, const struct hub_rule *rules, size_t count);

// To be called before there are ports.
void hub_limits_set(struct hub *hub, const struct hub_limits *limits);

const char *hub_epoch(const struct hub *hub);
struct hub_counters *hub_counters(struct hub *hub);

// ---- any thread ----------------------------------------------------------

// HUB_OK, HUB_BAD_TOPIC or HUB_IS_PATTERN.
enum hub_status hub_topic_check(struct slice topic);
// Whether scripts may publish there: the same, or HUB_RESERVED.
enum hub_status hub_publish_check(struct slice topic);
bool hub_pattern_is_valid(struct slice pattern);  // as topics are, and `*` is allowed

// Publishes m (takes over one reference, also on failure) to its topic, which is
// created when needed. A message is published once: its seq is set here.
// `from` is the caller's own port, or NULL: that port is not woken, because
// its thread delivers before it sleeps (it is woken when it publishes from
// within its own delivery).
// Returns HUB_OK and the message's seq in *seq (may be NULL), HUB_TOO_LARGE, or what
// hub_publish_check says.
enum hub_status hub_publish(struct hub *hub, struct hub_port *from, struct message *m,
                            uint64_t *seq);

size_t hub_count(struct hub *hub, struct slice topic);  // subscriptions on all workers, exact

// What is due by time: messages past their ttl, topics that hold nothing,
// members whose grace is over, and the diffs of presence. Called every
// HUB_SWEEP_MS by one thread; touches a bounded number of topics a call.
void hub_sweep(struct hub *hub);
enum { HUB_SWEEP_MS = 100 };

enum hub_since { HUB_SINCE_NOW, HUB_SINCE_FIRST, HUB_SINCE_LAST, HUB_SINCE_ID };

// Which part of a log to read.
struct hub_history_options {
  enum hub_since
      since;        // FIRST or NOW: all; LAST: the newest; ID: after `id`, in reverse before it
  struct slice id;  // anything at all
  size_t limit;     // messages; 0: no limit
  bool is_reverse;  // the newest first
};

struct hub_history {
  struct message **messages;  // one reference each
  size_t count;
  // HUB_SINCE_ID: every message after id is still kept; in reverse: id was given out in this
  // life of the hub. Where it was not, nothing comes before it.
  bool recovered;
  bool missed_known;  // whether missed is exact; in reverse, as recovered
  uint64_t missed;    // messages after id that are gone; 0 in reverse
};

// Reads what a topic keeps, the superseded messages of a key included. Where the
// rule's history is 0, that is what came after an id, and else nothing.
struct hub_history hub_history_read(struct hub *hub, struct slice topic,
                                    const struct hub_history_options *options);
void hub_history_free(struct hub_history *history);

struct hub_topic_info {
  char name[HUB_TOPIC_MAX];
  uint8_t name_len;
  uint32_t subscribers;
  size_t messages;  // in its log
};

struct hub_topics_query {
  struct slice pattern;
  size_t limit;
  bool (*is_over)(void *ctx);  // asked now and then: whether to end early; may be NULL
  void *ctx;
};

// The topics that match a pattern, at most `limit`, in no order: an array of *count (free it),
// NULL when there are none. *has_more: the limit, or is_over, cut it short. It may take long:
// 30 us a topic with the worst of patterns and names, 0.5 us with others.
struct hub_topic_info *hub_topics(struct hub *hub, const struct hub_topics_query *query,
                                  size_t *count, bool *has_more);

// Appends the members of a topic as a JSON array of {"id","info","since"}, in
// order of joining: see presence.h.
void hub_presence(struct hub *hub, struct slice topic, struct buf *out);

// The topic on which the joins and leaves of a topic are told: this before its name. Such
// topics can be joined, tapped and given rules like others, but only the hub publishes there.
#define HUB_PRESENCE_PREFIX "presence:"

// Ids: "<epoch>-<seq>" in at most HUB_ID_MAX bytes with the NUL.
void hub_id_format(const struct hub *hub, uint64_t seq, char out[HUB_ID_MAX]);
// True and *seq when id is well formed and of this hub's epoch.
bool hub_id_parse(const struct hub *hub, struct slice id, uint64_t *seq);

// ---- a worker's port -----------------------------------------------------

// What a reader is given in one go: `count` messages in seq order.
struct hub_batch {
  struct message *const *messages;  // borrowed
  size_t count;
  // When bytes.ptr is not NULL: the messages' encoded forms, contiguous, and
  // ends[i] is the offset just past message i. Shared by all readers of the
  // turn; valid only during the deliver call. Otherwise take each message's
  // own form with hub_form().
  struct slice bytes;
  const size_t *ends;
};

struct hub_port_ops {
  // From any thread, at most once until the next hub_deliver: the port has work.
  void (*wake)(void *ctx);
  // Hands a batch to a reader; returns how many messages it took. A message of
  // which a part was written counts as taken: the reader must keep what it
  // needs of it (a reference and an offset). A reader that cannot take more
  // sets is_blocked and calls hub_reader_resume later. Must not call hub_join,
  // hub_leave or hub_reader_close for a reader of the same port.
  size_t (*deliver)(struct hub_reader *reader, const struct hub_batch *batch);
  // The reader missed `missed` messages of the topic (those published with
  // `except` for it are counted too); `policy` says how it goes on, and is
  // never HUB_LAG_DEFAULT. HUB_LAG_CLOSE: the session is to be ended (nothing
  // more is delivered to this reader); it is the only gap that also a blocked
  // reader is told. Called between deliver calls, in stream order; the same
  // calls are forbidden. May set is_blocked as deliver does, so as to do something
  // before the messages behind the gap: those are kept until the next delivery is over.
  void (*gap)(struct hub_reader *reader, struct slice topic, uint64_t missed, enum hub_lag policy);
};

// ops is copied. NULL when HUB_PORTS ports exist.
struct hub_port *hub_port_new(struct hub *hub, const struct hub_port_ops *ops, void *ctx);
// After all its readers are closed. Once it returns, wake is not called any
// more, also when other threads go on publishing: free what wake uses after it.
void hub_port_free(struct hub_port *port);
void *hub_port_ctx(const struct hub_port *port);

// Delivers everything new to the port's readers: once per loop turn, before
// the loop sleeps. Cheap when there is nothing to do.
void hub_deliver(struct hub_port *port);
bool hub_port_has_work(const struct hub_port *port);  // whether hub_deliver would do anything now

// ---- readers -------------------------------------------------------------

enum { HUB_FORM_NONE = 255 };  // takes messages, not bytes

// Embedded in a session. Fields are the hub's, except as said.
struct hub_reader {
  struct hub_port *port;
  struct hub_sub *subs;    // all subscriptions of this reader, in order of joining
  struct hub_sub *behind;  // those that wait for messages from the log
  struct list pump_link;   // in the port's list of readers to bring up to date
  uint64_t id;             // connection id, matched against message->except
  uint32_t sub_count;
  uint8_t form;     // index of its wire form, or HUB_FORM_NONE
  bool is_blocked;  // set by deliver: nothing is delivered until hub_reader_resume
  bool is_ended;    // a HUB_LAG_CLOSE gap was told
};

void hub_reader_init(struct hub_reader *reader, struct hub_port *port, uint64_t id, unsigned form);
void hub_reader_close(struct hub_reader *reader);  // leaves every topic

// The reader can take bytes again; it is brought up to date by the next delivery.
void hub_reader_resume(struct hub_reader *reader);

struct hub_join_options {
  // NOW: live only; FIRST: all that is kept; LAST: the newest kept; ID: after `id`.
  // Where the rule's history is 0, FIRST and LAST are as NOW.
  enum hub_since since;
  struct slice id;   // for HUB_SINCE_ID, as a client sent it: anything at all
  enum hub_lag lag;  // HUB_LAG_DEFAULT: as the topic's rule says, or as it was
  // Makes the reader's user a member of the topic; all readers of one user are
  // one member. ptr NULL: none, or as it was.
  struct slice as;
  struct slice info;  // JSON text about the member; ptr NULL: none, or as it was
};

// With HUB_SINCE_ID and an id that cannot be honoured (malformed, of another life
// of the hub, or older than what is kept) everything that is kept comes and
// recovered is false; the hub tells no gap for it, the caller does.
struct hub_join_result {
  bool recovered;     // HUB_SINCE_ID: every message after id is kept and will come; else false
  bool missed_known;  // whether missed is exact; false when HUB_SINCE_ID is not recovered
  uint64_t missed;    // messages after id that are gone; 0 when not known
  // Where the reader stands: whatever is yet to come to it has a greater seq. So
  // joining since this one gets the same. When recovered, at most the seq of `id`.
  uint64_t seq;
};

// Subscribes; replay and live follow without hole or duplicate. Joining a
// topic again moves the cursor only when `since` names a place.
// result may be NULL. HUB_OK, or a failure by which nothing has changed.
enum hub_status hub_join(struct hub_reader *reader, struct slice topic,
                         const struct hub_join_options *options, struct hub_join_result *result);
// HUB_OK or HUB_NOT_JOINED.
enum hub_status hub_leave(struct hub_reader *reader, struct slice topic);

// Makes a tap of a reader of the server's own (form HUB_FORM_NONE): it gets all messages
// published from now on to topics that match the pattern, in seq order. They are
// kept in a log with a retention of its own; a gap names the
// pattern. HUB_OK, HUB_BAD_TOPIC (pattern too long or empty), or HUB_LIMIT when
// HUB_TAPS exist.
enum hub_status hub_join_pattern(struct hub_reader *reader, struct slice pattern);

// Calls `each` with the name of every topic the reader has joined, in order of joining.
void hub_reader_topics(const struct hub_reader *reader, void (*each)(void *arg, struct slice topic),
                       void *arg);

// The encoded form `form` of m (cached; counts in `encoded`); empty when the
// form cannot carry it. The bytes live as long as the message. Encoders get the
// port's ctx as their tools.
struct slice hub_form(struct hub_port *port, struct message *m, unsigned form);

#endif
