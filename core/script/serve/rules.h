// The rules of topics, which a generation declares while it loads.
#ifndef TIDEGATE_SCRIPT_SERVE_RULES_H
#define TIDEGATE_SCRIPT_SERVE_RULES_H

#include "script/vm/module.h"

struct hub_rule;

// Keeps what generations declare. Going live: the hub is one for all workers, so the
// first of them sets its rules.
extern struct script_module rules_module;

// Copies the rule. Later ones come behind earlier ones.
void rules_declare(struct generation *generation, const struct hub_rule *rule);

#endif
