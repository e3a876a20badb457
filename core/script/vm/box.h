// Boxes: the objects of C that Lua holds (full userdata), each of a type with its
// metatable. There are three shapes, by who decides when the memory goes:
// - The object itself, where the object may live as long as scripts hold it. A session:
//   there are many, and a second allocation and a pointer each would be too much. A timer: a
//   client can have any number made, and vm_memory counts only what is Lua's.
// - A pointer, where C frees the object when its work is over, however long scripts keep
//   the box: it is emptied then. A request, a response.
// - Owned memory, which scripts never see: what a binding has from C while Lua may still
//   raise, and would leak it. It is released when the binding is done, or is collected.
#ifndef TIDEGATE_SCRIPT_VM_BOX_H
#define TIDEGATE_SCRIPT_VM_BOX_H

#include <lua.h>
#include <stddef.h>

#include "script/vm/vm.h"

struct box_type {
  const char *name;  // for messages: "tidegate.ws"
  unsigned slot;     // of its metatable; written by box_new_type, the same in every VM
};

// What a box with a pointer holds.
struct box {
  void *object;  // NULL: emptied
};

extern struct script_module box_module;

// Pushes the new metatable of the type, anchored. When a module opens, once for each
// type.
void box_new_type(lua_State *L, struct box_type *type);

// Pushes a box of the type: `bytes` of memory, not initialised; the box with a pointer.
void *box_push(lua_State *L, const struct box_type *type, size_t bytes, int user_values);
struct box *box_push_pointer(lua_State *L, const struct box_type *type, void *object,
                             int user_values);

// The memory of the box at `arg`; when it is of another type, NULL or an error.
void *box_test(lua_State *L, int arg, const struct box_type *type);
void *box_check(lua_State *L, int arg, const struct box_type *type);
// Raises: argument `arg` is no `expected` ("ws or stream"). Of the first one, which is the
// object of a method: the call lacks its colon. object: how messages call it, "conn".
int box_fail(lua_State *L, int arg, const char *object, const char *expected);
// What the box with a pointer at `arg` holds, NULL when it is emptied. Raises for
// another type.
void *box_check_pointer(lua_State *L, int arg, const struct box_type *type);

// Pushes `bytes` of zeroed memory and has `release` called on it once: by
// box_release, or when Lua lets go of it. For what C owns while Lua may raise.
void *box_push_owned(lua_State *L, size_t bytes, void (*release)(void *memory));
void box_release(lua_State *L, int index);

#endif
