// Joining a topic. A stream resumes by itself: what its client saw last counts, and the
// client is told of a join beside the messages.
#ifndef TIDEGATE_SCRIPT_SERVE_JOIN_H
#define TIDEGATE_SCRIPT_SERVE_JOIN_H

#include <lua.h>
#include <stdbool.h>

#include "hub/hub.h"

struct http_request;

// Pushes the id that the client saw last, if it tells one. Polyfills that cannot
// send the header put it into the query.
bool join_push_last_event_id(lua_State *L, const struct http_request *request);

// hub_join for the session at the index `session`, which is live, and the topic, a string,
// at the index `topic`. `id` gets the id of the topic's newest message. May raise.
enum hub_status join_topic(lua_State *L, int session, int topic, struct hub_join_options *options,
                           struct hub_join_result *result, char id[HUB_ID_MAX]);

#endif
