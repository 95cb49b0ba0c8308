/* protocol_name.h: the warden's words for enum protocol_id (proto/protocol.h, which it may not
 * see): numbers on the wire, bits in the store, names in the configuration and on the command line.
 * Pure; any thread. */
#ifndef POSTERN_WARDEN_PROTOCOL_NAME_H
#define POSTERN_WARDEN_PROTOCOL_NAME_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/view.h"

/* Those that a verdict has something to say about. */
enum { PROTOCOL_NAME_IMAP = 1, PROTOCOL_NAME_SUBMISSION = 3 };

const char *protocol_name_of(uint8_t protocol); /* NULL: none */
/* "imap,pop3" into bits 1 << protocol; "" is 0, which means all. False: a word that is none. */
MUST_USE bool protocol_name_bits(struct view text, uint32_t *ret);
/* Do clients of this protocol say what they are? Only IMAP has a word for it (ID, RFC 2971); what a
 * client writes behind EHLO is its machine's name or address. So an app password that an IMAP login
 * has bound to a device works over the others, too: there no label is compared, and none is bound.
 * A lease for nothing but a device holds over IMAP only: elsewhere nothing would limit it. Networks
 * are compared over all. */
bool protocol_name_tells_client(uint8_t protocol);
/* The bits as text, "" for 0. */
void protocol_name_text(uint32_t bits, struct buf *out);

#endif
