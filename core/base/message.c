// Messages and their cached wire forms: see message.h.
#include "base/message.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

// Stands in a form's place while one thread encodes it.
static struct message_form busy;

struct message *message_new(const struct message_fields *f) {
  struct message *m =
      mem_alloc(sizeof *m + f->payload.len + f->event.len + f->key.len + f->topic.len);
  memset(m, 0, sizeof *m);
  atomic_init(&m->refs, 1);
  m->kind = (uint8_t)f->kind;
  m->is_json = f->is_json;
  m->size = (uint32_t)f->payload.len;
  m->event_len = (uint8_t)f->event.len;
  m->key_len = (uint16_t)f->key.len;
  m->topic_len = (uint8_t)f->topic.len;
  m->except = f->except;
  char *p = m->data;
  const struct slice parts[] = {f->payload, f->event, f->key, f->topic};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (parts[i].len > 0) memcpy(p, parts[i].ptr, parts[i].len);
    p += parts[i].len;
  }
  return m;
}

static long long form_cost(const struct message_form *form) {
  return (long long)sizeof *form + (long long)form->len;
}

static void form_free(struct message_form *form) {
  if (form == NULL) return;
  metric_add(form->held_bytes, -form_cost(form));
  free(form);
}

void message_unref(struct message *m) {
  if (m == NULL) return;
  if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1) return;
  for (int i = 0; i < MESSAGE_FORMS; i++)
    form_free(atomic_load_explicit(&m->forms[i], memory_order_relaxed));
  free(m);
}

static struct message_form *encode_form(const struct message *m,
                                        const struct message_encoder *encoder, void *tools) {
  // The bytes are encoded behind the header in one buffer, which then becomes the form.
  struct buf out = {0};
  buf_reserve(&out, sizeof(struct message_form) + m->size + 64);
  buf_grew(&out, sizeof(struct message_form));
  encoder->encode(m, encoder->epoch, tools, &out);
  // What was compressed leaves most of its room unused.
  if (out.cap > 2 * out.end) out.data = mem_realloc(out.data, out.end);
  struct message_form *form = (struct message_form *)(void *)out.data;
  form->len = buf_len(&out) - sizeof(struct message_form);
  form->held_bytes = encoder->held_bytes;
  metric_count(encoder->encoded, 1);
  metric_add(encoder->held_bytes, form_cost(form));
  return form;
}

const struct message_form *message_form(struct message *m, unsigned index,
                                        const struct message_encoder *encoder, void *tools) {
  _Atomic(struct message_form *) *place = &m->forms[index];
  struct message_form *form = atomic_load_explicit(place, memory_order_acquire);
  if (form != NULL && form != &busy) return form;
  if (form == NULL && atomic_compare_exchange_strong(place, &form, &busy)) {
    form = encode_form(m, encoder, tools);
    atomic_store_explicit(place, form, memory_order_release);
    return form;
  }
  while ((form = atomic_load_explicit(place, memory_order_acquire)) == &busy) sched_yield();
  return form;
}
