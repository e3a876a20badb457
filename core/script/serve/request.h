// The fields of a request as scripts see them: read from its head when they are asked
// for, kept in a table then, and some of them read out before the head is gone.
#ifndef TIDEGATE_SCRIPT_SERVE_REQUEST_H
#define TIDEGATE_SCRIPT_SERVE_REQUEST_H

#include <lua.h>
#include <stdbool.h>

struct exchange;

struct request_field {
  const char *name;
  void (*push)(lua_State *L, struct exchange *exchange);
  bool stays;          // after the answer, also when nobody has read it before
  bool needs_no_head;  // can be made when the request is over
};

// Ends with a row whose name is NULL.
extern const struct request_field request_fields[];

// Of the request object at index 1:
// pushes the table of the fields that it keeps, made when it has none;
void request_push_kept(lua_State *L);
// pushes its `params`: nil when nobody has set or read them;
void request_push_params(lua_State *L);
// reads what is to stay of it after the answer.
void request_remember(lua_State *L, struct exchange *exchange);

#endif
