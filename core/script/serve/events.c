// The events of sessions: see events.h.
#include "script/serve/events.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/session.h"
#include "net/sse.h"
#include "net/worker.h"
#include "net/ws.h"
#include "proto/ws_close_code.h"
#include "script/reload/generation.h"
#include "script/serve/message_info.h"
#include "script/serve/queue.h"
#include "script/serve/session.h"
#include "script/serve/wait.h"
#include "script/vm/task.h"

static void serve_queued(struct vm *vm, struct script_session *session);

static struct vm *vm_of_net(const struct session *net) { return worker_app(session_worker(net)); }

// ---- life ----------------------------------------------------------------

// Afterwards only scripts hold the object.
static void end(struct vm *vm, struct script_session *session) {
  queue_free(session);
  if (session->task != NULL) session->task->owner = NULL;
  if (session->net != NULL) session_set_app(session->net, NULL);
  session->task = NULL;
  session->net = NULL;
  session->is_over = true;
  vm_unref(vm, session->ref);
}

static void end_session(struct script_session *session, int code, const char *reason) {
  if (session->net == NULL) return;
  session->is_ending = true;
  if (session->is_ws)
    ws_close(session->net, code, slice_str(reason));
  else
    sse_finish(session->net);
}

// A stream whose task joined topics and returned lives on from the topics.
static bool is_fed_by_hub(const struct script_session *session) {
  return !session->is_ws && session->net != NULL && session->net->reader.sub_count > 0;
}

static void on_task_ended(struct vm *vm, struct task *task, void *owner, bool ok,
                          const char *error) {
  struct script_session *session = owner;
  (void)error;
  if (session->task == task) session->task = NULL;
  if (!ok)
    end_session(session, WS_CLOSE_ERROR, "internal error");
  else if (session->runs_task && !is_fed_by_hub(session))
    end_session(session, WS_CLOSE_NORMAL, "");
  serve_queued(vm, session);
}

static void describe(void *owner, char *out, size_t size) {
  struct script_session *session = owner;
  snprintf(out, size, "route=%s conn=%llu", session->route->key, (unsigned long long)session->id);
}

// One task at a time, but of many sessions that are over there may be many.
static enum work work_of(const void *owner) {
  const struct script_session *session = owner;
  return session->net != NULL ? WORK_AWAITED : WORK_STARTED;
}

static const struct task_owner owner_ops = {
    .ended = on_task_ended, .describe = describe, .work = work_of, .is_userdata = true};

void events_start(struct vm *vm, struct script_session *session, struct session *net) {
  session->net = net;
  session->id = session_id(net);
  session->is_over = false;
  session->task = vm->running;
  session->runs_task = session->route->task_ref != LUA_NOREF;
  session->task->owner_ops = &owner_ops;
  session->task->owner = session;
  session_set_app(net, session);
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

struct call {
  int handler_ref, session_ref;
  const struct event *event;  // NULL: the handler gets the session only
};

static int push_call(struct task *task, void *arg) {
  const struct call *call = arg;
  const struct event *event = call->event;
  lua_State *co = task->co;
  lua_rawgeti(co, LUA_REGISTRYINDEX, call->handler_ref);
  lua_rawgeti(co, LUA_REGISTRYINDEX, call->session_ref);
  if (event == NULL || event->type == EVENT_DRAIN) return 1;
  if (event->type == EVENT_CLOSE) lua_pushinteger(co, (lua_Integer)event->number);
  if (!vm_push_text(task->vm, co, event->text)) return -1;
  if (event->type == EVENT_MESSAGE) message_info_push_kind(co, event->kind);
  if (event->type == EVENT_GAP) lua_pushinteger(co, (lua_Integer)event->number);
  return 3;
}

static void run_handler(struct vm *vm, struct script_session *session, int ref,
                        const struct event *event) {
  if (ref == LUA_NOREF) return;
  struct task *task = task_new(vm, &owner_ops, session);
  if (task == NULL) {
    end_session(session, WS_CLOSE_ERROR, "internal error");
    return;
  }
  session->task = task;
  struct call call = {ref, session->ref, event};
  task_resume_quickly(task, push_call, &call);
}

// What waited for this turn: a task in recv, or events.
void events_take_turn(struct wheel_timer *turn) {
  const struct queue *queue = list_entry(turn, struct queue, turn);
  struct script_session *session = queue->session;
  struct vm *vm = queue->vm;
  // Held while the task runs: its end must not free the session yet.
  bool was_serving = session->is_serving;
  session->is_serving = true;
  wait_take_turn(session);
  session->is_serving = was_serving;
  serve_queued(vm, session);
}

// Gives waiting events to handlers, one at a time, until one of them waits, or others are to
// have their turns.
static void serve_queued(struct vm *vm, struct script_session *session) {
  if (session->is_serving || queue_waits_for_turn(session)) return;
  session->is_serving = true;
  const struct event *first;
  while (session->task == NULL && (first = queue_first(session)) != NULL) {
    if (queue_is_share_over(vm)) {
      queue_put_off(vm, session, events_take_turn);
      break;
    }
    const struct route *route = session->route;
    if (route->task_ref != LUA_NOREF && first->type == EVENT_MESSAGE) {
      // After a reload that turned callbacks into a task: it takes the
      // message with recv.
      session->runs_task = true;
      if (session->net == NULL || session->is_ending)
        free(queue_take(session));
      else
        run_handler(vm, session, route->task_ref, NULL);
      continue;
    }
    struct queued_event *queued = queue_take(session);
    session->runs_task = false;
    run_handler(vm, session, handler_ref(route, queued->event.type), &queued->event);
    free(queued);
  }
  session->is_serving = false;
  queue_tidy(session);
  if (session->is_closed && session->task == NULL && session->queue == NULL) end(vm, session);
}

static void deliver(struct vm *vm, struct script_session *session, const struct event *event) {
  bool is_idle = session->task == NULL && queue_first(session) == NULL && !session->is_serving;
  if (!is_idle || session->route->task_ref != LUA_NOREF) {
    queue_add(vm, session, event);
    serve_queued(vm, session);
    return;
  }
  session->is_serving = true;
  session->runs_task = false;
  run_handler(vm, session, handler_ref(session->route, event->type), event);
  session->is_serving = false;
  serve_queued(vm, session);
}

// ---- events from the server ----------------------------------------------

void events_on_message(struct session *net, enum message_kind kind, struct slice data) {
  struct script_session *session = session_app(net);
  if (session == NULL || session->is_ending) return;
  struct event event = {EVENT_MESSAGE, kind, 0, data};
  if (!wait_wake_receiver(session, kind, data)) deliver(vm_of_net(net), session, &event);
}

void events_on_gap(struct session *net, struct slice topic, uint64_t missed) {
  struct script_session *session = session_app(net);
  if (session == NULL || session->route->gap_ref == LUA_NOREF) return;
  struct event event = {EVENT_GAP, MESSAGE_TEXT, missed, topic};
  deliver(vm_of_net(net), session, &event);
}

void events_on_drained(struct session *net) {
  struct script_session *session = session_app(net);
  if (session == NULL) return;
  // Aside first: the drain callback may be the end of the session.
  struct list waiting;
  list_init(&waiting);
  if (session->queue != NULL) list_splice(&waiting, &session->queue->drainers);
  bool was_full = session->was_full;
  session->was_full = false;
  struct event event = {.type = EVENT_DRAIN};
  if (was_full && session_is_live(net) && session->route->drain_ref != LUA_NOREF)
    deliver(vm_of_net(net), session, &event);
  wait_wake_drainers(&waiting, net);
}

void events_on_full(struct script_session *session) {
  if (!session->route->closes_when_full) {
    session->was_full = true;
    return;
  }
  session->is_ending = true;
  if (session->is_ws)
    ws_close(session->net, WS_CLOSE_TRY_AGAIN, slice_str("too slow"));
  else
    sse_close(session->net);  // tells at once; the peer may take long to be rid of
}

void events_on_closed(struct session *net, int code, struct slice reason) {
  struct script_session *session = session_app(net);
  if (session == NULL) return;
  session_set_app(net, NULL);
  session->net = NULL;
  // Hold the session while the woken tasks run: their end must not free it yet.
  bool was_serving = session->is_serving;
  session->is_serving = true;
  wait_wake_closed(session);
  session->is_serving = was_serving;
  session->is_closed = true;
  struct event event = {EVENT_CLOSE, MESSAGE_TEXT, (uint64_t)code, reason};
  if (session->route->close_ref != LUA_NOREF) queue_add(vm_of_net(net), session, &event);
  serve_queued(vm_of_net(net), session);
}

// ---- reload and the end of the VM ----------------------------------------

struct move {
  const struct generation *before;
  const struct route **targets;  // by place of the old route; NULL: it is gone
};

static void move_session(struct vm *vm, struct script_session *session, void *arg) {
  const struct move *move = arg;
  ptrdiff_t place = routes_index(&move->before->routes, session->route);
  if (place < 0) return;  // it is being closed since its route vanished earlier
  const struct route *target = move->targets[place];
  if (target == NULL) end_session(session, WS_CLOSE_RESTART, "the route is gone");
  session->route = target != NULL ? target : vm_state(vm, &events_module);
}

static void move_all(struct vm *vm, struct generation *before, struct generation *next) {
  if (before == NULL) return;
  // Old routes are few, sessions may be many: look each route up once.
  const struct routes *old = &before->routes;
  struct move move = {before, mem_zalloc((old->count + 1) * sizeof *move.targets)};
  for (size_t i = 0; i < old->count; i++)
    move.targets[i] = routes_find(&next->routes, old->all[i].key);
  script_session_each(vm, move_session, &move);
  free(move.targets);
}

static void end_each(struct vm *vm, struct script_session *session, void *arg) {
  (void)arg;
  end(vm, session);
}

static void stop(struct vm *vm) { script_session_each(vm, end_each, NULL); }

// The state in each VM is the route of sessions whose own vanished in a reload.
static void open_module(lua_State *L) { route_init(L, vm_state(vm_of(L), &events_module)); }

struct script_module events_module = {.name = "events",
                                      .open = open_module,
                                      .switch_to = move_all,
                                      .stop = stop,
                                      .vm_state_bytes = sizeof(struct route)};
