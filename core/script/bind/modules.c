// The table of modules: see modules.h.
#include "script/bind/modules.h"

#include <stddef.h>

#include "script/reload/generation.h"
#include "script/serve/events.h"
#include "script/serve/exchange.h"
#include "script/serve/message_info.h"
#include "script/serve/outbox.h"
#include "script/serve/rules.h"
#include "script/serve/tap.h"
#include "script/serve/timer.h"
#include "script/vm/box.h"
#include "script/vm/finalizer.h"
#include "script/vm/task.h"

struct script_module *const script_modules[] = {
    // Kinds of values, which functions need.
    &box_module,
    &message_info_module,
    &exchange_module,

    // Before what runs: at the end of the VM the finalizers of scripts find all as it was.
    &finalizer_module,

    // Functions for scripts.
    &bind_standard,
    &bind_coroutine,
    &bind_debug,
    &bind_options,
    &bind_json,
    &bind_crypto,
    &bind_system,
    &bind_keep,
    &bind_stats,
    &bind_time,
    &bind_rules,
    &bind_hub,
    &bind_req,
    &bind_res,
    &bind_answer,
    &bind_session,

    // The rules of topics: at a switch they are set before anything of the new generation
    // runs.
    &rules_module,

    // What runs. When the VM ends: tasks first, because their owners hear of it and must
    // still be there; sessions, taps and timers in any order; last the live generation,
    // which tasks and sessions point into. At a switch: the background tasks of the
    // generation before end, sessions move to their new routes, taps take up where they
    // were, what was published while loading goes out, and only then the new timers start.
    &task_module,
    &events_module,
    &tap_module,
    &outbox_module,
    &timer_module,
    &generation_module,
    NULL,
};
