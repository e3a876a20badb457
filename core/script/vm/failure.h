// What is known of a task that failed: its error as text, and where it was raised.
#ifndef TIDEGATE_SCRIPT_VM_FAILURE_H
#define TIDEGATE_SCRIPT_VM_FAILURE_H

#include <lua.h>
#include <stdbool.h>

#include "base/buf.h"
#include "script/vm/place.h"
#include "script/vm/vm.h"

struct failure {
  struct buf text;  // opens with a place in a script; NUL bytes as \x00, as in a C string
  struct buf traceback;
  char place[PLACE_BYTES];  // where the script was when it failed, or ""
  bool has_object;          // the error is a value whose text only its __tostring knows
};

// Reads the failure off a coroutine that has stopped with an error on top of its stack.
// Where memory is short, what can be had without any. failure_end frees.
void failure_read(struct failure *failure, struct vm *vm, lua_State *co);
// The same of a coroutine that has yielded and should not: `text` says why it ends.
void failure_read_yielded(struct failure *failure, struct vm *vm, lua_State *co, const char *text);
void failure_end(struct failure *failure, struct vm *vm);

// Pushes the error value that has_object says of, and takes its text from the string on top of
// the coroutine's stack.
void failure_push_object(lua_State *L, const struct failure *failure);
void failure_set_text(struct failure *failure, lua_State *co);

// Adds a text of any bytes as one that can be a C string.
void failure_append_text(struct buf *out, struct slice text);

#endif
