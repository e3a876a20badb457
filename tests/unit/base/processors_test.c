// Processors that a process may use: quotas of cgroups, as the files of several systems have
// them, and the affinity mask.
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/processors.h"

#define V2_MOUNT "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT \
  "31 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define OTHERS                                      \
  "22 28 0:21 / /proc rw shared:5 - proc proc rw\n" \
  "28 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"  \
  "40 25 0:35 / /sys/fs/cgroup/cpuset rw shared:15 - cgroup cgroup rw,cpuset\n"

enum { MOST = 16, FILES_MAX = 6 };

static const struct {
  const char *what;
  unsigned count;
  struct {
    const char *path, *text;
  } files[FILES_MAX];
} cases[] = {
    {"no cgroups", MOST, {{"/proc/self/mountinfo", OTHERS}}},
    {"version 2 without a quota",
     MOST,
     {{"/proc/self/cgroup", "0::/system.slice/gate.service\n"},
      {"/proc/self/mountinfo", OTHERS V2_MOUNT},
      {"/sys/fs/cgroup/system.slice/gate.service/cpu.max", "max 100000\n"}}},
    {"version 2, systemd's CPUQuota=150%",
     2,
     {{"/proc/self/cgroup", "0::/system.slice/gate.service\n"},
      {"/proc/self/mountinfo", OTHERS V2_MOUNT},
      {"/sys/fs/cgroup/system.slice/gate.service/cpu.max", "150000 100000\n"}}},
    {"version 2, a cgroup above has less",
     3,
     {{"/proc/self/cgroup", "0::/system.slice/gate.service\n"},
      {"/proc/self/mountinfo", V2_MOUNT OTHERS},
      {"/sys/fs/cgroup/system.slice/gate.service/cpu.max", "800000 100000\n"},
      {"/sys/fs/cgroup/system.slice/cpu.max", "300000 100000\n"}}},
    {"version 2 in a container with its own namespace",
     4,
     {{"/proc/self/cgroup", "0::/\n"},
      {"/proc/self/mountinfo", OTHERS V2_MOUNT},
      {"/sys/fs/cgroup/cpu.max", "400000 100000\n"}}},
    {"version 2, a cgroup outside of the namespace",
     4,
     {{"/proc/self/cgroup", "0::/../other\n"},
      {"/proc/self/mountinfo", OTHERS V2_MOUNT},
      {"/sys/fs/cgroup/cpu.max", "400000 100000\n"}}},
    {"version 1",
     2,
     {{"/proc/self/cgroup", "5:cpuset:/other\n4:cpu,cpuacct:/gate\n0::/x\n"},
      {"/proc/self/mountinfo", OTHERS V1_MOUNT},
      {"/sys/fs/cgroup/cpu,cpuacct/gate/cpu.cfs_quota_us", "200000\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/gate/cpu.cfs_period_us", "100000\n"}}},
    {"version 1 without a quota",
     MOST,
     {{"/proc/self/cgroup", "4:cpu,cpuacct:/gate\n"},
      {"/proc/self/mountinfo", OTHERS V1_MOUNT},
      {"/sys/fs/cgroup/cpu,cpuacct/gate/cpu.cfs_quota_us", "-1\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/gate/cpu.cfs_period_us", "100000\n"}}},
    {"version 1 in a container that sees the host's names",
     1,
     {{"/proc/self/cgroup", "4:cpuacct,cpu:/docker/0123abc\n"},
      {"/proc/self/mountinfo",
       "31 25 0:28 /docker/0123abc /sys/fs/cgroup/cpu ro - cgroup cgroup "
       "ro,cpu\n"},
      {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"},
      {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}},
    {"both versions, the quota is in the first",
     3,
     {{"/proc/self/cgroup", "4:cpu:/a\n0::/b\n"},
      {"/proc/self/mountinfo", V2_MOUNT V1_MOUNT},
      {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "20001\n"},
      {"/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "10000\n"}}},
    {"a quota of next to nothing",
     1,
     {{"/proc/self/cgroup", "0::/\n"},
      {"/proc/self/mountinfo", V2_MOUNT},
      {"/sys/fs/cgroup/cpu.max", "1000 100000\n"}}},
    {"a quota beyond the processors",
     MOST,
     {{"/proc/self/cgroup", "0::/\n"},
      {"/proc/self/mountinfo", V2_MOUNT},
      {"/sys/fs/cgroup/cpu.max", "99900000 100000\n"}}},
    {"files that make no sense",
     MOST,
     {{"/proc/self/cgroup", "nonsense\n4:cpu\n0::/\n"},
      {"/proc/self/mountinfo", "nonsense\n - \n1 2 - cgroup2 x y\n" V2_MOUNT},
      {"/sys/fs/cgroup/cpu.max", "\n"}}},
};

static void write_file(const char *root, const char *path, const char *text) {
  char full[512];
  snprintf(full, sizeof full, "%s%s", root, path);
  for (char *slash = strchr(full + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(full, 0700);
    *slash = '/';
  }
  FILE *file = fopen(full, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void test_quotas(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char root[] = "/tmp/tidegate-cgroups-XXXXXX", command[128];
    assert_non_null(mkdtemp(root));
    for (size_t f = 0; f < FILES_MAX && cases[i].files[f].path != NULL; f++)
      write_file(root, cases[i].files[f].path, cases[i].files[f].text);
    unsigned count = processors_in_cgroups(root, MOST);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
    if (count != cases[i].count) fail_msg("%s: %u", cases[i].what, count);
  }
}

static void test_affinity(void **state) {
  (void)state;
  cpu_set_t before, one;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  assert_in_range(processors_count(""), 1, CPU_COUNT(&before));
  size_t cpu = 0;
  while (!CPU_ISSET(cpu, &before)) cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
  assert_int_equal(processors_count(""), 1);
  assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_quotas),
      cmocka_unit_test(test_affinity),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
