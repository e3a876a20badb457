// Exchanges: see exchange.h.
#include "script/serve/exchange.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/conn.h"
#include "net/worker.h"
#include "proto/http_response.h"
#include "script/bind/bind.h"
#include "script/reload/generation.h"
#include "script/vm/task.h"

// ---- headers -------------------------------------------------------------

static void free_field(struct http_field *field) {
  free((char *)field->name.ptr);
  free((char *)field->value.ptr);
}

static struct http_field *find_field(const struct exchange *exchange, struct slice name) {
  for (size_t i = 0; i < exchange->field_count; i++) {
    if (slice_equal_nocase(exchange->fields[i].name, name)) return &exchange->fields[i];
  }
  return NULL;
}

void exchange_check_header(lua_State *L, struct slice name) {
  if (!http_field_is_own(name)) return;
  lua_pushlstring(L, name.ptr, name.len);
  luaL_error(L, "the header %s belongs to the server", lua_tostring(L, -1));
}

bool exchange_has_header(const struct exchange *exchange, const char *name) {
  return find_field(exchange, slice_str(name)) != NULL;
}

bool exchange_set_header(struct exchange *exchange, struct slice name, struct slice value,
                         bool replaces) {
  if (!http_header_name_is_valid(name) || !http_header_value_is_valid(value)) return false;
  // A guard and a handler may each have something that the answer varies by.
  bool adds = !replaces || slice_equal_nocase(name, slice_str("Vary"));
  struct http_field *field = adds ? NULL : find_field(exchange, name);
  if (field != NULL) {
    free_field(field);
  } else {
    exchange->fields = mem_grow(exchange->fields, &exchange->field_cap, exchange->field_count + 1,
                                8, sizeof *exchange->fields);
    field = &exchange->fields[exchange->field_count++];
  }
  field->name = slice_of(mem_strndup(name.ptr, name.len), name.len);
  field->value = slice_of(mem_strndup(value.ptr, value.len), value.len);
  return true;
}

void exchange_complete_headers(struct exchange *exchange, int status) {
  if (status != 401 || exchange_has_header(exchange, "www-authenticate")) return;
  exchange_set_header(exchange, slice_str("WWW-Authenticate"), slice_str("Bearer"), true);
}

// ---- life ----------------------------------------------------------------

static void free_when_done(struct exchange *exchange) {
  if (exchange->http != NULL || exchange->task != NULL || exchange->is_held) return;
  if (exchange->req_ref != LUA_NOREF) {
    exchange->req->exchange = exchange->res->exchange = NULL;
    vm_unref(exchange->vm, exchange->req_ref);
  }
  for (size_t i = 0; i < exchange->field_count; i++) free_field(&exchange->fields[i]);
  free(exchange->fields);
  free(exchange);
}

// What was said of the answer that was to be (its type, cookies, how long to keep
// it) is not for the 500 in its place. Who may read it is: else a browser shows a
// page of another origin a CORS error instead.
static bool outlives_failure(struct slice name) {
  return slice_starts_nocase(name, slice_str("access-control-")) ||
         slice_equal_nocase(name, slice_str("vary"));
}

static void drop_fields(struct exchange *exchange) {
  size_t kept = 0;
  for (size_t i = 0; i < exchange->field_count; i++) {
    if (outlives_failure(exchange->fields[i].name))
      exchange->fields[kept++] = exchange->fields[i];
    else
      free_field(&exchange->fields[i]);
  }
  exchange->field_count = kept;
}

static void fail(struct exchange *exchange, const char *error) {
  struct http_conn *http = exchange->http;
  if (http_is_started(http)) {
    http_respond_abort(http);
    return;
  }
  bool shows = exchange->vm->worker->config->dev && error != NULL;
  struct slice text = slice_str(shows ? error : "internal server error\n");
  drop_fields(exchange);
  exchange_set_header(exchange, slice_str("Content-Type"), slice_str("text/plain; charset=utf-8"),
                      true);
  http_respond(http, 500, exchange->fields, exchange->field_count, text);
}

static void on_task_ended(struct vm *vm, struct task *task, void *owner, bool ok,
                          const char *error) {
  (void)vm;
  struct exchange *exchange = owner;
  if (exchange->task != task) return;
  // http_respond tells that the request is over, which must not free it yet.
  if (exchange->http != NULL) {
    if (!ok)
      fail(exchange, error);
    else if (!http_is_started(exchange->http))
      fail(exchange, "the handler gave no response\n");
    else
      http_respond_end(exchange->http);
  }
  exchange->task = NULL;
  free_when_done(exchange);
}

static void describe(void *owner, char *out, size_t size) {
  struct exchange *exchange = owner;
  snprintf(out, size, "route=%s conn=%llu", exchange->route[0] != '\0' ? exchange->route : "(none)",
           exchange->conn_id);
}

static const struct task_owner exchange_owner = {on_task_ended, describe, false};

void exchange_release_task(struct exchange *exchange) {
  exchange->task = NULL;
  free_when_done(exchange);
}

struct exchange *exchange_check(lua_State *L, int arg, enum vm_type type) {
  struct exchange_box *box = vm_check_type(L, arg, type);
  return box->exchange;
}

// ---- events --------------------------------------------------------------

static struct exchange_box *push_box(lua_State *L, enum vm_type type, int user_values) {
  struct exchange_box *box = lua_newuserdatauv(L, sizeof *box, user_values);
  box->exchange = NULL;
  vm_set_type(L, type);
  return box;
}

static void push_objects(lua_State *L, struct exchange *exchange) {
  struct exchange_box *req = push_box(L, VM_REQ, REQ_USER_VALUES);
  struct exchange_box *res = push_box(L, VM_RES, 0);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -3, REQ_RES);
  lua_pushvalue(L, -2);
  exchange->req_ref = vm_ref(L);
  exchange->req = req;
  exchange->res = res;
  req->exchange = res->exchange = exchange;
}

static int push_request(lua_State *L, void *arg) {
  struct exchange *exchange = arg;
  lua_rawgeti(L, LUA_REGISTRYINDEX, exchange->vm->live->dispatch_ref);
  push_objects(L, exchange);
  // What the router wants of every request, without a look-up for each.
  const struct http_request *request = http_request(exchange->http);
  vm_push_slice(L, request->method_name);
  vm_push_slice(L, request->path);
  lua_pushboolean(L, request->upgrades_websocket);
  return 5;
}

void exchange_on_request(struct http_conn *http) {
  struct vm *vm = worker_app(http_worker(http));
  struct exchange *exchange = mem_zalloc(sizeof *exchange);
  exchange->vm = vm;
  exchange->http = http;
  exchange->req_ref = LUA_NOREF;
  exchange->conn_id = conn_id(http_conn_of(http));
  exchange->number = ++vm->request_count;
  http_set_app(http, exchange);
  exchange->task = task_new(vm, &exchange_owner, exchange);
  if (exchange->task != NULL)
    task_start(exchange->task, push_request, exchange);
  else
    fail(exchange, NULL);  // and free it: the request is over
}

struct wake {
  struct task *task;
  struct exchange *exchange;  // NULL: nil, "closed", "closed"
};

static int resume_with_body(lua_State *L) {
  struct wake *wake = lua_touserdata(L, 1);
  lua_State *co = wake->task->co;
  int count = 1;
  if (wake->exchange != NULL) {
    struct slice body = http_body(wake->exchange->http);
    lua_pushlstring(L, body.len > 0 ? body.ptr : "", body.len);
    lua_xmove(L, co, 1);
  } else {
    count = vm_fail(L, "closed", "closed");
    lua_xmove(L, co, count);
  }
  task_resume(wake->task, count);
  return 0;
}

void exchange_on_body(struct http_conn *http) {
  struct exchange *exchange = http_app(http);
  struct wake wake = {exchange->body_waiter, exchange};
  if (wake.task == NULL) return;
  exchange->body_waiter = NULL;
  task_wake(wake.task, resume_with_body, &wake);
}

static int resume_drained(lua_State *L) {
  struct task *task = lua_touserdata(L, 1);
  lua_pushboolean(L, 1);
  lua_xmove(L, task->co, 1);
  task_resume(task, 1);
  return 0;
}

void exchange_on_drained(struct http_conn *http) {
  struct exchange *exchange = http_app(http);
  struct task *task = exchange->drainer;
  if (task == NULL) return;
  exchange->drainer = NULL;
  task_wake(task, resume_drained, task);
}

// The task may look at the request after the answer (a log line of a
// middleware): what it is likely to want is read out before the head goes.
static int remember_request(lua_State *L) {
  struct exchange *exchange = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, exchange->req_ref);
  lua_replace(L, 1);
  bind_remember_request(L, exchange);
  return 0;
}

void exchange_on_closed(struct http_conn *http) {
  struct exchange *exchange = http_app(http);
  if (exchange == NULL) return;
  struct vm *vm = exchange->vm;
  if (exchange->task != NULL && exchange->req_ref != LUA_NOREF && !exchange->is_answered)
    vm_enter(vm, remember_request, exchange, "request");
  struct wake body = {exchange->body_waiter, NULL};
  struct wake drained = {exchange->drainer, NULL};
  exchange->body_waiter = exchange->drainer = NULL;
  exchange->http = NULL;
  exchange->is_held = true;  // a waiter that ends must not free it yet
  if (body.task != NULL) task_wake(body.task, resume_with_body, &body);
  if (drained.task != NULL) task_wake(drained.task, resume_with_body, &drained);
  exchange->is_held = false;
  free_when_done(exchange);
}
