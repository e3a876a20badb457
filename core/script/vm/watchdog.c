// The watchdog: see watchdog.h.
#include "script/vm/watchdog.h"

#include <errno.h>
#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "script/vm/place.h"

enum {
  WATCHED_MAX = 64,
  COROUTINE_CHECK = 100000,
  AGAIN_PART = 2,  // of the time so far, until an entry is struck again
};

// ThreadSanitizer holds signals back until the next libc call, which a tight
// Lua loop never makes; in that build the hook polls.
#if defined(__SANITIZE_THREAD__)
enum { POLLS = 1 };
#else
enum { POLLS = 0 };
#endif

struct watched {
  struct vm *vm;
  pthread_t thread;
  clockid_t cpu_clock;
  unsigned long serial;  // the entry seen last
  uint64_t since_ns;     // CPU time when it was first seen
  uint64_t next_ns;      // CPU time of the entry when it is struck next
};

static struct {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t thread;
  bool runs;
  uint64_t limit_ns;
  struct watched watched[WATCHED_MAX];
  size_t count;
} dog = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local struct vm *own_vm;
static _Thread_local lua_State *(*running_in)(const struct vm *vm);

// ---- in the worker -------------------------------------------------------

static bool is_overdue(struct vm *vm) {
  return atomic_load_explicit(&vm->overdue_serial, memory_order_relaxed) ==
         atomic_load_explicit(&vm->entry_serial, memory_order_relaxed);
}

static void note_strike(lua_State *L, lua_Debug *at) {
  struct vm *vm = vm_of(L);
  char place[PLACE_BYTES];
  lua_getinfo(L, "Sl", at);
  if (!place_find(L, place)) snprintf(place, sizeof place, "%s:%d", at->short_src, at->currentline);
  snprintf(vm->strike.text, sizeof vm->strike.text, "%s: %s", place,
           vm->loading != NULL
               ? "loading ran for longer than handler_time allows"
               : "the handler ran for longer than handler_time allows without waiting");
  vm->strike.is_pending = true;
}

static void strike(lua_State *L, lua_Debug *at);

// The hook of a coroutine that has been struck by an error. Such a coroutine, if that error ends
// it, runs no hooks any more: see watchdog_can_close.
static void strike_again(lua_State *L, lua_Debug *at) { strike(L, at); }

static void strike(lua_State *L, lua_Debug *at) {
  if (!is_overdue(vm_of(L))) {  // a coroutine of the script that outlived the entry
    watchdog_guard_coroutine(L);
    return;
  }
  note_strike(L, at);
  bool can_yield = lua_isyieldable(L);
  // Stays set until the task ends, so that the script cannot go on where it is caught.
  lua_sethook(L, can_yield ? strike : strike_again, LUA_MASKCOUNT, 1);
  if (can_yield)
    lua_yield(L, 0);
  else
    vm_raise_unseen(L);
}

// A thread that is asked what it does: see watchdog_ask.
enum { ANSWER_MS = 200 };

static struct {
  pthread_mutex_t lock;  // of those who ask
  _Atomic(struct vm *) vm;
  watchdog_describe *describe;
  char text[256];
  atomic_bool is_answered;
} question = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void answer(struct vm *vm) {
  struct vm *asked = vm;
  if (!atomic_compare_exchange_strong(&question.vm, &asked, NULL)) return;
  question.describe(vm, question.text, sizeof question.text);
  question.is_answered = true;
}

static void on_signal(int number) {
  (void)number;
  if (own_vm != NULL) answer(own_vm);
  if (own_vm == NULL || !is_overdue(own_vm)) return;
  lua_State *co = running_in(own_vm);
  // Not again in one that an error is just ending: watchdog_can_close must see that.
  if (co != NULL && lua_gethook(co) != strike_again) lua_sethook(co, strike, LUA_MASKCOUNT, 1);
}

unsigned long watchdog_enter(struct vm *vm, lua_State *co) {
  unsigned long serial = atomic_load_explicit(&vm->entry_serial, memory_order_relaxed);
  // A nested run (gate.spawn in a handler) is part of the outer entry.
  if ((serial & 1) == 0) atomic_store_explicit(&vm->entry_serial, serial + 1, memory_order_relaxed);
  if (POLLS) lua_sethook(co, strike, LUA_MASKCOUNT, COROUTINE_CHECK);
  return serial;
}

void watchdog_leave(struct vm *vm, unsigned long serial, lua_State *co) {
  if ((serial & 1) == 0) atomic_store_explicit(&vm->entry_serial, serial + 2, memory_order_relaxed);
  if (lua_gethook(co) != NULL && watchdog_can_close(co)) lua_sethook(co, NULL, 0, 0);
}

void watchdog_guard_coroutine(lua_State *co) {
  lua_sethook(co, strike, LUA_MASKCOUNT, COROUTINE_CHECK);
}

bool watchdog_pass_on(lua_State *L) {
  struct vm *vm = vm_of(L);
  if (!is_overdue(vm)) return false;
  lua_Debug at;
  if (!vm->strike.is_pending && lua_getstack(L, 0, &at)) note_strike(L, &at);
  lua_sethook(L, strike, LUA_MASKCOUNT, 1);
  return true;
}

bool watchdog_is_over(void *state) {
  lua_State *L = state;
  struct vm *vm = vm_of(L);
  bool runs = (atomic_load_explicit(&vm->entry_serial, memory_order_relaxed) & 1) != 0;
  if (!runs || !is_overdue(vm)) return false;
  if (lua_gethook(L) != strike_again) lua_sethook(L, strike, LUA_MASKCOUNT, 1);
  return true;
}

bool watchdog_can_close(lua_State *co) {
  return lua_status(co) <= LUA_YIELD || lua_gethook(co) != strike_again;
}

// ---- in the watchdog's thread --------------------------------------------

static uint64_t cpu_ns(const struct watched *watched) {
  struct timespec t;
  if (clock_gettime(watched->cpu_clock, &t) != 0) return watched->since_ns;
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// Nothing can end a long call of C. While the first scripts load nobody is
// served yet, so the process can end instead.
static void end_start(const struct vm *vm) {
  char line[512];
  const char *path = vm->loading_path;
  if (path == NULL) path = "the scripts";
  int len =
      snprintf(line, sizeof line,
               "tidegate: %s: loading does not end, in a function of C (handler_time)\n", path);
  ssize_t ignored = write(STDERR_FILENO, line, len < (int)sizeof line ? (size_t)len : sizeof line);
  (void)ignored;
  _exit(EXIT_FAILURE);
}

// Lua may have missed the hook, so again and again. To set it takes longer the deeper the calls
// are, tens of milliseconds for a recursion without an end, so Lua needs more and more time in
// between.
static void strike_thread(struct watched *watched, unsigned long serial, uint64_t busy_ns) {
  watched->next_ns = busy_ns + busy_ns / AGAIN_PART;
  atomic_store_explicit(&watched->vm->overdue_serial, serial, memory_order_relaxed);
  pthread_kill(watched->thread, SIGURG);
}

static void look_at(struct watched *watched) {
  unsigned long serial = atomic_load_explicit(&watched->vm->entry_serial, memory_order_relaxed);
  if (serial != watched->serial || (serial & 1) == 0) {
    watched->serial = serial;
    watched->since_ns = (serial & 1) != 0 ? cpu_ns(watched) : 0;
    watched->next_ns = dog.limit_ns;
    return;
  }
  uint64_t busy_ns = cpu_ns(watched) - watched->since_ns;
  if (busy_ns >= WATCHDOG_START_LIMITS * dog.limit_ns && watched->vm->loads_first)
    end_start(watched->vm);
  if (busy_ns >= watched->next_ns) strike_thread(watched, serial, busy_ns);
}

static void *run(void *arg) {
  (void)arg;
  uint64_t tick_ns = dog.limit_ns / 8;
  if (tick_ns < 2000000) tick_ns = 2000000;
  if (tick_ns > 100000000) tick_ns = 100000000;
  pthread_mutex_lock(&dog.lock);
  while (dog.runs) {
    for (size_t i = 0; i < dog.count; i++) look_at(&dog.watched[i]);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + tick_ns;
    until.tv_sec += (time_t)(ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);
    pthread_cond_timedwait(&dog.wake, &dog.lock, &until);
  }
  pthread_mutex_unlock(&dog.lock);
  return NULL;
}

bool watchdog_start(uint64_t handler_time_ms) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGURG, &action, NULL);
  dog.limit_ns = handler_time_ms * 1000000u;
  dog.runs = true;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  errno = pthread_create(&dog.thread, NULL, run, NULL);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return errno == 0;
}

void watchdog_add(struct vm *vm, lua_State *(*running)(const struct vm *vm)) {
  running_in = running;
  own_vm = vm;
  pthread_mutex_lock(&dog.lock);
  if (dog.count < WATCHED_MAX) {  // as many as config allows workers
    struct watched *watched = &dog.watched[dog.count++];
    *watched = (struct watched){.vm = vm, .thread = pthread_self()};
    pthread_getcpuclockid(pthread_self(), &watched->cpu_clock);
  }
  pthread_mutex_unlock(&dog.lock);
}

void watchdog_remove(struct vm *vm) {
  if (own_vm == vm) own_vm = NULL;
  pthread_mutex_lock(&dog.lock);
  for (size_t i = 0; i < dog.count; i++) {
    if (dog.watched[i].vm != vm) continue;
    dog.watched[i] = dog.watched[--dog.count];
    break;
  }
  pthread_mutex_unlock(&dog.lock);
}

static void signal_thread_of(const struct vm *vm) {
  pthread_mutex_lock(&dog.lock);
  for (size_t i = 0; i < dog.count; i++) {
    if (dog.watched[i].vm == vm) pthread_kill(dog.watched[i].thread, SIGURG);
  }
  pthread_mutex_unlock(&dog.lock);
}

void watchdog_ask(struct vm *vm, watchdog_describe *describe, char *out, size_t size) {
  pthread_mutex_lock(&question.lock);
  question.describe = describe;
  question.text[0] = '\0';
  question.is_answered = false;
  question.vm = vm;
  signal_thread_of(vm);
  for (int i = 0; i < ANSWER_MS && !question.is_answered; i++) usleep(1000);
  // Taken back; or it is being answered, which does not take long.
  bool is_late = !question.is_answered && atomic_exchange(&question.vm, NULL) != NULL;
  while (!is_late && !question.is_answered) usleep(1000);
  snprintf(out, size, "%s", is_late ? "" : question.text);
  pthread_mutex_unlock(&question.lock);
}

void watchdog_stop(void) {
  pthread_mutex_lock(&dog.lock);
  dog.runs = false;
  pthread_cond_signal(&dog.wake);
  pthread_mutex_unlock(&dog.lock);
  pthread_join(dog.thread, NULL);
}
