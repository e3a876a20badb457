// What few WebSocket sessions have: see ws_extra.h.
#include "net/ws_extra.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/session.h"
#include "net/worker.h"
#include "net/ws_shared.h"

static struct ws_shared *shared_of(const struct session *session) {
  return session_worker(session)->ws_shared;
}

struct ws_extra *ws_extra_of(struct session *session) {
  if (session->extra != NULL) return session->extra;
  session->extra = mem_zalloc(sizeof *session->extra);
  session->extra->session = session;
  ws_unfinished_init(&session->extra->unfinished);
  return session->extra;
}

static bool count_early(struct session *session) {
  struct ws_extra *extra = session->extra;
  return worker_hold(session_worker(session), &extra->early_bytes, extra->early.cap);
}

void ws_extra_free(struct session *session) {
  struct ws_extra *extra = session->extra;
  if (extra == NULL) return;
  buf_free(&extra->early);
  count_early(session);
  ws_deflater_free(extra->deflater);
  ws_inflater_free(extra->inflater);
  shared_of(session)->context_bytes -= extra->context_bytes;
  free(extra);
  session->extra = NULL;
}

void ws_extra_tidy(struct session *session) {
  struct ws_extra *extra = session->extra;
  if (extra != NULL && buf_len(&extra->early) == 0 && extra->context_bytes == 0 &&
      !ws_unfinished_is_under_way(&extra->unfinished))
    ws_extra_free(session);
}

bool ws_extra_keep(struct session *session, const char *data, size_t len) {
  if (len == 0) return true;
  buf_append(&ws_extra_of(session)->early, data, len);
  return count_early(session);
}

struct buf ws_extra_take_early(struct session *session) {
  struct buf early = session->extra->early;
  session->extra->early = (struct buf){0};
  count_early(session);
  return early;
}

void ws_extra_put_back(struct session *session, struct buf early) {
  ws_extra_of(session)->early = early;
  count_early(session);  // it was there before
}

// ---- messages under way --------------------------------------------------

bool ws_extra_note_unfinished(struct session *session, bool ended_one) {
  if (!ws_parser_in_message(&session->state.ws)) {
    ws_extra_forget_unfinished(session);
    return true;
  }
  struct ws_unfinished_set *set = &shared_of(session)->unfinished;
  struct ws_unfinished *unfinished = &ws_extra_of(session)->unfinished;
  if (ended_one || !ws_unfinished_is_under_way(unfinished)) ws_unfinished_begin(set, unfinished);
  return ws_unfinished_hold(set, unfinished, ws_parser_held(&session->state.ws));
}

void ws_extra_forget_unfinished(struct session *session) {
  if (session->extra == NULL || !ws_unfinished_is_under_way(&session->extra->unfinished)) return;
  ws_unfinished_forget(&shared_of(session)->unfinished, &session->extra->unfinished);
  ws_extra_tidy(session);
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

struct ws_deflate_terms ws_extra_agree(const struct worker *worker,
                                       const struct ws_deflate_terms *offer, bool wants_context) {
  struct ws_deflate_terms terms = ws_deflate_agree(offer, wants_context);
  uint64_t limit = worker->config->compress_memory_bytes;
  if (worker->ws_shared->context_bytes + bytes_of(&terms) > limit)
    terms = ws_deflate_agree(offer, false);
  return terms;
}

void ws_extra_take_terms(struct session *session, const struct ws_deflate_terms *terms) {
  size_t bytes = bytes_of(terms);
  session->state.ws.peer_window_bits = (uint8_t)bits_of(terms->server_bits);
  if (bytes == 0) return;
  struct ws_extra *extra = ws_extra_of(session);
  extra->context_bytes = bytes;
  shared_of(session)->context_bytes += bytes;
  if (!terms->server_no_context) extra->deflater = ws_deflater_new(own_bits(terms), true);
  extra->keeps_inflater = !terms->client_no_context;
  if (extra->keeps_inflater) extra->inflater = ws_inflater_new(bits_of(terms->client_bits), true);
}

// ---- whose ---------------------------------------------------------------

struct ws_deflater *ws_extra_deflater(struct session *session, size_t bytes) {
  unsigned peer_bits = session->state.ws.peer_window_bits;
  if (peer_bits == 0) return NULL;
  if (session->extra != NULL && session->extra->deflater != NULL) {
    // Topic messages are in the peer's window, and not in our deflater's.
    if (session->took_topic) ws_deflater_forget(session->extra->deflater);
    session->took_topic = false;
    return session->extra->deflater;
  }
  // The worker's deflater may refer further back than a small window reaches,
  // but never to before the message.
  bool is_safe = peer_bits >= WS_WINDOW_BITS || bytes <= (size_t)1 << peer_bits;
  return is_safe ? shared_of(session)->deflater : NULL;
}

struct ws_inflater **ws_extra_inflater(struct session *session) {
  if (session->extra != NULL && session->extra->keeps_inflater) return &session->extra->inflater;
  return &shared_of(session)->inflater;
}
