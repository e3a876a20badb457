// The Lua side of drivers: a VM as a worker has it, of a worker that has settings alone, whose
// lines libFuzzer counts as it counts those of C.
#ifndef TIDEGATE_FUZZ_LUA_VM_H
#define TIDEGATE_FUZZ_LUA_VM_H

#include "base/slice.h"

// Calls the function that the module `name` of this folder ("jwt_fuzz") returns,
// with the fields of the input as strings. An error it raises is a finding.
void lua_vm_run(const char *name, struct slice input);

// The same where the VM may take only `room_bytes` more: running out of memory
// must be an error that leaves the VM usable.
void lua_vm_run_within(const char *name, struct slice input, size_t room_bytes);

#endif
