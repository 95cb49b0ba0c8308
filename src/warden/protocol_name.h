/* protocol_name.h: the warden's words for enum protocol_id (proto/protocol.h, which it may not
 * see): numbers on the wire, bits in the store, names in the configuration and on the command line.
 * Pure; any thread. */
#ifndef POSTERN_WARDEN_PROTOCOL_NAME_H
#define POSTERN_WARDEN_PROTOCOL_NAME_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/view.h"

const char *protocol_name_of(uint8_t protocol); /* NULL: none */
/* "imap,pop3" into bits 1 << protocol; "" is 0, which means all. False: a word that is none. */
MUST_USE bool protocol_name_bits(struct view text, uint32_t *ret);
/* The bits as text, "" for 0. */
void protocol_name_text(uint32_t bits, struct buf *out);

#endif
