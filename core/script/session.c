// Sessions as scripts see them: see session.h.
#include "script/session.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/conn.h"
#include "net/sse_conn.h"
#include "net/ws_conn.h"
#include "script/bind.h"
#include "script/exchange.h"
#include "script/session_wait.h"
#include "script/task.h"

enum {
  QUEUE_BYTES = 65536,  // of waiting messages; beyond, the socket is not read
  EVENT_OVERHEAD = 64,  // counted per message, so that empty ones are bounded too
  CODE_NORMAL = 1000,
  CODE_RESTART = 1012,
  CODE_ERROR = 1011,
  CODE_TRY_AGAIN = 1013,
};

enum event_type { EVENT_MESSAGE, EVENT_GAP, EVENT_DRAIN, EVENT_CLOSE };

struct event {
  enum event_type type;
  enum message_kind kind;  // of a message
  uint64_t number;         // missed messages, or the close code
  struct slice text;       // payload, topic or reason
};

struct queued_event {
  struct queued_event *next;
  struct event event;
  char bytes[];
};

// The route of a session whose route vanished in a reload.
static const struct route no_route = {.key = "(none)",
                                      .task_ref = LUA_NOREF,
                                      .message_ref = LUA_NOREF,
                                      .close_ref = LUA_NOREF,
                                      .gap_ref = LUA_NOREF,
                                      .drain_ref = LUA_NOREF};

static void pump(struct session *session);

// ---- the queue -----------------------------------------------------------

static void enqueue(struct session *session, const struct event *event) {
  struct queued_event *queued = mem_alloc(sizeof *queued + event->text.len);
  queued->next = NULL;
  queued->event = *event;
  if (event->text.len > 0) memcpy(queued->bytes, event->text.ptr, event->text.len);
  queued->event.text.ptr = queued->bytes;
  *session->last = queued;
  session->last = &queued->next;
  session->queued_bytes += event->text.len + EVENT_OVERHEAD;
  if (session->queued_bytes > QUEUE_BYTES && session->conn != NULL)
    conn_set_reading(session->conn, false);
}

// Takes out the event that *place points at; NULL when that is the end.
static struct queued_event *unlink_event(struct session *session, struct queued_event **place) {
  struct queued_event *queued = *place;
  if (queued == NULL) return NULL;
  *place = queued->next;
  if (session->last == &queued->next) session->last = place;
  session->queued_bytes -= queued->event.text.len + EVENT_OVERHEAD;
  if (session->queued_bytes <= QUEUE_BYTES / 2 && session->conn != NULL) {
    conn_set_reading(session->conn, true);
  }
  return queued;
}

static struct queued_event *dequeue(struct session *session) {
  return unlink_event(session, &session->first);
}

static void drop_queue(struct session *session) {
  struct queued_event *queued;
  while ((queued = dequeue(session)) != NULL) free(queued);
}

// ---- life ----------------------------------------------------------------

static void session_free(struct session *session) {
  drop_queue(session);
  list_remove(&session->link);
  if (session->task != NULL) session->task->owner = NULL;
  if (session->conn != NULL) conn_set_app(session->conn, NULL);
  lua_State *L = session->vm->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, session->box_ref);
  struct session_box *box = lua_touserdata(L, -1);
  if (box != NULL) box->session = NULL;
  lua_pop(L, 1);
  vm_unref(session->vm, session->box_ref);
  free(session);
}

void session_free_all(struct vm *vm) {
  while (!list_is_empty(&vm->sessions))
    session_free(list_entry(vm->sessions.next, struct session, link));
}

static void end_connection(struct session *session, int code, const char *reason) {
  if (session->conn == NULL) return;
  session->is_ending = true;
  if (session->is_ws)
    ws_close(session->conn, code, slice_str(reason));
  else
    conn_finish(session->conn);
}

// A stream whose task joined topics and returned lives on from the topics.
static bool is_fed_by_hub(const struct session *session) {
  return !session->is_ws && session->conn != NULL && session->conn->reader.sub_count > 0;
}

static void on_task_ended(struct task *task, void *owner, bool ok, const char *error) {
  struct session *session = owner;
  (void)error;
  if (session->task == task) session->task = NULL;
  if (!ok)
    end_connection(session, CODE_ERROR, "internal error");
  else if (session->runs_task && !is_fed_by_hub(session))
    end_connection(session, CODE_NORMAL, "");
  pump(session);
}

static void describe(void *owner, char *out, size_t size) {
  struct session *session = owner;
  snprintf(out, size, "route=%s conn=%llu", session->route->key, (unsigned long long)session->id);
}

static const struct task_owner session_owner = {on_task_ended, describe, false};

int session_push_box(lua_State *L, const struct route *route, int context) {
  context = lua_absindex(L, context);
  struct session_box *box = lua_newuserdatauv(L, sizeof *box, 1);
  box->session = NULL;
  vm_set_type(L, route->is_ws ? VM_WS : VM_STREAM);
  lua_pushvalue(L, context);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  return vm_ref(L);
}

void session_start(lua_State *L, struct conn *conn, const struct route *route, int box_ref) {
  struct vm *vm = vm_of(L);
  struct session_box *box = lua_touserdata(L, -1);
  struct session *session = mem_zalloc(sizeof *session);
  session->vm = vm;
  session->conn = conn;
  session->route = route;
  session->id = conn_id(conn);
  session->is_ws = route->is_ws;
  session->box_ref = box_ref;
  session->last = &session->first;
  list_init(&session->drainers);
  list_append(&vm->sessions, &session->link);
  box->session = session;
  conn_set_app(conn, session);
  session->task = vm->running;
  session->runs_task = route->task_ref != LUA_NOREF;
  session->task->owner_ops = &session_owner;
  session->task->owner = session;
}

struct session_box *session_test(lua_State *L, int arg) {
  struct session_box *box = vm_test_type(L, arg, VM_WS);
  return box != NULL ? box : vm_test_type(L, arg, VM_STREAM);
}

struct session_box *session_check(lua_State *L, int arg) {
  struct session_box *box = session_test(L, arg);
  if (box == NULL) luaL_typeerror(L, arg, "ws or stream");
  return box;
}

struct conn *session_check_conn(lua_State *L, int arg) {
  struct session_box *box = session_check(L, arg);
  return box->session != NULL ? box->session->conn : NULL;
}

// ---- running handlers ----------------------------------------------------

static int handler_ref(const struct route *route, enum event_type type) {
  switch (type) {
    case EVENT_MESSAGE:
      return route->message_ref;
    case EVENT_GAP:
      return route->gap_ref;
    case EVENT_DRAIN:
      return route->drain_ref;
    case EVENT_CLOSE:
      return route->close_ref;
  }
  return LUA_NOREF;
}

// Pushes what the handler gets after the connection; returns how many.
static int push_arguments(lua_State *L, const struct event *event) {
  if (event == NULL) return 0;
  switch (event->type) {
    case EVENT_MESSAGE:
      lua_pushlstring(L, event->text.ptr, event->text.len);
      bind_push_kind(L, event->kind);
      return 2;
    case EVENT_GAP:
      lua_pushlstring(L, event->text.ptr, event->text.len);
      lua_pushinteger(L, (lua_Integer)event->number);
      return 2;
    case EVENT_DRAIN:
      return 0;
    case EVENT_CLOSE:
      lua_pushinteger(L, (lua_Integer)event->number);
      lua_pushlstring(L, event->text.ptr, event->text.len);
      return 2;
  }
  return 0;
}

struct call {
  struct session *session;
  const struct event *event;  // NULL: none
  int ref;
};

static int push_call(lua_State *L, void *arg) {
  const struct call *call = arg;
  lua_rawgeti(L, LUA_REGISTRYINDEX, call->ref);
  lua_rawgeti(L, LUA_REGISTRYINDEX, call->session->box_ref);
  return 1 + push_arguments(L, call->event);
}

static void run_handler(struct session *session, int ref, const struct event *event) {
  if (ref == LUA_NOREF) return;
  struct call call = {session, event, ref};
  session->task = task_new(session->vm, &session_owner, session);
  if (session->task != NULL)
    task_start(session->task, push_call, &call);
  else
    end_connection(session, CODE_ERROR, "internal error");
}

// Gives waiting events to handlers, one at a time, until one of them waits.
static void pump(struct session *session) {
  if (session->is_pumping) return;
  session->is_pumping = true;
  while (session->task == NULL && session->first != NULL) {
    const struct route *route = session->route;
    if (route->task_ref != LUA_NOREF && session->first->event.type == EVENT_MESSAGE) {
      // After a reload that turned callbacks into a task: it takes the
      // message with recv.
      session->runs_task = true;
      if (session->conn == NULL || session->is_ending)
        free(dequeue(session));
      else
        run_handler(session, route->task_ref, NULL);
      continue;
    }
    struct queued_event *queued = dequeue(session);
    session->runs_task = false;
    run_handler(session, handler_ref(route, queued->event.type), &queued->event);
    free(queued);
  }
  session->is_pumping = false;
  if (session->is_closed && session->task == NULL && session->first == NULL) session_free(session);
}

static void deliver(struct session *session, const struct event *event) {
  bool is_idle = session->task == NULL && session->first == NULL && !session->is_pumping;
  if (!is_idle || session->route->task_ref != LUA_NOREF) {
    enqueue(session, event);
    pump(session);
    return;
  }
  session->is_pumping = true;
  session->runs_task = false;
  run_handler(session, handler_ref(session->route, event->type), event);
  session->is_pumping = false;
  pump(session);
}

// ---- events from the server ----------------------------------------------

void session_on_message(struct conn *conn, enum message_kind kind, struct slice data) {
  struct session *session = conn_app(conn);
  if (session == NULL || session->is_ending) return;
  struct event event = {EVENT_MESSAGE, kind, 0, data};
  if (!session_wake_receiver(session, kind, data)) deliver(session, &event);
}

void session_on_gap(struct conn *conn, struct slice topic, uint64_t missed) {
  struct session *session = conn_app(conn);
  if (session == NULL || session->route->gap_ref == LUA_NOREF) return;
  struct event event = {EVENT_GAP, MESSAGE_TEXT, missed, topic};
  deliver(session, &event);
}

void session_on_drained(struct conn *conn) {
  struct session *session = conn_app(conn);
  if (session == NULL) return;
  // Aside first: the drain callback may be the end of the session.
  struct list waiting;
  list_init(&waiting);
  list_splice(&waiting, &session->drainers);
  bool was_full = session->was_full;
  session->was_full = false;
  struct event event = {.type = EVENT_DRAIN};
  if (was_full && session->route->drain_ref != LUA_NOREF) deliver(session, &event);
  session_wake_drained(&waiting);
}

void session_on_full(struct session *session) {
  if (!session->route->closes_when_full) {
    session->was_full = true;
    return;
  }
  session->is_ending = true;
  if (session->is_ws)
    ws_close(session->conn, CODE_TRY_AGAIN, slice_str("too slow"));
  else
    sse_close(session->conn);  // tells at once; the peer may take long to be rid of
}

void session_on_closed(struct conn *conn, int code, struct slice reason) {
  struct session *session = conn_app(conn);
  if (session == NULL) return;
  conn_set_app(conn, NULL);
  session->conn = NULL;
  // Hold the session while the woken tasks run: their end must not free it yet.
  bool was_pumping = session->is_pumping;
  session->is_pumping = true;
  session_wake_closed(session);
  session->is_pumping = was_pumping;
  session->is_closed = true;
  struct event event = {EVENT_CLOSE, MESSAGE_TEXT, (uint64_t)code, reason};
  if (session->route->close_ref != LUA_NOREF) enqueue(session, &event);
  pump(session);
}

void session_set_route(struct session *session, const struct route *route) {
  if (route == NULL) {
    end_connection(session, CODE_RESTART, "the route is gone");
    route = &no_route;
  }
  session->route = route;
}

bool session_take_message(lua_State *L, struct session *session) {
  // Gaps and drains are for callbacks; a recv passes over them.
  struct queued_event **place = &session->first;
  while (*place != NULL && (*place)->event.type != EVENT_MESSAGE) place = &(*place)->next;
  struct queued_event *queued = unlink_event(session, place);
  if (queued == NULL) return false;
  lua_pushlstring(L, queued->event.text.ptr, queued->event.text.len);
  bind_push_kind(L, queued->event.kind);
  free(queued);
  return true;
}
