// What scripts publish while they load: see outbox.h.
#include "script/serve/outbox.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/message.h"
#include "hub/hub.h"
#include "net/worker.h"
#include "script/reload/generation.h"
#include "script/vm/vm.h"

struct entry {
  struct message *message;
  char *place;
};

struct outbox {
  struct entry *all;
  size_t count, cap, bytes;
};

bool outbox_add(struct generation *generation, const struct message_fields *fields,
                const char *place) {
  struct outbox *outbox = generation_state(generation, &outbox_module);
  if (generation->vm->worker->index != 0) return true;
  if (outbox->count == OUTBOX_MESSAGES || outbox->bytes + fields->payload.len > OUTBOX_BYTES)
    return false;
  outbox->all = mem_grow(outbox->all, &outbox->cap, outbox->count + 1, 8, sizeof *outbox->all);
  outbox->all[outbox->count++] = (struct entry){message_new(fields), mem_strdup(place)};
  outbox->bytes += fields->payload.len;
  return true;
}

void outbox_list(const struct generation *generation, struct buf *out) {
  const struct outbox *outbox = generation_state(generation, &outbox_module);
  for (size_t i = 0; i < outbox->count; i++) {
    const struct entry *entry = &outbox->all[i];
    struct slice topic = message_topic(entry->message);
    buf_printf(out, "%swould publish %u bytes to \"%.*s\"\n", entry->place, entry->message->size,
               (int)topic.len, topic.ptr);
  }
}

static void forget(struct generation *generation) {
  struct outbox *outbox = generation_state(generation, &outbox_module);
  for (size_t i = 0; i < outbox->count; i++) {
    message_unref(outbox->all[i].message);
    free(outbox->all[i].place);
  }
  free(outbox->all);
}

static void switch_to(struct vm *vm, struct generation *before, struct generation *next) {
  (void)before;
  const struct outbox *outbox = generation_state(next, &outbox_module);
  struct worker *worker = vm->worker;
  for (size_t i = 0; i < outbox->count; i++) {
    const struct entry *entry = &outbox->all[i];
    uint64_t seq;
    if (hub_publish(worker->hub, worker->port, message_ref(entry->message), &seq) == HUB_OK)
      continue;
    struct slice topic = message_topic(entry->message);
    log_warn("%spublish: the message to \"%.*s\" is too large for its topic and was not sent",
             entry->place, (int)topic.len, topic.ptr);
  }
}

struct script_module outbox_module = {.name = "outbox",
                                      .forget = forget,
                                      .switch_to = switch_to,
                                      .generation_state_bytes = sizeof(struct outbox)};
