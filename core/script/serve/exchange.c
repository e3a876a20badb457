// Exchanges: see exchange.h.
#include "script/serve/exchange.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/session.h"
#include "proto/http_response.h"

struct box_type exchange_req_type = {.name = "tidegate.req"};
struct box_type exchange_res_type = {.name = "tidegate.res"};

struct requests {
  unsigned long count;  // on this worker so far
};

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

void exchange_warn_late(lua_State *L, struct exchange *exchange, const char *what) {
  bool has_gone = exchange->call != NULL ? http_is_started(exchange->call) : exchange->is_finished;
  if (!has_gone || exchange->has_warned) return;
  exchange->has_warned = true;
  luaL_where(L, 1);
  log_warn("%s%s after the response had started: it has no effect\nroute=%s conn=%llu",
           lua_tostring(L, -1), what, exchange->route, exchange->conn_id);
  lua_pop(L, 1);
}

void exchange_complete_headers(struct exchange *exchange, int status) {
  if (status != 401 || exchange_has_header(exchange, "www-authenticate")) return;
  exchange_set_header(exchange, slice_str("WWW-Authenticate"), slice_str("Bearer"), true);
}

// What was said of the answer that was to be (its type, cookies, how long to keep
// it) is not for the 500 in its place. Who may read it is: else a browser shows a
// page of another origin a CORS error instead.
static bool outlives_failure(struct slice name) {
  return slice_starts_nocase(name, slice_str("access-control-")) ||
         slice_equal_nocase(name, slice_str("vary"));
}

void exchange_drop_fields(struct exchange *exchange) {
  size_t kept = 0;
  for (size_t i = 0; i < exchange->field_count; i++) {
    if (outlives_failure(exchange->fields[i].name))
      exchange->fields[kept++] = exchange->fields[i];
    else
      free_field(&exchange->fields[i]);
  }
  exchange->field_count = kept;
}

// ---- life ----------------------------------------------------------------

void exchange_free_when_done(struct exchange *exchange) {
  if (exchange->call != NULL || exchange->task != NULL || exchange->is_held) return;
  if (exchange->req_ref != LUA_NOREF) {
    exchange->req->object = exchange->res->object = NULL;
    vm_unref(exchange->vm, exchange->req_ref);
  }
  for (size_t i = 0; i < exchange->field_count; i++) free_field(&exchange->fields[i]);
  free(exchange->fields);
  free(exchange);
}

void exchange_release_task(struct exchange *exchange) {
  exchange->task = NULL;
  exchange_free_when_done(exchange);
}

struct exchange *exchange_new(struct vm *vm, struct http_call *call) {
  struct exchange *exchange = mem_zalloc(sizeof *exchange);
  struct requests *requests = vm_state(vm, &exchange_module);
  exchange->vm = vm;
  exchange->call = call;
  exchange->req_ref = LUA_NOREF;
  exchange->conn_id = http_conn_id(call);
  exchange->number = ++requests->count;
  list_init(&exchange->body_waiters);
  list_init(&exchange->drainers);
  return exchange;
}

void exchange_push(lua_State *L, struct exchange *exchange) {
  struct box *req = box_push_pointer(L, &exchange_req_type, NULL, REQ_USER_VALUES);
  struct box *res = box_push_pointer(L, &exchange_res_type, NULL, 0);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, -3, REQ_RES);
  lua_pushvalue(L, -2);
  exchange->req_ref = vm_ref(L);
  exchange->req = req;
  exchange->res = res;
  req->object = res->object = exchange;
}

struct script_module exchange_module = {.name = "exchange",
                                        .vm_state_bytes = sizeof(struct requests)};
