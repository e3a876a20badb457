// Extensions of the opening handshake: see ws_extensions.h.
#include "proto/ws_extensions.h"

#include <stddef.h>
#include <string.h>

#include "proto/http_chars.h"
#include "proto/ws_deflate.h"
#include "proto/ws_list.h"

#define NAME "permessage-deflate"

// What a parameter may stand with.
enum value_rule { VALUE_NONE, VALUE_OPTIONAL, VALUE_REQUIRED };

static const struct parameter {
  const char *name;
  enum value_rule rule;
  size_t offset;  // in struct ws_deflate_terms; a bool for VALUE_NONE, else window bits
} parameters[] = {
    {"server_no_context_takeover", VALUE_NONE,
     offsetof(struct ws_deflate_terms, server_no_context)},
    {"client_no_context_takeover", VALUE_NONE,
     offsetof(struct ws_deflate_terms, client_no_context)},
    {"server_max_window_bits", VALUE_REQUIRED, offsetof(struct ws_deflate_terms, server_bits)},
    {"client_max_window_bits", VALUE_OPTIONAL, offsetof(struct ws_deflate_terms, client_bits)},
};
enum { PARAMETERS = sizeof parameters / sizeof *parameters };

// ---- values (RFC 6455 section 9.1) ---------------------------------------

// A value after unescaping. Only those of one or two characters mean anything.
struct value {
  bool is_given;
  size_t len;
  char text[2];
};

static void add_char(struct value *value, char c) {
  if (value->len < sizeof value->text) value->text[value->len] = c;
  value->len++;
}

// What is quoted has to be a token once it is unescaped.
static bool take_quoted(struct slice *in, struct value *value) {
  while (in->len > 0 && *in->ptr != '"') {
    size_t escape = *in->ptr == '\\';
    if (in->len <= escape || !http_char_is(in->ptr[escape], HTTP_CHAR_TOKEN)) return false;
    add_char(value, in->ptr[escape]);
    *in = slice_of(in->ptr + escape + 1, in->len - escape - 1);
  }
  return ws_list_take_char(in, '"') && value->len > 0;
}

static bool take_value(struct slice *in, struct value *value) {
  value->is_given = true;
  if (ws_list_take_char(in, '"')) return take_quoted(in, value);
  struct slice token;
  if (!ws_list_take_token(in, &token)) return false;
  for (size_t i = 0; i < token.len; i++) add_char(value, token.ptr[i]);
  return true;
}

// ---- one offer -----------------------------------------------------------

// A decimal number of 8 to 15 without leading zeros; 0 for anything else.
static uint8_t window_bits_of(const struct value *value) {
  int number = 0;
  for (size_t i = 0; i < value->len && i < sizeof value->text; i++) {
    if (value->text[i] < '0' || value->text[i] > '9') return 0;
    number = number * 10 + value->text[i] - '0';
  }
  bool is_plain = value->len > 0 && value->len <= sizeof value->text && value->text[0] != '0';
  if (!is_plain || number < WS_WINDOW_BITS_MIN || number > WS_WINDOW_BITS_MAX) return 0;
  return (uint8_t)number;
}

static bool rule_allows(enum value_rule rule, bool is_given) {
  return is_given ? rule != VALUE_NONE : rule != VALUE_REQUIRED;
}

// Notes a parameter of an offer. False when the offer is to be declined for it.
static bool note_parameter(struct ws_deflate_terms *offer, struct slice name,
                           const struct value *value) {
  for (size_t i = 0; i < PARAMETERS; i++) {
    const struct parameter *p = &parameters[i];
    if (!slice_equal(name, slice_str(p->name))) continue;
    uint8_t *place = (uint8_t *)offer + p->offset;
    if (*place != 0 || !rule_allows(p->rule, value->is_given)) return false;
    if (p->rule == VALUE_NONE)
      *place = true;
    else
      *place = value->is_given ? window_bits_of(value) : WS_WINDOW_BITS_MAX;
    return *place != 0;
  }
  return false;
}

// ---- all of them ---------------------------------------------------------

struct search {
  struct ws_deflate_terms *offer;
  bool is_found;
};

// token *( ";" token [ "=" ( token | quoted-string ) ] )
static bool take_extension(struct slice *in, void *arg) {
  struct search *search = arg;
  struct ws_deflate_terms offer = {0};
  struct slice name;
  if (!ws_list_take_token(in, &name)) return false;
  bool is_acceptable = slice_equal(name, slice_str(NAME));
  while (ws_list_take_char(in, ';')) {
    struct value value = {0};
    if (!ws_list_take_token(in, &name)) return false;
    if (ws_list_take_char(in, '=') && !take_value(in, &value)) return false;
    is_acceptable = is_acceptable && note_parameter(&offer, name, &value);
  }
  if (!is_acceptable || search->is_found) return true;
  search->is_found = true;
  *search->offer = offer;
  return true;
}

enum ws_extensions ws_extensions_read(const struct http_request *request,
                                      struct ws_deflate_terms *offer) {
  struct search search = {offer, false};
  if (!ws_list_read(request, "Sec-WebSocket-Extensions", take_extension, &search))
    return WS_EXTENSIONS_MALFORMED;
  return search.is_found ? WS_EXTENSIONS_DEFLATE : WS_EXTENSIONS_NONE;
}

// ---- the answer ----------------------------------------------------------

static uint8_t at_most(unsigned bits, unsigned limit) {
  return (uint8_t)(bits < limit ? bits : limit);
}

struct ws_deflate_terms ws_deflate_agree(const struct ws_deflate_terms *offer, bool keeps_context) {
  struct ws_deflate_terms terms = *offer;
  // zlib has no compressor with a window of 256 bytes; without context none is
  // needed for messages that are no longer.
  if (!keeps_context || offer->server_bits == WS_WINDOW_BITS_MIN) terms.server_no_context = true;
  if (!keeps_context) terms.client_no_context = true;
  // Without context the window of a client takes no memory here.
  if (terms.client_no_context)
    terms.client_bits = 0;
  else if (offer->client_bits > 0)
    terms.client_bits = at_most(offer->client_bits, WS_WINDOW_BITS);
  return terms;
}

void ws_deflate_write_terms(struct buf *out, const struct ws_deflate_terms *terms) {
  buf_append_str(out, NAME);
  for (size_t i = 0; i < PARAMETERS; i++) {
    const struct parameter *p = &parameters[i];
    uint8_t value = ((const uint8_t *)terms)[p->offset];
    if (value == 0) continue;
    buf_printf(out, "; %s", p->name);
    if (p->rule != VALUE_NONE) buf_printf(out, "=%d", value);
  }
}
