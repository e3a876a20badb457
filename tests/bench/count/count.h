// Fixed small work whose instructions callgrind counts: what the cases share.
// A case makes its input, runs once to warm up, and then does its work again
// within count_measure, the only function that counts.
#ifndef TIDEGATE_BENCH_COUNT_H
#define TIDEGATE_BENCH_COUNT_H

#include <stdbool.h>
#include <stddef.h>

struct count_case {
  const char *name;
  unsigned units;        // what the count is divided by for people
  const char *unit;      // "request", "delivery", ...
  void (*run)(int arg);  // ends the program when the work did not do what it should
  int arg;
};

extern const struct count_case count_proto_cases[], count_hub_cases[], count_script_cases[];

// Calls fn(arg); callgrind counts from here (--toggle-collect) to the return.
void count_measure(void (*fn)(void *arg), void *arg);

// Ends the program with a message unless `is_true`: fast but wrong is no result.
void count_expect(bool is_true, const char *what);

#endif
