// The table of close codes: see ws_close_code.h.
#include "proto/ws_close_code.h"

#define ROW(code, name, is_on_wire, is_of_servers) \
  { code, code, name, is_on_wire, is_of_servers }

const struct ws_close_code_row ws_close_code_rows[] = {
    ROW(WS_CLOSE_NORMAL, "normal closure", true, true),
    ROW(WS_CLOSE_GOING_AWAY, "going away", true, true),
    ROW(WS_CLOSE_PROTOCOL, "protocol error", true, true),
    ROW(WS_CLOSE_UNSUPPORTED, "unsupported data", true, true),
    ROW(WS_CLOSE_NO_STATUS, "no status received", false, false),
    ROW(WS_CLOSE_ABNORMAL, "abnormal closure", false, false),
    ROW(WS_CLOSE_BAD_DATA, "invalid payload", true, true),
    ROW(WS_CLOSE_POLICY, "policy violation", true, true),
    ROW(WS_CLOSE_TOO_BIG, "message too big", true, true),
    ROW(WS_CLOSE_EXTENSION, "mandatory extension", true, false),
    ROW(WS_CLOSE_ERROR, "internal error", true, true),
    ROW(WS_CLOSE_RESTART, "service restart", true, true),
    ROW(WS_CLOSE_TRY_AGAIN, "try again later", true, true),
    ROW(WS_CLOSE_BAD_GATEWAY, "bad gateway", true, true),
    ROW(WS_CLOSE_TLS, "TLS handshake", false, false),
    {3000, 3999, "registered", true, true},
    {4000, 4999, "private", true, true},
};
const size_t ws_close_code_row_count = sizeof ws_close_code_rows / sizeof *ws_close_code_rows;

const struct ws_close_code_row *ws_close_code_find(int64_t code) {
  for (size_t i = 0; i < ws_close_code_row_count; i++) {
    const struct ws_close_code_row *row = &ws_close_code_rows[i];
    if (code >= row->first && code <= row->last) return row;
  }
  return NULL;
}

bool ws_close_code_is_valid(int64_t code) {
  const struct ws_close_code_row *row = ws_close_code_find(code);
  return row != NULL && row->is_on_wire;
}

bool ws_close_code_may_be_sent(int64_t code) {
  const struct ws_close_code_row *row = ws_close_code_find(code);
  return row != NULL && row->is_on_wire && row->is_of_servers;
}
