// Joining a topic: see join.h.
#include "script/serve/join.h"

#include "net/session.h"
#include "net/sse.h"
#include "net/worker.h"
#include "script/serve/query.h"
#include "script/serve/session.h"
#include "script/vm/args.h"

bool join_push_last_event_id(lua_State *L, const struct http_request *request) {
  static const char *const names[] = {"last_event_id", "lastEventId", "Last-Event-ID",
                                      "lastEventID"};
  struct slice id = http_request_header(request, "last-event-id");
  vm_push_slice(L, id);
  if (id.len > 0) return true;
  lua_pop(L, 1);
  if (request->query.len == 0) return false;
  query_push_pairs(L, request->query);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (lua_getfield(L, -1, names[i]) == LUA_TSTRING && lua_rawlen(L, -1) > 0) {
      lua_remove(L, -2);
      return true;
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return false;
}

// What the client of a stream saw last counts, unless the script gave an id. Leaves
// the text on the stack.
static void take_last_event_id(lua_State *L, int session, int topic,
                               struct hub_join_options *options) {
  if (options->since == HUB_SINCE_ID) return;
  if (lua_getiuservalue(L, session, 1) != LUA_TTABLE) return;
  if (lua_rawgetp(L, -1, &script_session_keys.last_event_id) != LUA_TSTRING) return;
  struct slice id = args_check_slice(L, -1);
  // Once a topic: after leaving it, joining again must not replay it again.
  if (lua_rawgetp(L, -2, &script_session_keys.resumed) != LUA_TTABLE) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, -5, &script_session_keys.resumed);
  }
  lua_pushvalue(L, topic);
  if (lua_rawget(L, -2) != LUA_TNIL) return;
  lua_pushvalue(L, topic);
  lua_pushboolean(L, 1);
  lua_rawset(L, -4);
  options->since = HUB_SINCE_ID;
  options->id = id;
}

// Whether messages of the past will come, whose ids the client can resume from.
static bool replays(const struct session *net) { return net->reader.behind != NULL; }

// What a client of a stream is told of a join beside the messages.
static void tell_stream(struct session *net, struct slice topic,
                        const struct hub_join_options *options,
                        const struct hub_join_result *result, const char *id) {
  if (options->since == HUB_SINCE_ID && !result->recovered) {
    sse_write_gap(net, topic, result->missed_known ? (int64_t)result->missed : SSE_MISSED_UNKNOWN);
  } else if (options->since != HUB_SINCE_ID && net->reader.sub_count == 1 && !replays(net)) {
    sse_write_start(net, id);
  }
}

enum hub_status join_topic(lua_State *L, int session, int topic, struct hub_join_options *options,
                           struct hub_join_result *result, char id[HUB_ID_MAX]) {
  const struct script_session *joining = lua_touserdata(L, session);
  struct slice name = args_check_string(L, topic);
  if (!joining->is_ws) take_last_event_id(L, session, topic, options);
  enum hub_status status = hub_join(&joining->net->reader, name, options, result);
  if (status != HUB_OK) return status;
  hub_id_format(vm_of(L)->worker->hub, result->seq, id);
  if (!joining->is_ws) tell_stream(joining->net, name, options, result, id);
  return HUB_OK;
}
