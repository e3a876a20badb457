// Compression of messages: see ws_deflate.h.
#include "proto/ws_deflate.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

enum {
  LEVEL = 6,         // up to 1 KB of payload it costs what level 1 does
  MEMORY_LEVEL = 5,  // larger tables cost more to clear for each message than they save
  ROOM = 2048,       // for output, at least
  STATE_BYTES = 8192,
  // z_stream.data_type after inflate stopped between two blocks, at a byte's end.
  BETWEEN_BLOCKS = 128,
};

struct ws_deflater {
  z_stream z;
  unsigned window_bits;
  bool keeps_context;
  bool is_ready;
};

struct ws_inflater {
  z_stream z;
  unsigned window_bits;
  bool keeps_context;
  bool is_ready;
  bool is_whole;  // no block is under way
};

static void *allocate(void *opaque, unsigned count, unsigned size) {
  (void)opaque;
  return mem_alloc((size_t)count * size);
}

static void release(void *opaque, void *ptr) {
  (void)opaque;
  free(ptr);
}

// ---- sending -------------------------------------------------------------

struct ws_deflater *ws_deflater_new(unsigned window_bits, bool keeps_context) {
  struct ws_deflater *d = mem_zalloc(sizeof *d);
  d->z.zalloc = allocate;
  d->z.zfree = release;
  d->window_bits = window_bits;
  d->keeps_context = keeps_context;
  return d;
}

void ws_deflater_free(struct ws_deflater *d) {
  if (d == NULL) return;
  if (d->is_ready) deflateEnd(&d->z);
  free(d);
}

void ws_deflater_forget(struct ws_deflater *d) {
  if (d->is_ready) deflateReset(&d->z);
}

static void prepare_deflate(struct ws_deflater *d) {
  if (d->is_ready && d->keeps_context) return;
  if (d->is_ready)
    deflateReset(&d->z);
  else
    deflateInit2(&d->z, LEVEL, Z_DEFLATED, -(int)d->window_bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
  d->is_ready = true;
}

size_t ws_deflate(struct ws_deflater *d, struct slice payload, char *out) {
  if (payload.len > INT_MAX) return 0;
  prepare_deflate(d);
  size_t room = payload.len + WS_DEFLATE_TAIL;
  d->z.next_in = (Bytef *)payload.ptr;
  d->z.avail_in = (uInt)payload.len;
  d->z.next_out = (Bytef *)out;
  d->z.avail_out = (uInt)room;
  deflate(&d->z, Z_SYNC_FLUSH);
  // Room that is left tells that the flush is complete, and so ends with the tail.
  if (d->z.avail_out > 0) return payload.len - d->z.avail_out;
  deflateReset(&d->z);
  return 0;
}

// ---- receiving -----------------------------------------------------------

struct ws_inflater *ws_inflater_new(unsigned window_bits, bool keeps_context) {
  struct ws_inflater *i = mem_zalloc(sizeof *i);
  i->z.zalloc = allocate;
  i->z.zfree = release;
  i->window_bits = window_bits;
  i->keeps_context = keeps_context;
  return i;
}

void ws_inflater_free(struct ws_inflater *i) {
  if (i == NULL) return;
  if (i->is_ready) inflateEnd(&i->z);
  free(i);
}

void ws_inflater_begin(struct ws_inflater *i) {
  if (!i->is_ready)
    inflateInit2(&i->z, -(int)i->window_bits);
  else if (!i->keeps_context)
    inflateReset(&i->z);
  i->is_ready = true;
  i->is_whole = true;
}

// Lets zlib write into the room behind `out`, up to one byte over the limit.
static int inflate_some(z_stream *z, size_t limit, struct buf *out) {
  size_t most = limit + 1 - buf_len(out);
  z->next_out = (Bytef *)buf_reserve(out, ROOM);
  size_t room = out->cap - out->end;
  uInt given = (uInt)(room < most ? room : most);
  z->avail_out = given;
  int status = inflate(z, Z_SYNC_FLUSH);
  buf_grew(out, given - z->avail_out);
  return status;
}

enum ws_inflated ws_inflate(struct ws_inflater *i, struct slice piece, size_t limit,
                            struct buf *out) {
  z_stream *z = &i->z;
  z->next_in = (Bytef *)piece.ptr;
  z->avail_in = (uInt)piece.len;
  do {
    int status = inflate_some(z, limit, out);
    if (buf_len(out) > limit) return WS_INFLATE_TOO_BIG;
    if (status == Z_BUF_ERROR) break;  // all of the piece is taken, and all of its output was
    if (status != Z_OK && status != Z_STREAM_END) return WS_INFLATE_BROKEN;
    i->is_whole = status == Z_STREAM_END || z->data_type == BETWEEN_BLOCKS;
    // A block with BFINAL ends zlib's stream, but not the message (section 7.2.3.4).
    if (status == Z_STREAM_END) inflateReset(z);
  } while (z->avail_in > 0 || z->avail_out == 0);
  return WS_INFLATED;
}

enum ws_inflated ws_inflater_end(struct ws_inflater *i, size_t limit, struct buf *out) {
  static const char tail[WS_DEFLATE_TAIL] = {0x00, 0x00, (char)0xFF, (char)0xFF};
  // Nothing, or a peer that did not take the tail off: there is nothing to complete.
  if (i->is_whole) return WS_INFLATED;
  enum ws_inflated status = ws_inflate(i, slice_of(tail, sizeof tail), limit, out);
  return status != WS_INFLATED || i->is_whole ? status : WS_INFLATE_BROKEN;
}

// ---- memory --------------------------------------------------------------

// As zlib.h says under "memory usage"; the state beside it is a few kilobytes.
size_t ws_deflater_bytes(unsigned window_bits) {
  return STATE_BYTES + ((size_t)4 << window_bits) + ((size_t)512 << MEMORY_LEVEL);
}

size_t ws_inflater_bytes(unsigned window_bits) { return STATE_BYTES + ((size_t)1 << window_bits); }
