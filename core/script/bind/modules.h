// The table of modules: what takes part in the life of a VM. main.c hands it down; the
// rows below see a list and know none of its names.
#ifndef TIDEGATE_SCRIPT_BIND_MODULES_H
#define TIDEGATE_SCRIPT_BIND_MODULES_H

#include "script/vm/module.h"

extern struct script_module *const script_modules[];  // ends with NULL

// The modules of Lua, one in each file of this folder.
extern struct script_module bind_answer;
extern struct script_module bind_coroutine;
extern struct script_module bind_crypto;
extern struct script_module bind_debug;
extern struct script_module bind_hub;
extern struct script_module bind_json;
extern struct script_module bind_keep;
extern struct script_module bind_options;
extern struct script_module bind_req;
extern struct script_module bind_res;
extern struct script_module bind_rules;
extern struct script_module bind_session;
extern struct script_module bind_standard;
extern struct script_module bind_stats;
extern struct script_module bind_system;
extern struct script_module bind_time;

#endif
