// Affinity and cgroups: see processors.h.
#include "base/processors.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

// A hierarchy of cgroups that may have quotas.
struct hierarchy {
  const char *type;      // of its mount
  const char *cgroup;    // its line in /proc/self/cgroup has this between the colons
  const char *controls;  // what the options of its mount must name; NULL: any
  // Reads the quota of a cgroup: microseconds of CPU time in each period.
  bool (*read)(const char *folder, double *quota, double *period);
};

// ---- quotas ---------------------------------------------------------------

// The first line of folder/name; false when there is none.
static bool read_line(const char *folder, const char *name, char *line, int size) {
  char *path = mem_format("%s/%s", folder, name);
  FILE *file = fopen(path, "re");
  free(path);
  if (file == NULL) return false;
  bool ok = fgets(line, size, file) != NULL;
  fclose(file);
  return ok;
}

// "150000 100000", or "max 100000".
static bool read_v2(const char *folder, double *quota, double *period) {
  char line[128];
  return read_line(folder, "cpu.max", line, sizeof line) &&
         sscanf(line, "%lf %lf", quota, period) == 2;
}

// -1 is no quota.
static bool read_v1(const char *folder, double *quota, double *period) {
  char line[128];
  return read_line(folder, "cpu.cfs_quota_us", line, sizeof line) &&
         sscanf(line, "%lf", quota) == 1 &&
         read_line(folder, "cpu.cfs_period_us", line, sizeof line) &&
         sscanf(line, "%lf", period) == 1;
}

static const struct hierarchy hierarchies[] = {
    {"cgroup2", "", NULL, read_v2},
    {"cgroup", "cpu", "cpu", read_v1},
};
enum { HIERARCHIES = sizeof hierarchies / sizeof *hierarchies };

// ---- where the cgroup of this process is --------------------------------------

// Whether `list`, of names with commas, has `name`; the empty list is that of version 2.
static bool names(const char *list, const char *name) {
  size_t len = strlen(name);
  if (len == 0) return *list == '\0';
  for (const char *at = list; at != NULL; at = strchr(at, ',')) {
    if (*at == ',') at++;
    if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0')) return true;
  }
  return false;
}

// Calls found(line) for the lines of a file until it is true. The line is then the caller's.
static char *find_line(const char *root, const char *name,
                       bool (*found)(char *line, const struct hierarchy *hierarchy),
                       const struct hierarchy *hierarchy) {
  char *path = mem_format("%s%s", root, name);
  FILE *file = fopen(path, "re");
  free(path);
  char *line = NULL;
  size_t size = 0;
  bool ok = false;
  while (file != NULL && !ok && getline(&line, &size, file) > 0) {
    line[strcspn(line, "\n")] = '\0';
    ok = found(line, hierarchy);
  }
  if (file != NULL) fclose(file);
  if (ok) return line;
  free(line);
  return NULL;
}

// "4:cpu,cpuacct:/path": leaves the path.
static bool is_cgroup(char *line, const struct hierarchy *hierarchy) {
  char *list = strchr(line, ':');
  char *path = list != NULL ? strchr(list + 1, ':') : NULL;
  if (path == NULL) return false;
  *path++ = '\0';
  if (!names(list + 1, hierarchy->cgroup)) return false;
  memmove(line, path, strlen(path) + 1);
  return true;
}

// "31 25 0:28 /root /mount rw,nosuid shared:1 - cgroup cgroup rw,cpu,cpuacct": leaves
// "/root /mount".
static bool is_mount(char *line, const struct hierarchy *hierarchy) {
  char *rest = strstr(line, " - ");
  char type[32], options[256], *at = line;
  if (rest == NULL || sscanf(rest, " - %31s %*s %255s", type, options) != 2) return false;
  if (strcmp(type, hierarchy->type) != 0) return false;
  if (hierarchy->controls != NULL && !names(options, hierarchy->controls)) return false;
  for (int i = 0; i < 3 && at != NULL; i++) at = strchr(at + 1, ' ');
  char *mount = at != NULL ? strchr(at + 1, ' ') : NULL;
  char *end = mount != NULL ? strchr(mount + 1, ' ') : NULL;
  if (end == NULL) return false;
  *end = '\0';
  memmove(line, at + 1, (size_t)(end - at));
  return true;
}

// What `cgroup` is below the mount, whose own root in the hierarchy is `from`: in a container
// that has the hierarchy of the host, the mount often begins at its own cgroup.
static const char *below(const char *cgroup, const char *from) {
  size_t len = strcmp(from, "/") == 0 ? 0 : strlen(from);
  if (strncmp(cgroup, from, len) != 0 || strstr(cgroup, "/..") != NULL) return "";
  cgroup += len;
  return strcmp(cgroup, "/") == 0 ? "" : cgroup;
}

// The folder of our cgroup, and in *top the length of the part that is the mount; NULL when
// there is none.
static char *find_folder(const char *root, const struct hierarchy *hierarchy, size_t *top) {
  char *cgroup = find_line(root, "/proc/self/cgroup", is_cgroup, hierarchy);
  char *mount = find_line(root, "/proc/self/mountinfo", is_mount, hierarchy);
  char *folder = NULL;
  if (cgroup != NULL && mount != NULL) {
    char *point = strchr(mount, ' ');
    *point++ = '\0';
    folder = mem_format("%s%s%s", root, point, below(cgroup, mount));
    *top = strlen(root) + strlen(point);
  }
  free(cgroup);
  free(mount);
  return folder;
}

// ---- counting ---------------------------------------------------------------

static unsigned fewer(unsigned most, double quota, double period) {
  if (quota <= 0 || period <= 0 || quota > period * most) return most;
  unsigned whole = (unsigned)(quota / period);
  return whole * period < quota ? whole + 1 : whole;
}

// The cgroup and all above it.
static unsigned count_in(const char *root, const struct hierarchy *hierarchy, unsigned most) {
  size_t top = 0;
  char *folder = find_folder(root, hierarchy, &top);
  while (folder != NULL) {
    double quota, period;
    if (hierarchy->read(folder, &quota, &period)) most = fewer(most, quota, period);
    char *end = strrchr(folder, '/');
    if (end == NULL || (size_t)(end - folder) < top) break;
    *end = '\0';
  }
  free(folder);
  return most;
}

unsigned processors_in_cgroups(const char *root, unsigned most) {
  for (size_t i = 0; i < HIERARCHIES; i++) most = count_in(root, &hierarchies[i], most);
  return most > 0 ? most : 1;
}

static unsigned count_affinity(void) {
  enum { PROCESSORS_MAX = 8192 };
  size_t bytes = CPU_ALLOC_SIZE(PROCESSORS_MAX);
  cpu_set_t *set = mem_zalloc(bytes);
  int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
  free(set);
  if (count <= 0) count = (int)sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (unsigned)count : 1;
}

unsigned processors_count(const char *root) {
  return processors_in_cgroups(root, count_affinity());
}
