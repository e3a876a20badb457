// Sweeping: what is due by time, and the memory that is free by then.
#include "base/clock.h"
#include "base/mem.h"
#include "hub/presence.h"
#include "hub/topics.h"

enum {
  SLOTS_MIN = 2048,  // of the map, looked at in a call at least
  TRIM_BYTES = 4 * 1024 * 1024,
};

// Freed memory lies between what is still used until it is asked back. Asking
// stops the threads that allocate for as long as it takes, so it is done only
// when most of much has gone; then again and again down to little, because a
// few topics that are left hold back as many pages as there were topics.
static void give_memory_back(struct hub *hub, uint64_t before, uint64_t held) {
  if (before > hub->held_peak) hub->held_peak = before;
  if (hub->held_peak >= TRIM_BYTES) hub->is_shrinking = true;
  if (!hub->is_shrinking || held > hub->held_peak / 2) return;
  mem_trim();
  hub->held_peak = held;
  hub->is_shrinking = held > TRIM_BYTES / 64;
}

void hub_sweep(struct hub *hub) {
  uint64_t now_ms = clock_mono_ms();
  int64_t wall_offset_ns = clock_wall_offset_ns();
  size_t slots = 0, wanted = SLOTS_MIN;
  uint64_t before = 0;
  for (bool has_room = true, is_first = true; slots < wanted || !has_room; is_first = false) {
    pthread_mutex_lock(&hub->lock);
    size_t cap = map_places(&hub->topics);
    if (is_first) before = topics_footprint(hub);
    hub->wall_offset_ns = wall_offset_ns;
    if (cap / HUB_SWEEP_CALLS > wanted) wanted = cap / HUB_SWEEP_CALLS;
    if (slots < wanted) slots += topics_sweep_step(hub, now_ms);
    has_room = topics_evict(hub);
    pthread_mutex_unlock(&hub->lock);
    if (slots >= cap && has_room) break;
  }
  presence_sweep(hub, now_ms);
  struct list doomed;
  list_init(&doomed);
  pthread_mutex_lock(&hub->lock);
  uint64_t held = topics_footprint(hub);
  list_splice(&doomed, &hub->doomed);
  pthread_mutex_unlock(&hub->lock);
  topics_free_doomed(&doomed);
  give_memory_back(hub, before, held);
}
