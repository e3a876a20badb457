// Inflating messages: see inflate.h. Without context a broadcast is the same
// bytes for everybody. So the load inflates it once and checks the text; what the
// other clients get it compares with those bytes, which costs next to nothing.
#include "load/inflate.h"

#include <string.h>
#include <zlib.h>

#include "load/load.h"

// More slots than messages on the way at once; with fewer, clients that are
// apart would put each other's out.
enum { SLOTS = 256, TEXT_MAX = 1 << 16 };

static struct slot { struct bytes deflated, text; } slots[SLOTS];

static bool inflate_all(const struct bytes *deflated, struct bytes *text) {
  static z_stream stream;
  static char out[TEXT_MAX];
  if (stream.state == NULL && inflateInit2(&stream, -MAX_WBITS) != Z_OK) load_fail("out of memory");
  inflateReset(&stream);
  stream.next_in = (Bytef *)deflated->data;
  stream.avail_in = (uInt)deflated->len;
  stream.next_out = (Bytef *)out;
  stream.avail_out = sizeof out;
  int result = inflate(&stream, Z_SYNC_FLUSH);
  text->len = 0;
  bytes_append(text, out, sizeof out - stream.avail_out);
  return result == Z_OK && stream.avail_in == 0;
}

static bool is_published(struct load *load, const struct bytes *text) {
  size_t size = (size_t)load->options.size;
  return text->len == size &&
         memcmp(text->data, load_payload(load, load_counter(text->data, size)), size) == 0;
}

static void fill_slot(struct slot *slot, const struct client *client,
                      const struct wire_message *message) {
  static const char tail[4] = {0, 0, (char)0xff, (char)0xff};  // RFC 7692 section 7.2.2
  slot->deflated.len = 0;
  bytes_append(&slot->deflated, message->data, message->len);
  bytes_append(&slot->deflated, tail, sizeof tail);
  if (!inflate_all(&slot->deflated, &slot->text) || !is_published(client->load, &slot->text)) {
    load_fail("%s: what was compressed is not what was published", client->path);
  }
  slot->deflated.len = message->len;
}

void inflate_message(const struct client *client, struct wire_message *message) {
  // Where the clients that were ahead of this one have put it.
  struct slot *slot = &slots[client->next % SLOTS];
  bool is_known = slot->deflated.len == message->len &&
                  memcmp(slot->deflated.data, message->data, message->len) == 0;
  if (!is_known) fill_slot(slot, client, message);
  message->data = slot->text.data;
  message->len = slot->text.len;
}
