// The way of a request: see dispatch.h.
#include "script/serve/dispatch.h"

#include <lauxlib.h>
#include <stdio.h>

#include "net/app.h"
#include "net/worker.h"
#include "script/reload/generation.h"
#include "script/serve/exchange.h"
#include "script/serve/request.h"
#include "script/vm/task.h"

// ---- the end of the task -------------------------------------------------

static void fail(struct exchange *exchange, const char *error) {
  struct http_call *call = exchange->call;
  if (http_is_started(call)) {
    http_respond_abort(call);
    return;
  }
  bool shows = exchange->vm->worker->config->dev && error != NULL;
  struct slice text = slice_str(shows ? error : "internal server error\n");
  exchange_drop_fields(exchange);
  exchange_set_header(exchange, slice_str("Content-Type"), slice_str("text/plain; charset=utf-8"),
                      true);
  http_respond(call, 500, exchange->fields, exchange->field_count, text);
}

static void on_task_ended(struct vm *vm, struct task *task, void *owner, bool ok,
                          const char *error) {
  (void)vm;
  struct exchange *exchange = owner;
  if (exchange->task != task) return;
  // http_respond tells that the request is over, which must not free it yet.
  if (exchange->call != NULL) {
    if (!ok)
      fail(exchange, error);
    else if (!http_is_started(exchange->call))
      fail(exchange, "the handler gave no response\n");
    else
      http_respond_end(exchange->call);
  }
  exchange->task = NULL;
  exchange_free_when_done(exchange);
}

static void describe(void *owner, char *out, size_t size) {
  struct exchange *exchange = owner;
  snprintf(out, size, "route=%s conn=%llu", exchange->route[0] != '\0' ? exchange->route : "(none)",
           exchange->conn_id);
}

// A client may have many requests answered whose tasks still wait.
static enum work work_of(const void *owner) {
  const struct exchange *exchange = owner;
  return exchange->call != NULL ? WORK_AWAITED : WORK_STARTED;
}

static const struct task_owner exchange_owner = {
    .ended = on_task_ended, .describe = describe, .work = work_of};

// ---- events --------------------------------------------------------------

static int push_request(lua_State *L, void *arg) {
  struct exchange *exchange = arg;
  lua_rawgeti(L, LUA_REGISTRYINDEX, exchange->vm->live->dispatch_ref);
  exchange_push(L, exchange);
  // What the router wants of every request, without a look-up for each.
  const struct http_request *request = exchange->call->request;
  vm_push_slice(L, request->method_name);
  vm_push_slice(L, request->path);
  lua_pushboolean(L, request->upgrades_websocket);
  return 5;
}

void dispatch_on_request(struct http_call *call) {
  struct exchange *exchange = exchange_new(worker_app(call->worker), call);
  call->app = exchange;
  exchange->task = task_new(exchange->vm, &exchange_owner, exchange);
  if (exchange->task != NULL)
    task_start(exchange->task, push_request, exchange);
  else
    fail(exchange, NULL);  // and free it: the request is over
}

static int push_body(lua_State *L, void *call) {
  vm_push_slice(L, http_body(call));
  return 1;
}

void dispatch_on_body(struct http_call *call) {
  struct exchange *exchange = call->app;
  task_wake_all(&exchange->body_waiters, push_body, call);
}

void dispatch_on_drained(struct http_call *call) {
  struct exchange *exchange = call->app;
  task_wake_all(&exchange->drainers, task_push_true, NULL);
}

// The task may look at the request after the answer (a log line of a
// middleware): what it is likely to want is read out before the head goes.
static int remember_request(lua_State *L) {
  struct exchange *exchange = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, exchange->req_ref);
  lua_replace(L, 1);
  request_remember(L, exchange);
  return 0;
}

void dispatch_on_closed(struct http_call *call) {
  struct exchange *exchange = call->app;
  if (exchange == NULL) return;
  if (exchange->task != NULL && exchange->req_ref != LUA_NOREF && !exchange->is_answered)
    vm_enter(exchange->vm, remember_request, exchange, "request");
  exchange->call = NULL;
  exchange->is_held = true;  // a waiter that ends must not free it yet
  task_wake_all(&exchange->body_waiters, task_push_failure, "closed");
  task_wake_all(&exchange->drainers, task_push_failure, "closed");
  exchange->is_held = false;
  exchange_free_when_done(exchange);
}
