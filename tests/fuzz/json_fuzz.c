// JSON as scripts read and write it: see json_fuzz.lua. Every other input has
// little memory.
#include "fuzz.h"
#include "lua_vm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  uint8_t room = fuzz_take_byte(&in);
  if (room % 2 == 0)
    lua_vm_run("json_fuzz", in);
  else
    lua_vm_run_within("json_fuzz", in, (size_t)room * 64);
  return 0;
}
