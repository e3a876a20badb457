// config.lua of the script directory: a Lua file that returns a table of
// settings.
#ifndef TIDEGATE_SCRIPT_RELOAD_CONFIG_FILE_H
#define TIDEGATE_SCRIPT_RELOAD_CONFIG_FILE_H

#include "base/config.h"

// Applies dir/config.lua where there is one. It may run for `time_ms` of CPU and hold 64 MiB. NULL,
// or an error that names file and key (the caller frees it).
char *config_file_apply(struct config *config, const char *dir, uint64_t time_ms);

// Its path, which the caller frees.
char *config_file_path(const char *dir);

#endif
