// What scripts are told of a message: see message_info.h.
#include "script/serve/message_info.h"

#include "hub/hub.h"
#include "script/vm/vm.h"

// References to the names, by enum message_kind.
struct kinds {
  int refs[2];
};

void message_info_push_kind(lua_State *L, enum message_kind kind) {
  const struct kinds *kinds = vm_state(vm_of(L), &message_info_module);
  lua_rawgeti(L, LUA_REGISTRYINDEX, kinds->refs[kind]);
}

static void set_text(lua_State *L, const char *name, struct slice text) {
  if (text.len == 0) return;
  vm_push_slice(L, text);
  lua_setfield(L, -2, name);
}

void message_info_push(lua_State *L, const struct hub *hub, const struct message *m) {
  char id[HUB_ID_MAX];
  hub_id_format(hub, m->seq, id);
  lua_createtable(L, 0, 6);
  set_text(L, "id", slice_str(id));
  message_info_push_kind(L, (enum message_kind)m->kind);
  lua_setfield(L, -2, "kind");
  set_text(L, "event", message_event(m));
  set_text(L, "key", message_key(m));
}

static void open_module(lua_State *L) {
  struct kinds *kinds = vm_state(vm_of(L), &message_info_module);
  lua_pushliteral(L, "text");
  kinds->refs[MESSAGE_TEXT] = vm_ref(L);
  lua_pushliteral(L, "binary");
  kinds->refs[MESSAGE_BINARY] = vm_ref(L);
}

struct script_module message_info_module = {
    .name = "message_info", .open = open_module, .vm_state_bytes = sizeof(struct kinds)};
