// Reads /proc: see usage.h.
#include "load/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Calls visit for each thread of the process: its id and the sum to add to.
static void each_thread(pid_t pid, void (*visit)(pid_t, pid_t, void *), void *ctx) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *dir = opendir(path);
  if (dir == NULL) return;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] != '.') visit(pid, (pid_t)atoi(entry->d_name), ctx);
  }
  closedir(dir);
}

// Calls visit for the process and, through the children of its threads, for all
// below it.
struct walk {
  void (*visit)(pid_t pid, void *ctx);
  void *ctx;
};

static void each_process(pid_t pid, const struct walk *walk);

static void visit_children(pid_t pid, pid_t tid, void *ctx) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, tid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return;
  for (int child; fscanf(file, "%d", &child) == 1;) each_process(child, ctx);
  fclose(file);
}

static void each_process(pid_t pid, const struct walk *walk) {
  walk->visit(pid, walk->ctx);
  each_thread(pid, visit_children, (void *)walk);
}

// The scheduler's count has nanoseconds; where the kernel lacks it, the ticks
// of 10 ms must do.
static uint64_t read_schedstat(pid_t pid, pid_t tid) {
  char path[64];
  unsigned long long ns = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", pid, tid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%llu", &ns) != 1) ns = 0;
  fclose(file);
  return ns;
}

static uint64_t read_ticks(pid_t pid, pid_t tid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  size_t len = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[len] = '\0';
  // The name in parentheses may hold anything, so the fields count from its end.
  const char *fields = strrchr(text, ')');
  unsigned long long user = 0, kernel = 0;
  if (fields == NULL || sscanf(fields + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu",
                               &user, &kernel) != 2) {
    return 0;
  }
  return (user + kernel) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void add_thread_cpu(pid_t pid, pid_t tid, void *ctx) {
  uint64_t ns = read_schedstat(pid, tid);
  *(uint64_t *)ctx += ns != 0 ? ns : read_ticks(pid, tid);
}

static void add_process_cpu(pid_t pid, void *ctx) { each_thread(pid, add_thread_cpu, ctx); }

uint64_t usage_cpu_ns(pid_t pid) {
  uint64_t ns = 0;
  each_process(pid, &(struct walk){add_process_cpu, &ns});
  return ns;
}

static void add_process_memory(pid_t pid, void *ctx) {
  struct usage_memory *sum = ctx;
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return;
  while (fgets(line, sizeof line, file) != NULL) {
    unsigned long long kb;
    if (sscanf(line, "Rss: %llu", &kb) == 1) sum->rss_bytes += kb * 1024;
    if (sscanf(line, "Private_Clean: %llu", &kb) == 1) sum->private_bytes += kb * 1024;
    if (sscanf(line, "Private_Dirty: %llu", &kb) == 1) sum->private_bytes += kb * 1024;
  }
  fclose(file);
}

struct usage_memory usage_memory(pid_t pid) {
  struct usage_memory sum = {0};
  each_process(pid, &(struct walk){add_process_memory, &sum});
  return sum;
}
