// An exchange: one HTTP request and its response as scripts see them (`req` and
// `res`), and the task that answers it.
#ifndef TIDEGATE_SCRIPT_SERVE_EXCHANGE_H
#define TIDEGATE_SCRIPT_SERVE_EXCHANGE_H

#include <lua.h>
#include <stdbool.h>

#include "base/slice.h"
#include "net/http_conn.h"
#include "proto/ws_handshake.h"
#include "script/vm/vm.h"

struct task;

struct exchange {
  struct vm *vm;
  struct http_conn *http;          // NULL once the request is over
  struct task *task;               // the handler; NULL when it has ended
  struct task *body_waiter;        // a task that waits for the body
  struct task *drainer;            // a task that waits until what it wrote has gone
  struct exchange_box *req, *res;  // the Lua objects
  int req_ref;                     // keeps both: req holds res
  unsigned long long conn_id;
  unsigned long number;           // of the request on this worker
  char route[128];                // for the log, once the router knows
  int status;                     // of the response in the making; 0: not set
  struct ws_handshake handshake;  // once it was checked; status 0: it was not
  bool is_answered;  // the last step of the handler is sending the answer: nobody reads on
  bool is_held;
  struct http_field *fields;  // its headers; names and values are owned
  size_t field_count, field_cap;
};

// The user values of req: a table of the fields that were read or set, and res.
enum { REQ_FIELDS = 1, REQ_RES = 2, REQ_USER_VALUES = 2 };

// What the Lua objects req and res hold. NULL once the exchange is freed.
struct exchange_box {
  struct exchange *exchange;
};

// Events, from the server.
void exchange_on_request(struct http_conn *http);
void exchange_on_body(struct http_conn *http);
void exchange_on_drained(struct http_conn *http);
void exchange_on_closed(struct http_conn *http);

// The exchange of the box at `arg` (VM_REQ or VM_RES), NULL when it is freed.
struct exchange *exchange_check(lua_State *L, int arg, enum vm_type type);

// Sets (replaces) or adds a response header; Vary is always added. False: not valid in HTTP.
bool exchange_set_header(struct exchange *exchange, struct slice name, struct slice value,
                         bool replaces);
// Raises for a header that is the server's own (Content-Length, Connection, ...).
void exchange_check_header(lua_State *L, struct slice name);
bool exchange_has_header(const struct exchange *exchange, const char *name);
// Before a head goes out: adds the fields that its status must have and the script did not
// set. A 401 says how to log in (RFC 9110 15.5.2): with a Bearer token.
void exchange_complete_headers(struct exchange *exchange, int status);

// The task goes on to serve a session: it is no longer the exchange's.
void exchange_release_task(struct exchange *exchange);

#endif
