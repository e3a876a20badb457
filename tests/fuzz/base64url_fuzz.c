// base64url and comparing secrets: see base64url_fuzz.lua.
#include "fuzz.h"
#include "lua_vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_vm_run("base64url_fuzz", fuzz_input(data, size));
  return 0;
}
