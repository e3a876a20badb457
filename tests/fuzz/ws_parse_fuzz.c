// WebSocket sessions, with permessage-deflate and without: a stream of frames
// tells the same however it is cut, and every event keeps the parser's promises.
#include "fuzz.h"
#include "proto/ws_fixture.h"

enum { MESSAGE_BYTES = 300, PIECE = 24 };

static struct buf told_of(struct slice in, unsigned cut, uint8_t mode) {
  struct run run;
  peer_window_bits = mode % 3 == 0 ? 0 : 8 + mode % 8;
  run_begin(&run, MESSAGE_BYTES);
  if (mode % 3 == 1) run.spare = ws_inflater_new(8 + mode / 8 % 8, true);  // of its own
  feed_cut(&run, in, cut, PIECE);
  struct buf told = run.told;
  run.told = (struct buf){0};
  run_end(&run);
  return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = fuzz_input(data, size);
  uint8_t cut = fuzz_take_byte(&in), mode = fuzz_take_byte(&in);
  struct buf whole = told_of(in, 0, mode), told = told_of(in, 1 + cut, mode);
  fuzz_expect_slice(buf_slice(&told), buf_slice(&whole), "frames that are cut tell something else");
  buf_free(&whole);
  buf_free(&told);
  return 0;
}
