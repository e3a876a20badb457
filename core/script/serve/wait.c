// Tasks that wait for a session: see wait.h.
#include "script/serve/wait.h"

#include <lauxlib.h>

#include "net/conn.h"
#include "script/bind/bind.h"
#include "script/serve/session.h"
#include "script/serve/queue.h"
#include "script/vm/task.h"
#include "script/vm/vm.h"

double wait_opt_seconds(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) return -1;
  double seconds = luaL_checknumber(L, arg);
  luaL_argcheck(L, seconds >= 0, arg, "must be a number of seconds, not negative");
  return seconds;
}

// ---- waking --------------------------------------------------------------

struct wake {
  struct task *task;
  const char *failure;  // NULL: true
};

static int push_outcome(lua_State *L, const struct wake *wake) {
  if (wake->failure != NULL) return vm_fail(L, wake->failure, wake->failure);
  lua_pushboolean(L, 1);
  return 1;
}

static int resume_waiting(lua_State *L) {
  struct wake *wake = lua_touserdata(L, 1);
  int count = push_outcome(L, wake);
  lua_xmove(L, wake->task->co, count);
  task_resume(wake->task, count);
  return 0;
}

static void wake_task(struct task *task, const char *failure) {
  struct wake wake = {task, failure};
  task_wake(task, resume_waiting, &wake);
}

bool wake_receiver(struct script_session *session, enum message_kind kind, struct slice data) {
  struct task *task = waits_receiver(session);
  if (task == NULL) return false;
  session->waits->receiver = NULL;
  if (vm_push_text(task->vm, task->co, data)) {
    bind_push_kind(task->co, kind);
    task_resume(task, 2);
  } else {
    task_fail(task, "not enough memory");
  }
  return true;
}

void wake_drainers(struct list *waiting, const struct conn *conn) {
  struct list *node;
  while ((node = list_pop(waiting)) != NULL) {
    // One that is woken may end the session for the next.
    bool is_live = conn != NULL && conn_is_live(conn);
    wake_task(list_entry(node, struct task, wait_link), is_live ? NULL : "closed");
  }
}

void wake_closed(struct script_session *session) {
  struct task *receiver = waits_receiver(session);
  if (receiver != NULL) {
    session->waits->receiver = NULL;
    wake_task(receiver, "closed");
  }
  if (session->waits != NULL) wake_drainers(&session->waits->drainers, NULL);
}

// ---- waiting -------------------------------------------------------------

static void detach_receiver(struct task *task) {
  struct script_session *session = task->waits_for;
  if (waits_receiver(session) == task) session->waits->receiver = NULL;
}

static void detach_drainer(struct task *task) { list_remove(&task->wait_link); }

static void on_timeout(struct task *task) {
  task->detach(task);
  wake_task(task, "timeout");
}

static int wait_for(lua_State *L, struct script_session *session, double seconds,
                    void (*detach)(struct task *task)) {
  struct task *task = task_current(L);
  task_set_wait(task, session, detach);
  if (seconds >= 0) task_set_timeout(task, seconds, on_timeout);
  return task_wait(L, NULL);
}

int wait_message(lua_State *L, struct script_session *session, double seconds) {
  if (script_session_take_message(L, session)) return 2;
  if (script_session_conn(session) == NULL) return vm_fail(L, "closed", "closed");
  struct task *task = task_current(L);
  if (waits_receiver(session) != NULL) return luaL_error(L, "another task waits in recv already");
  waits_of(session)->receiver = task;
  return wait_for(L, session, seconds, detach_receiver);
}

int wait_drained(lua_State *L, struct script_session *session, double seconds) {
  struct task *task =
      task_current(L);  // also when there is nothing to wait for: misuse shows early
  struct conn *conn = script_session_conn(session);
  if (conn == NULL) return vm_fail(L, "closed", "closed");
  if (conn_out_bytes(conn) == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  list_append(&waits_of(session)->drainers, &task->wait_link);
  return wait_for(L, session, seconds, detach_drainer);
}
