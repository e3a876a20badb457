// bench_count NAME runs a case, --list prints them all, --versions what else
// the counts depend on. Run by tests/bench/count/run below callgrind.
#include <gnu/libc-version.h>
#include <llhttp.h>
#include <lua.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <uv.h>
#include <zlib.h>

#include "count.h"

static const struct count_case *const tables[] = {count_proto_cases, count_hub_cases,
                                                  count_script_cases};

// By its name callgrind knows it, so it must stay a function of its own.
__attribute__((noipa)) void count_measure(void (*fn)(void *arg), void *arg) { fn(arg); }

void count_expect(bool is_true, const char *what) {
  if (is_true) return;
  fprintf(stderr, "bench_count: %s\n", what);
  exit(EXIT_FAILURE);
}

// Only the part of a version that can move a count: Debian's fixes to OpenSSL
// and to libc within a release should not end the comparison.
static void print_versions(void) {
  struct utsname machine;
  uname(&machine);
  printf("compiler %s, libc %s, %s, libuv %s, llhttp %d.%d.%d, OpenSSL %d.%d, zlib %s, %s\n",
         __VERSION__, gnu_get_libc_version(), LUA_RELEASE, uv_version_string(),
         LLHTTP_VERSION_MAJOR, LLHTTP_VERSION_MINOR, LLHTTP_VERSION_PATCH, OPENSSL_version_major(),
         OPENSSL_version_minor(), zlibVersion(), machine.machine);
}

static const struct count_case *find(const char *name) {
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    for (const struct count_case *c = tables[i]; c->name != NULL; c++) {
      if (name == NULL)
        printf("%s %u %s\n", c->name, c->units, c->unit);
      else if (strcmp(c->name, name) == 0)
        return c;
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  count_expect(argc == 2, "usage: bench_count NAME|--list|--versions");
  if (strcmp(argv[1], "--versions") == 0) return print_versions(), EXIT_SUCCESS;
  if (strcmp(argv[1], "--list") == 0) return find(NULL), EXIT_SUCCESS;
  const struct count_case *c = find(argv[1]);
  count_expect(c != NULL, "no such case: see --list");
  c->run(c->arg);
  return EXIT_SUCCESS;
}
