// Two looks at the script directory, compared: what a load would find that the one before
// did not, and when it may be taken as it is.
#ifndef TIDEGATE_SCRIPT_RELOAD_COMPARE_H
#define TIDEGATE_SCRIPT_RELOAD_COMPARE_H

#include "base/buf.h"
#include "script/reload/scan.h"

struct comparison {
  size_t count;     // of files that differ
  struct buf text;  // "a.lua changed, b.lua is new, 3 more"
  uint64_t due_ms;  // by the monotonic clock: from then on it is what was meant
};

// Compares. `loaded` keeps since when its files have been missing. With `only_content` a
// file that was saved again as it was is the same. is_unsure: a file may be half written
// without a sign of it, so that each must have rested. The caller frees text.
struct comparison compare_scans(struct scan *loaded, const struct scan *now, bool only_content,
                                bool is_unsure);

// After a load, the last of `in_a_row` during which something changed: counts in `now` during
// how many in a row each file did. Returns the fewest of all that changed.
unsigned compare_count_loads(const struct scan *loaded, struct scan *now, unsigned in_a_row);

#endif
