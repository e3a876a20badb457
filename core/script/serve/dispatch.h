// The way of a request: an exchange is made for it, a task runs the framework's dispatch,
// which answers it, and what the server reports meanwhile wakes what waits.
#ifndef TIDEGATE_SCRIPT_SERVE_DISPATCH_H
#define TIDEGATE_SCRIPT_SERVE_DISPATCH_H

struct http_call;

// Events, from the server.
void dispatch_on_request(struct http_call *call);
void dispatch_on_body(struct http_call *call);
void dispatch_on_drained(struct http_call *call);
void dispatch_on_closed(struct http_call *call);

#endif
