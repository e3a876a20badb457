// The wire forms messages are encoded in: one row per form. The index is what
// hub readers carry.
#ifndef TIDEGATE_NET_WIRE_H
#define TIDEGATE_NET_WIRE_H

#include "base/message.h"

enum wire_form {
  WIRE_WS,
  WIRE_WS_ENVELOPE,
  WIRE_WS_DEFLATED,
  WIRE_WS_ENVELOPE_DEFLATED,
  WIRE_SSE,
  WIRE_FORMS
};

_Static_assert((int)WIRE_FORMS == (int)MESSAGE_FORMS, "a message has a place for each form");

// Their tools are a struct worker.
extern message_encode_fn *const wire_encoders[WIRE_FORMS];

#endif
