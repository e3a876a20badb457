// Messages under way: see ws_unfinished.h.
#include "net/ws_unfinished.h"

#include "net/worker.h"

static uint64_t due_ms(const struct ws_unfinished_set *set,
                       const struct ws_unfinished *unfinished) {
  return unfinished->begun_ms + set->worker->config->body_timeout_ms;
}

static struct ws_unfinished *oldest(struct ws_unfinished_set *set) {
  if (list_is_empty(&set->all)) return NULL;
  return list_entry(set->all.next, struct ws_unfinished, link);
}

static void wait_for_oldest(struct ws_unfinished_set *set) {
  struct ws_unfinished *first = oldest(set);
  if (first == NULL) return;
  uint64_t now = worker_now_ms(set->worker), due = due_ms(set, first);
  worker_set_timer(set->worker, &set->timer, due > now ? due - now : 0);
}

static void on_due(struct wheel_timer *timer) {
  struct ws_unfinished_set *set = list_entry(timer, struct ws_unfinished_set, timer);
  struct ws_unfinished *first;
  while ((first = oldest(set)) != NULL && due_ms(set, first) <= worker_now_ms(set->worker))
    set->overdue(set, first);
  wait_for_oldest(set);
}

void ws_unfinished_set_init(struct ws_unfinished_set *set, struct worker *worker,
                            void (*overdue)(struct ws_unfinished_set *set,
                                            struct ws_unfinished *unfinished)) {
  *set = (struct ws_unfinished_set){.worker = worker, .overdue = overdue};
  list_init(&set->all);
  wheel_timer_init(&set->timer, on_due);
}

void ws_unfinished_init(struct ws_unfinished *unfinished) { list_init(&unfinished->link); }

void ws_unfinished_begin(struct ws_unfinished_set *set, struct ws_unfinished *unfinished) {
  bool is_first = list_is_empty(&set->all);
  list_remove(&unfinished->link);
  list_append(&set->all, &unfinished->link);
  unfinished->begun_ms = worker_now_ms(set->worker);
  if (is_first) wait_for_oldest(set);
}

bool ws_unfinished_hold(struct ws_unfinished_set *set, struct ws_unfinished *unfinished,
                        size_t bytes) {
  return worker_hold(set->worker, &unfinished->bytes, bytes);
}

void ws_unfinished_forget(struct ws_unfinished_set *set, struct ws_unfinished *unfinished) {
  if (!ws_unfinished_is_under_way(unfinished)) return;
  list_remove(&unfinished->link);
  worker_hold(set->worker, &unfinished->bytes, 0);
}
