// Sessions as scripts see them: see session.h.
#include "script/serve/session.h"

#include <lauxlib.h>

#include "net/session.h"
#include "script/vm/task.h"

const struct script_session_keys script_session_keys;

struct box_type script_session_ws_type = {.name = "tidegate.ws"};
struct box_type script_session_stream_type = {.name = "tidegate.stream"};

struct script_session *script_session_push(lua_State *L, const struct route *route, int fields) {
  const struct box_type *type =
      route->is_ws ? &script_session_ws_type : &script_session_stream_type;
  struct script_session *session = box_push(L, type, sizeof *session, 1);
  *session = (struct script_session){.route = route, .is_ws = route->is_ws, .is_over = true};
  if (fields != 0) {
    lua_pushvalue(L, fields);
    lua_setiuservalue(L, -2, 1);
  }
  lua_pushvalue(L, -1);
  session->ref = vm_ref(L);
  return session;
}

void script_session_abandon(struct vm *vm, struct script_session *session) {
  vm_unref(vm, session->ref);
}

struct script_session *script_session_test(lua_State *L, int arg) {
  // Nearly always the session whose handler runs: no other object of Lua has its address.
  const struct task *running = vm_of(L)->running;
  void *object = lua_touserdata(L, arg);
  bool is_own = running != NULL && running->owner == object && running->owner_ops->is_userdata;
  if (is_own && object != NULL) return object;
  struct script_session *session = box_test(L, arg, &script_session_ws_type);
  return session != NULL ? session : box_test(L, arg, &script_session_stream_type);
}

struct script_session *script_session_check(lua_State *L, int arg) {
  struct script_session *session = script_session_test(L, arg);
  if (session == NULL) box_fail(L, arg, "conn", "ws or stream");
  return session;
}

struct session *script_session_net(const struct script_session *session) {
  return session->net != NULL && session_is_live(session->net) ? session->net : NULL;
}

struct session *script_session_check_net(lua_State *L, int arg) {
  return script_session_net(script_session_check(L, arg));
}

void script_session_each(struct vm *vm,
                         void (*fn)(struct vm *vm, struct script_session *session, void *arg),
                         void *arg) {
  lua_State *L = vm->L;
  int count = (int)lua_rawlen(L, LUA_REGISTRYINDEX);
  for (int ref = 1; ref <= count; ref++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    struct script_session *session = script_session_test(L, -1);
    lua_pop(L, 1);
    if (session != NULL && session->ref == ref) fn(vm, session, arg);
  }
}
