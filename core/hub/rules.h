// Topic rules: which retention and limits a topic gets, by pattern. Pure: no
// lock and no topic; a set of rules is built, searched and freed.
#ifndef TIDEGATE_HUB_RULES_H
#define TIDEGATE_HUB_RULES_H

#include "hub/hub.h"

struct rules;

// Copies `count` rules, and fills in the defaults that a zero stands for.
struct rules *rules_new(const struct hub_rule *rules, size_t count);
void rules_free(struct rules *rules);  // NULL is ignored

// The rule of a topic: borrowed from `rules`, or the built-in default when no
// pattern matches. Its `bytes` is never 0 and its `lag` never HUB_LAG_DEFAULT.
const struct hub_rule *rules_find(const struct rules *rules, struct slice topic);

// Whether topic matches pattern: `*` is any run without '/', `**` any run.
bool rules_pattern_matches(struct slice pattern, struct slice topic);

#endif
