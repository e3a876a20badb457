// Turns the search for leaks off in the program that includes this, once. What a VM
// allocates is freed when it lets go of it, not when the input ends; to libFuzzer
// that looks like leaks, and searching for them takes most of the time.
#ifndef TIDEGATE_FUZZ_NO_LEAKS_H
#define TIDEGATE_FUZZ_NO_LEAKS_H

int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return 1; }

#endif
