// An exchange: one HTTP request and its response as scripts see them (`req` and
// `res`), and the task that answers it.
#ifndef TIDEGATE_SCRIPT_SERVE_EXCHANGE_H
#define TIDEGATE_SCRIPT_SERVE_EXCHANGE_H

#include <lua.h>
#include <stdbool.h>

#include "base/list.h"
#include "base/slice.h"
#include "net/app.h"
#include "proto/ws_handshake.h"
#include "script/vm/box.h"
#include "script/vm/vm.h"

struct task;

// One for each request. A larger size of memory block was measured to leave more holes
// between sessions, 10 bytes a session, so it is held to this one.
struct exchange {
  struct vm *vm;
  struct http_call *call;    // NULL once the request is over
  struct task *task;         // the handler; NULL when it has ended
  struct list body_waiters;  // tasks that wait for the body
  struct list drainers;      // tasks that wait until what they wrote has gone
  struct box *req, *res;     // the Lua objects
  int req_ref;               // keeps both: req holds res
  int status;                // of the response in the making; 0: not set
  unsigned long long conn_id;
  unsigned long number;           // of the request on this worker
  char route[120];                // for the log, once the router knows
  struct ws_handshake handshake;  // once it was checked; status 0: it was not
  bool is_answered;  // the last step of the handler is sending the answer: nobody reads on
  bool is_held;
  bool is_finished;           // the script has ended the response: call is NULL for that
  bool has_warned;            // of what came too late for the head
  struct http_field *fields;  // its headers; names and values are owned
  size_t field_count, field_cap;
};

_Static_assert(sizeof(struct exchange) <= 304, "see above");

// The user values of req: a table of the fields that were read or set, and res.
enum { REQ_FIELDS = 1, REQ_RES = 2, REQ_USER_VALUES = 2 };

extern struct script_module exchange_module;
// Of boxes that hold an exchange; bind/req.c and bind/res.c give them their methods.
extern struct box_type exchange_req_type, exchange_res_type;

// Of a request that has just arrived, without objects.
struct exchange *exchange_new(struct vm *vm, struct http_call *call);
// Pushes req and res, made for it. May raise.
void exchange_push(lua_State *L, struct exchange *exchange);

// The task goes on to serve a session: it is no longer the exchange's.
void exchange_release_task(struct exchange *exchange);
// Frees it and empties req and res, if the request is over and its task has ended.
void exchange_free_when_done(struct exchange *exchange);

// ---- headers of the response ---------------------------------------------

// Sets (replaces) or adds a response header; Vary is always added. False: not valid in HTTP.
bool exchange_set_header(struct exchange *exchange, struct slice name, struct slice value,
                         bool replaces);
// Raises for a header that is the server's own (Content-Length, Connection, ...).
void exchange_check_header(lua_State *L, struct slice name);
bool exchange_has_header(const struct exchange *exchange, const char *name);
// A script sets something (`what`: "res:header") in the head of a response that has gone: logs
// that, once a request, with the script's line.
void exchange_warn_late(lua_State *L, struct exchange *exchange, const char *what);

// Before a head goes out: adds the fields that its status must have and the script did not
// set. A 401 says how to log in (RFC 9110 15.5.2): with a Bearer token.
void exchange_complete_headers(struct exchange *exchange, int status);

// Before a 500 takes the place of the answer that was to be: drops what was set for that.
void exchange_drop_fields(struct exchange *exchange);

#endif
