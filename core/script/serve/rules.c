// The rules of topics: see rules.h.
#include "script/serve/rules.h"

#include <stdlib.h>

#include "base/mem.h"
#include "hub/hub.h"
#include "net/worker.h"
#include "script/reload/generation.h"
#include "script/vm/vm.h"

// What one generation declared.
struct declarations {
  struct hub_rule *all;
  size_t count, cap;
};

void rules_declare(struct generation *generation, const struct hub_rule *rule) {
  struct declarations *rules = generation_state(generation, &rules_module);
  rules->all = mem_grow(rules->all, &rules->cap, rules->count + 1, 8, sizeof *rules->all);
  struct hub_rule *kept = &rules->all[rules->count++];
  *kept = *rule;
  kept->pattern = mem_strdup(rule->pattern);
}

static void forget(struct generation *generation) {
  struct declarations *rules = generation_state(generation, &rules_module);
  for (size_t i = 0; i < rules->count; i++) free((char *)rules->all[i].pattern);
  free(rules->all);
}

static void switch_to(struct vm *vm, struct generation *before, struct generation *next) {
  (void)before;
  const struct declarations *rules = generation_state(next, &rules_module);
  if (vm->worker->index == 0) hub_rules_set(vm->worker->hub, rules->all, rules->count);
}

struct script_module rules_module = {.name = "rules",
                                     .forget = forget,
                                     .switch_to = switch_to,
                                     .generation_state_bytes = sizeof(struct declarations)};
