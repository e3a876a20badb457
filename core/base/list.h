// Intrusive doubly linked list. A node that is in no list points at itself.
#ifndef TIDEGATE_BASE_LIST_H
#define TIDEGATE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
  struct list *prev, *next;
};

// The struct that embeds `node` as its member `member`.
#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *node) { node->prev = node->next = node; }

static inline bool list_is_empty(const struct list *head) { return head->next == head; }

static inline void list_append(struct list *head, struct list *node) {
  node->prev = head->prev;
  node->next = head;
  head->prev->next = node;
  head->prev = node;
}

// Takes node out of whatever list it is in; harmless when it is in none.
static inline void list_remove(struct list *node) {
  node->prev->next = node->next;
  node->next->prev = node->prev;
  list_init(node);
}

// Takes out and returns the first node, NULL when the list is empty.
static inline struct list *list_pop(struct list *head) {
  if (list_is_empty(head)) return NULL;
  struct list *node = head->next;
  head->next = node->next;
  head->next->prev = head;
  list_init(node);
  return node;
}

// Moves all nodes of `from` to the end of `to`.
static inline void list_splice(struct list *to, struct list *from) {
  if (list_is_empty(from)) return;
  from->next->prev = to->prev;
  to->prev->next = from->next;
  from->prev->next = to;
  to->prev = from->prev;
  list_init(from);
}

#endif
