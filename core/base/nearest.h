// The name that somebody meant: for "unknown option "histroy"; did you mean "history"?".
#ifndef TIDEGATE_BASE_NEAREST_H
#define TIDEGATE_BASE_NEAREST_H

#include <stddef.h>

enum { NEAREST_NAME_BYTES = 64 };  // a longer name is near to none

// The one of `count` names that `wanted` is most likely a slip of; the first one of several
// that are equally near; NULL if none is near. Near: less than a third of the letters (of the
// longer of the two), or one of three, have to be added, dropped, replaced or swapped with their
// neighbour: two of six make another word, as "static" is no slip of "stats".
// Upper and lower case are the same letter, and so are '-' and '_'. Borrows, allocates nothing.
const char *nearest_name(const char *wanted, const char *const *names, size_t count);

// How many letters differ, as above; beyond NEAREST_NAME_BYTES when either name is too long.
size_t nearest_distance(const char *a, const char *b);

#endif
