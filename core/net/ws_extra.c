// What few WebSocket sessions have: see ws_extra.h.
#include "net/ws_extra.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/conn.h"
#include "net/worker.h"

struct ws_extra *ws_extra_of(struct conn *conn) {
  if (conn->extra != NULL) return conn->extra;
  conn->extra = mem_zalloc(sizeof *conn->extra);
  conn->extra->unfinished.conn = conn;
  list_init(&conn->extra->unfinished.link);
  return conn->extra;
}

void ws_extra_free(struct conn *conn) {
  struct ws_extra *extra = conn->extra;
  if (extra == NULL) return;
  buf_free(&extra->early);
  ws_deflater_free(extra->deflater);
  ws_inflater_free(extra->inflater);
  conn->worker->context_bytes -= extra->context_bytes;
  free(extra);
  conn->extra = NULL;
}

void ws_extra_tidy(struct conn *conn) {
  struct ws_extra *extra = conn->extra;
  if (extra != NULL && buf_len(&extra->early) == 0 && extra->context_bytes == 0 &&
      list_is_empty(&extra->unfinished.link))
    ws_extra_free(conn);
}

void ws_extra_keep(struct conn *conn, const char *data, size_t len) {
  if (len == 0) return;
  buf_append(&ws_extra_of(conn)->early, data, len);
  if (conn->is_reading) conn_go_on_later(conn);
}

// ---- negotiation ---------------------------------------------------------

// A window that was not named is the largest.
static unsigned bits_of(uint8_t named) { return named > 0 ? named : WS_WINDOW_BITS_MAX; }

// Our compressor's window: never larger than the peer's.
static unsigned own_bits(const struct ws_deflate_terms *terms) {
  unsigned peer = bits_of(terms->server_bits);
  return peer < WS_WINDOW_BITS ? peer : WS_WINDOW_BITS;
}

static size_t bytes_of(const struct ws_deflate_terms *terms) {
  size_t bytes = 0;
  if (!terms->server_no_context) bytes += ws_deflater_bytes(own_bits(terms));
  if (!terms->client_no_context) bytes += ws_inflater_bytes(bits_of(terms->client_bits));
  return bytes;
}

static void keep_contexts(struct conn *conn, const struct ws_deflate_terms *terms, size_t bytes) {
  struct ws_extra *extra = ws_extra_of(conn);
  extra->context_bytes = bytes;
  conn->worker->context_bytes += bytes;
  if (!terms->server_no_context) extra->deflater = ws_deflater_new(own_bits(terms), true);
  extra->keeps_inflater = !terms->client_no_context;
  if (extra->keeps_inflater) extra->inflater = ws_inflater_new(bits_of(terms->client_bits), true);
}

struct ws_deflate_terms ws_extra_agree(struct conn *conn, const struct ws_deflate_terms *offer,
                                       bool wants_context) {
  struct ws_deflate_terms terms = ws_deflate_agree(offer, wants_context);
  size_t bytes = bytes_of(&terms);
  uint64_t limit = conn->worker->config->compress_memory_bytes;
  if (conn->worker->context_bytes + bytes > limit) {
    terms = ws_deflate_agree(offer, false);
    bytes = 0;
  }
  if (bytes > 0) keep_contexts(conn, &terms, bytes);
  conn->proto.ws.peer_window_bits = (uint8_t)bits_of(terms.server_bits);
  return terms;
}

// ---- whose ---------------------------------------------------------------

struct ws_deflater *ws_extra_deflater(struct conn *conn, size_t bytes) {
  unsigned peer_bits = conn->proto.ws.peer_window_bits;
  if (peer_bits == 0) return NULL;
  if (conn->extra != NULL && conn->extra->deflater != NULL) {
    // Topic messages are in the peer's window, and not in our deflater's.
    if (conn->took_topic) ws_deflater_forget(conn->extra->deflater);
    conn->took_topic = false;
    return conn->extra->deflater;
  }
  // The worker's deflater may refer further back than a small window reaches,
  // but never to before the message.
  bool is_safe = peer_bits >= WS_WINDOW_BITS || bytes <= (size_t)1 << peer_bits;
  return is_safe ? conn->worker->deflater : NULL;
}

struct ws_inflater **ws_extra_inflater(struct conn *conn) {
  if (conn->extra != NULL && conn->extra->keeps_inflater) return &conn->extra->inflater;
  return &conn->worker->inflater;
}
