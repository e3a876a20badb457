// The receiving side of a WebSocket session: see ws_parse.h. A frame that
// stands whole in the input is unmasked and told from there; only what the
// input cuts off, fragments, and what is compressed goes through the assembly.
#include "proto/ws_parse.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/ws_close_code.h"
#include "proto/ws_deflate.h"

enum { DEFLATE_OVERHEAD = 64 };  // bytes of headers of blocks in a small message, generously

static const char not_utf8[] = "text is not UTF-8";
static const char too_big[] = "the message is too big";

struct ws_assembly {
  // The header while bytes of it are missing.
  uint8_t head_len;
  char head[WS_HEADER_MAX];

  // The frame whose payload is under way, and how much of it has come.
  bool in_frame;
  struct ws_frame frame;
  uint64_t got;
  // A control frame's payload has its own place, because it may come between
  // the fragments of a message.
  char control[WS_CONTROL_MAX];

  // The message under way: the payloads of its frames so far, unmasked. An
  // assembly sees one message at most, for the feed after its end releases it.
  bool in_message;
  enum message_kind kind;
  struct utf8 utf8;
  struct buf payload;
  struct ws_inflater *inflater;  // of a compressed message, which `payload` has inflated
};

struct input {
  struct ws_inflater **spare;
  char *data;
  size_t len;
  size_t at;
};

enum header { HEADER_PARTIAL, HEADER_WHOLE, HEADER_BAD };

void ws_parser_init(struct ws_parser *parser, uint32_t max_message) {
  *parser = (struct ws_parser){.max_message = max_message};
}

void ws_parser_free(struct ws_parser *parser) {
  if (parser->assembly == NULL) return;
  buf_free(&parser->assembly->payload);
  ws_inflater_free(parser->assembly->inflater);
  free(parser->assembly);
  parser->assembly = NULL;
}

bool ws_parser_in_message(const struct ws_parser *parser) {
  return parser->assembly != NULL && parser->assembly->in_message;
}

size_t ws_parser_held(const struct ws_parser *parser) {
  return parser->assembly != NULL ? parser->assembly->payload.cap : 0;
}

static struct ws_assembly *assembly_of(struct ws_parser *p) {
  if (p->assembly == NULL) p->assembly = mem_zalloc(sizeof *p->assembly);
  return p->assembly;
}

static void release_when_idle(struct ws_parser *p, struct ws_inflater **spare) {
  struct ws_assembly *a = p->assembly;
  if (a == NULL || a->in_frame || a->in_message || a->head_len > 0) return;
  if (*spare == NULL) {
    *spare = a->inflater;
    a->inflater = NULL;
  }
  ws_parser_free(p);
}

static enum ws_event fail(struct ws_parser *p, struct ws_result *result, int code,
                          const char *reason) {
  ws_parser_free(p);
  p->is_finished = true;
  *result = (struct ws_result){.code = code, .reason = reason};
  return WS_EVENT_FAILED;
}

static bool is_control(const struct ws_frame *frame) { return frame->opcode >= WS_CLOSE; }

// ---- headers -------------------------------------------------------------

// RSV1 tells that a message is compressed, on its first frame (RFC 7692 6).
static bool admits_rsv1(const struct ws_parser *p, const struct ws_frame *frame) {
  return p->peer_window_bits > 0 && !is_control(frame) && frame->opcode != WS_CONTINUATION;
}

// What a header breaks as far as `arrived` bytes of it tell (RFC 6455 5.2, 5.4,
// 5.5); NULL when nothing. The order is that of the bytes, so that the verdict
// does not depend on how they arrive.
static const char *check_bits(const struct ws_parser *p, const struct ws_frame *frame,
                              size_t arrived) {
  bool in_message = ws_parser_in_message(p);
  if (frame->rsv1 && !admits_rsv1(p, frame)) return "reserved bit 1 is set";
  if (frame->rsv2 || frame->rsv3) return "a reserved bit is set";
  if (is_control(frame)) {
    if (frame->opcode > WS_PONG) return "unknown opcode";
    if (!frame->fin) return "a control frame is fragmented";
  } else {
    if (frame->opcode > WS_BINARY) return "unknown opcode";
    bool continues = frame->opcode == WS_CONTINUATION;
    if (continues && !in_message) return "there is no message to continue";
    if (!continues && in_message) return "a message begins inside another";
  }
  if (arrived < 2) return NULL;
  if (!frame->masked) return "a frame is not masked";
  // An unknown length is one that an escape value announces, so over 125 too.
  if (is_control(frame) && frame->length > WS_CONTROL_MAX) return "a control frame is too long";
  return NULL;
}

static bool exceeds_limit(const struct ws_parser *p, const struct ws_frame *frame) {
  if (is_control(frame) || frame->length == WS_LENGTH_UNKNOWN) return false;
  bool continues = frame->opcode == WS_CONTINUATION;
  // How much comes out of compressed frames is seen to as it does. No more than
  // 9 bits have to go in for a byte (RFC 1951 3.2.6), so what is far longer is refused here.
  if (frame->rsv1 || (continues && p->assembly->inflater != NULL))
    return frame->length > (uint64_t)p->max_message + p->max_message / 8 + DEFLATE_OVERHEAD;
  uint64_t before = continues ? buf_len(&p->assembly->payload) : 0;
  return frame->length > p->max_message || before + frame->length > p->max_message;
}

// Puts the bytes of a header together behind those kept from earlier input.
static struct slice gather_head(struct ws_parser *p, const struct input *in) {
  struct ws_assembly *a = assembly_of(p);
  size_t room = WS_HEADER_MAX - a->head_len, left = in->len - in->at;
  size_t n = left < room ? left : room;
  memcpy(a->head + a->head_len, in->data + in->at, n);
  return slice_of(a->head, a->head_len + n);
}

static enum header read_header(struct ws_parser *p, struct input *in, struct ws_frame *frame,
                               struct ws_result *result) {
  size_t kept = p->assembly != NULL ? p->assembly->head_len : 0;
  struct slice head = slice_of(in->data + in->at, in->len - in->at);
  if (kept > 0) head = gather_head(p, in);
  int size = ws_frame_decode(head, frame);
  const char *broken = check_bits(p, frame, head.len);
  if (broken == NULL && size < 0) broken = "a frame's length is malformed";
  if (broken != NULL) {
    fail(p, result, WS_CLOSE_PROTOCOL, broken);
    return HEADER_BAD;
  }
  if (exceeds_limit(p, frame)) {
    fail(p, result, WS_CLOSE_TOO_BIG, too_big);
    return HEADER_BAD;
  }
  if (size == 0) {
    if (kept == 0) head = gather_head(p, in);
    p->assembly->head_len = (uint8_t)head.len;
    in->at = in->len;
    return HEADER_PARTIAL;
  }
  if (kept > 0) p->assembly->head_len = 0;
  in->at += (size_t)size - kept;
  return HEADER_WHOLE;
}

// ---- events --------------------------------------------------------------

// A close frame's payload is nothing, or a code and a reason (RFC 6455 5.5.1).
static enum ws_event tell_close(struct ws_parser *p, struct slice payload,
                                struct ws_result *result) {
  result->code = WS_CLOSE_NO_STATUS;
  if (payload.len == 1) return fail(p, result, WS_CLOSE_PROTOCOL, "a close code is cut off");
  if (payload.len >= 2) {
    result->code = (uint8_t)payload.ptr[0] << 8 | (uint8_t)payload.ptr[1];
    result->data = slice_of(payload.ptr + 2, payload.len - 2);
    if (!ws_close_code_is_valid(result->code)) {
      return fail(p, result, WS_CLOSE_PROTOCOL, "a close code is not valid");
    }
    if (!utf8_is_valid(result->data)) return fail(p, result, WS_CLOSE_BAD_DATA, not_utf8);
  }
  p->is_finished = true;
  return WS_EVENT_CLOSE;
}

static enum ws_event tell_control(struct ws_parser *p, uint8_t opcode, struct slice payload,
                                  struct ws_result *result) {
  if (opcode == WS_CLOSE) return tell_close(p, payload, result);
  result->data = payload;
  return opcode == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
}

static enum ws_event tell_message(struct ws_result *result, enum message_kind kind,
                                  struct slice payload) {
  result->kind = kind;
  result->data = payload;
  return WS_EVENT_MESSAGE;
}

static enum message_kind kind_of(const struct ws_frame *frame) {
  return frame->opcode == WS_TEXT ? MESSAGE_TEXT : MESSAGE_BINARY;
}

// The frame stands whole in the input and needs no other.
static enum ws_event tell_in_place(struct ws_parser *p, struct input *in,
                                   const struct ws_frame *frame, struct ws_result *result) {
  struct slice payload = slice_of(in->data + in->at, (size_t)frame->length);
  ws_unmask(in->data + in->at, payload.len, frame->mask, 0);
  in->at += payload.len;
  release_when_idle(p, in->spare);  // it may have held the header's first bytes
  if (is_control(frame)) return tell_control(p, frame->opcode, payload, result);
  if (frame->opcode == WS_TEXT && !utf8_is_valid(payload)) {
    return fail(p, result, WS_CLOSE_BAD_DATA, not_utf8);
  }
  return tell_message(result, kind_of(frame), payload);
}

// ---- frames in pieces ----------------------------------------------------

static void begin_message(struct ws_assembly *a, const struct ws_frame *frame,
                          struct ws_inflater **spare) {
  a->in_message = true;
  a->kind = kind_of(frame);
  if (!frame->rsv1) return;
  a->inflater = *spare != NULL ? *spare : ws_inflater_new(WS_WINDOW_BITS_MAX, false);
  *spare = NULL;
  ws_inflater_begin(a->inflater);
}

static void begin_frame(struct ws_parser *p, const struct ws_frame *frame,
                        struct ws_inflater **spare) {
  struct ws_assembly *a = assembly_of(p);
  a->in_frame = true;
  a->frame = *frame;
  a->got = 0;
  if (!is_control(frame) && frame->opcode != WS_CONTINUATION) begin_message(a, frame, spare);
}

// Checks text of the message under way as it comes, so that it fails at the first bad byte.
static bool is_text_so_far(struct ws_assembly *a, struct slice piece) {
  return a->kind != MESSAGE_TEXT || utf8_feed(&a->utf8, piece);
}

// Inflates a piece of the message under way, or, with piece NULL, what is left at
// its end. Compressed data that is broken is data of the wrong kind: RFC 7692
// names no code for it, 1007 is what peers know.
static enum ws_event inflate_piece(struct ws_parser *p, const struct slice *piece,
                                   struct ws_result *result) {
  struct ws_assembly *a = p->assembly;
  size_t before = buf_len(&a->payload);
  enum ws_inflated status = piece != NULL
                                ? ws_inflate(a->inflater, *piece, p->max_message, &a->payload)
                                : ws_inflater_end(a->inflater, p->max_message, &a->payload);
  // What came out comes first, so that the verdict does not depend on the pieces.
  struct slice all = buf_slice(&a->payload);
  if (!is_text_so_far(a, slice_of(all.ptr + before, all.len - before)))
    return fail(p, result, WS_CLOSE_BAD_DATA, not_utf8);
  if (status == WS_INFLATE_TOO_BIG) return fail(p, result, WS_CLOSE_TOO_BIG, too_big);
  if (status == WS_INFLATE_BROKEN)
    return fail(p, result, WS_CLOSE_BAD_DATA, "compressed data is broken");
  return WS_EVENT_MORE;
}

// The frame's payload is complete. Its bytes stay in the assembly until the
// next feed, which finds it idle.
static enum ws_event end_frame(struct ws_parser *p, struct ws_result *result) {
  struct ws_assembly *a = p->assembly;
  a->in_frame = false;
  if (is_control(&a->frame)) {
    return tell_control(p, a->frame.opcode, slice_of(a->control, a->got), result);
  }
  if (!a->frame.fin) return WS_EVENT_MORE;
  a->in_message = false;
  if (a->inflater != NULL && inflate_piece(p, NULL, result) == WS_EVENT_FAILED)
    return WS_EVENT_FAILED;
  if (a->kind == MESSAGE_TEXT && !utf8_is_complete(&a->utf8)) {
    return fail(p, result, WS_CLOSE_BAD_DATA, not_utf8);
  }
  return tell_message(result, a->kind, buf_slice(&a->payload));
}

// Takes what the input has of the frame under way. The buffer grows with what
// has come, never with what a header announces: announcing costs a peer nothing.
static enum ws_event collect(struct ws_parser *p, struct input *in, struct ws_result *result) {
  struct ws_assembly *a = p->assembly;
  enum ws_event event = WS_EVENT_MORE;
  uint64_t missing = a->frame.length - a->got;
  size_t left = in->len - in->at;
  struct slice piece = slice_of(in->data + in->at, missing < left ? (size_t)missing : left);
  ws_unmask(in->data + in->at, piece.len, a->frame.mask, a->got & 3);
  if (is_control(&a->frame)) {
    memcpy(a->control + a->got, piece.ptr, piece.len);
  } else if (a->inflater != NULL) {
    event = inflate_piece(p, &piece, result);
  } else if (!is_text_so_far(a, piece)) {
    event = fail(p, result, WS_CLOSE_BAD_DATA, not_utf8);
  } else {
    buf_append_slice(&a->payload, piece);
  }
  if (event == WS_EVENT_FAILED) return event;
  in->at += piece.len;
  a->got += piece.len;
  return a->got == a->frame.length ? end_frame(p, result) : WS_EVENT_MORE;
}

// Goes on by at most one frame.
static enum ws_event read_frame(struct ws_parser *p, struct input *in, struct ws_result *result) {
  if (p->assembly != NULL && p->assembly->in_frame) return collect(p, in, result);
  struct ws_frame frame;
  switch (read_header(p, in, &frame, result)) {
    case HEADER_PARTIAL:
      return WS_EVENT_MORE;
    case HEADER_BAD:
      return WS_EVENT_FAILED;
    case HEADER_WHOLE:
      break;
  }
  bool stands_alone =
      is_control(&frame) || (frame.fin && frame.opcode != WS_CONTINUATION && !frame.rsv1);
  if (stands_alone && frame.length <= in->len - in->at) return tell_in_place(p, in, &frame, result);
  begin_frame(p, &frame, in->spare);
  return collect(p, in, result);
}

enum ws_event ws_parser_feed(struct ws_parser *parser, struct ws_inflater **spare, char *data,
                             size_t len, size_t *consumed, struct ws_result *result) {
  struct input in = {spare, data, len, 0};
  enum ws_event event = WS_EVENT_MORE;
  *result = (struct ws_result){0};
  if (parser->is_finished)
    ws_parser_free(parser);
  else
    release_when_idle(parser, spare);
  while (event == WS_EVENT_MORE && !parser->is_finished && in.at < len) {
    event = read_frame(parser, &in, result);
  }
  *consumed = event == WS_EVENT_MORE || event == WS_EVENT_FAILED ? len : in.at;
  return event;
}
