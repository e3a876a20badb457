// The tables of options of the functions in this folder. core.options gives them to Lua.
#ifndef TIDEGATE_SCRIPT_BIND_OPTIONS_H
#define TIDEGATE_SCRIPT_BIND_OPTIONS_H

#include "script/vm/options.h"

extern const struct option_table cookie_options;    // res:cookie
extern const struct option_table event_options;     // stream:send
extern const struct option_table history_options;   // gate.history
extern const struct option_table join_options;      // conn:join
extern const struct option_table presence_options;  // `presence` of gate.topic
extern const struct option_table publish_options;   // gate.publish
extern const struct option_table timer_options;     // gate.every, gate.after
extern const struct option_table topic_options;     // gate.topic
extern const struct option_table topics_options;    // gate.topics

#endif
