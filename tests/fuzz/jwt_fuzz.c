// JSON Web Tokens: see jwt_fuzz.lua.
#include "fuzz.h"
#include "lua_vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_vm_run("jwt_fuzz", fuzz_input(data, size));
  return 0;
}
