// How many processors this process may use, which in a container or under systemd is often
// fewer than the machine has.
#ifndef TIDEGATE_BASE_PROCESSORS_H
#define TIDEGATE_BASE_PROCESSORS_H

// At least 1: those of its affinity mask (sched_setaffinity, cpusets), or fewer when the CPU
// quota of its cgroup, or of one above, gives less time: a quota of 1.5 processors counts as
// 2. Reads cgroups of version 1 and 2 below `root`, "" but in tests: /proc/self/cgroup,
// /proc/self/mountinfo and what they point to. What cannot be read is no limit.
unsigned processors_count(const char *root);

// The part of cgroups alone; `most` when they set no limit or a higher one.
unsigned processors_in_cgroups(const char *root, unsigned most);

#endif
