// Tasks that wait for a session: see wait.h.
#include "script/serve/wait.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "net/session.h"
#include "net/worker.h"
#include "script/serve/message_info.h"
#include "script/serve/queue.h"
#include "script/serve/session.h"
#include "script/vm/task.h"
#include "script/vm/vm.h"

// ---- waking --------------------------------------------------------------

struct received {
  enum message_kind kind;
  struct slice data;
};

static int push_received(struct task *task, void *arg) {
  const struct received *received = arg;
  if (!vm_push_text(task->vm, task->co, received->data)) return -1;
  message_info_push_kind(task->co, received->kind);
  return 2;
}

bool wait_wake_receiver(struct script_session *session, enum message_kind kind, struct slice data) {
  struct task *task = queue_receiver(session);
  if (task == NULL || queue_first_message(session) != NULL) return false;
  session->queue->receiver = NULL;
  struct received received = {kind, data};
  task_resume_quickly(task, push_received, &received);
  return true;
}

void wait_take_turn(struct script_session *session) {
  struct task *task = queue_receiver(session);
  struct queued_event *queued = task != NULL ? queue_take_message(session) : NULL;
  if (queued == NULL) return;
  session->queue->receiver = NULL;
  struct received received = {queued->event.kind, queued->event.text};
  task_resume_quickly(task, push_received, &received);
  free(queued);
}

void wait_wake_drainers(struct list *waiting, const struct session *net) {
  struct list *node;
  while ((node = list_pop(waiting)) != NULL) {
    // One that is woken may end the session for the next.
    bool is_live = net != NULL && session_is_live(net);
    struct task *task = list_entry(node, struct task, wait_link);
    task_wake(task, is_live ? task_push_true : task_push_failure, "closed");
  }
}

void wait_wake_closed(struct script_session *session) {
  struct task *receiver = queue_receiver(session);
  if (receiver != NULL && queue_first_message(session) == NULL) {
    session->queue->receiver = NULL;
    task_wake(receiver, task_push_failure, "closed");
  }
  if (session->queue != NULL) wait_wake_drainers(&session->queue->drainers, NULL);
}

// ---- waiting -------------------------------------------------------------

static void detach_receiver(struct task *task) {
  struct script_session *session = task->waits_for;
  if (queue_receiver(session) == task) session->queue->receiver = NULL;
}

// Gaps and drains are for callbacks; a recv passes over them.
static bool take_message(lua_State *L, struct script_session *session) {
  const struct event *event = queue_first_message(session);
  if (event == NULL) return false;
  vm_push_slice(L, event->text);  // may raise: it is taken out only then
  message_info_push_kind(L, event->kind);
  free(queue_take_message(session));
  return true;
}

// Whether the task is to wait though there is a message: not where it cannot.
static bool is_put_off(lua_State *L) {
  struct vm *vm = vm_of(L);
  if (vm->running == NULL || vm->running->co != L || !lua_isyieldable(L)) return false;
  turn_clock_read(&vm->worker->clock);  // the task may have received for long
  return queue_is_share_over(vm);
}

// A message that waits for its turn comes with that, though the time is over: a session whose
// handler polls would have two shares of each turn otherwise.
static void on_receive_timeout(struct task *task) {
  if (queue_first_message(task->waits_for) == NULL) task_wake_timeout(task);
}

int wait_message(lua_State *L, struct script_session *session, double seconds,
                 void (*take_turn)(struct wheel_timer *turn)) {
  bool has_message = queue_first_message(session) != NULL && queue_receiver(session) == NULL;
  bool waits_turn = has_message && is_put_off(L);
  if (!waits_turn && take_message(L, session)) return 2;
  if (!waits_turn && script_session_net(session) == NULL) return vm_fail(L, "closed", "closed");
  struct task *task = task_current(L);
  if (queue_receiver(session) != NULL) return luaL_error(L, "another task waits in recv already");
  if (waits_turn) queue_put_off(task->vm, session, take_turn);
  queue_of(session)->receiver = task;
  task_set_wait(task, session, detach_receiver);
  if (seconds >= 0) task_set_timeout(task, seconds, on_receive_timeout);
  return task_wait(L, NULL);
}

int wait_drained(lua_State *L, struct script_session *session, double seconds) {
  task_current(L);  // raises also when there is nothing to wait for: misuse shows early
  struct session *net = script_session_net(session);
  if (net == NULL) return vm_fail(L, "closed", "closed");
  if (session_out_bytes(net) == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  return task_wait_in(L, &queue_of(session)->drainers, seconds, NULL);
}
