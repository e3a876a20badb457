// HTTP on a connection: one request at a time, answered in order, kept alive.
// A pipelined request waits, unparsed, until the one before is answered.
#ifndef TIDEGATE_NET_HTTP_CONN_H
#define TIDEGATE_NET_HTTP_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/http_parse.h"

struct conn;
struct http_conn;
struct worker;
struct buf;

void http_conn_start(struct conn *conn);            // a new connection speaks HTTP first
void http_conn_free_spares(struct worker *worker);  // when there are no connections any more

const struct http_request *http_request(const struct http_conn *http);
struct conn *http_conn_of(const struct http_conn *http);
struct worker *http_worker(const struct http_conn *http);
void *http_app(const struct http_conn *http);
void http_set_app(struct http_conn *http, void *app);  // NULL at each new request

// Asks for the request's body. True: it is complete, http_body gives it.
// False: app->request_body will be called (after "100 Continue" was sent when
// the client waits for it), or request_closed when it never comes whole.
bool http_want_body(struct http_conn *http);
struct slice http_body(const struct http_conn *http);  // borrowed until the request is over

struct http_field {
  struct slice name;
  struct slice value;
};

// True for the fields that the server writes itself: Content-Length,
// Transfer-Encoding, Connection, Date, Keep-Alive.
bool http_field_is_own(struct slice name);

enum http_send_status {
  HTTP_SENT = 0,
  HTTP_SEND_FULL =
      -1,  // more than the send queue's bound is waiting: wait for app->request_drained
  HTTP_SEND_STARTED = -2,    // the response has started already
  HTTP_SEND_BAD_FIELD = -3,  // a header name or value that HTTP forbids
};

// Sends a whole response; the request is over (request_closed is called before
// this returns). The body is left out for HEAD, 204, 205 and 304. Content-Length,
// Date and Connection are the server's own; fields named so are refused.
// HTTP_SENT, HTTP_SEND_STARTED or HTTP_SEND_BAD_FIELD.
enum http_send_status http_respond(struct http_conn *http, int status,
                                   const struct http_field *fields, size_t count,
                                   struct slice body);

// A response in pieces: head, any number of writes, end. Chunked for HTTP/1.1,
// ended by closing for HTTP/1.0.
enum http_send_status http_respond_head(struct http_conn *http, int status,
                                        const struct http_field *fields, size_t count);
enum http_send_status http_respond_write(struct http_conn *http,
                                         struct slice data);  // HTTP_SENT or HTTP_SEND_FULL
void http_respond_end(struct http_conn *http);  // the request is over, as in http_respond

// Ends a response that cannot be completed: cuts the connection, with a reset where
// its end would be the body's, too.
void http_respond_abort(struct http_conn *http);

bool http_is_started(const struct http_conn *http);

// ---- for ws_conn.c and sse_conn.c ----------------------------------------

// Writes the status line, the server's own fields and `fields`; the caller
// adds what is its own and ends the head. HTTP_SENT or HTTP_SEND_*.
enum http_send_status http_write_upgrade_head(struct http_conn *http, int status,
                                              const struct http_field *fields, size_t count);
// Ends HTTP on the connection: request_closed is called and `http` is gone.
// Returns the input that waited unparsed, which is the caller's, or empty.
struct buf http_conn_hand_over(struct http_conn *http);

#endif
