/* capability.h: which lines of an upstream's CAPA reply may pass the gate, before the login and
 * after it. A list of what is known to be harmless: a command behind any other word would not pass
 * the guard. UTF8 (RFC 6856) is not in it: its command belongs before the login, where nothing of
 * the client's goes upstream; nor is IMPLEMENTATION, which tells strangers a version.
 * Source: RFC 2449 §3, §6; RFC 3206; RFC 6856. Pure; runs in: edge. */
#ifndef POSTERN_PROTO_POP3_CAPABILITY_H
#define POSTERN_PROTO_POP3_CAPABILITY_H

#include "base/buf.h"

/* What the gate itself stands for in either state; RFC 2449 §6.4, RFC 3206 §6: the same in both. */
#define POP3_CAPABILITY_OWN "RESP-CODES\r\nAUTH-RESP-CODE\r\n"

/* May this line, without its CRLF, be shown? Case plays no part. */
bool pop3_capability_passes(struct view line);
/* Appends those of `lines` (each with its CRLF) that pass. */
void pop3_capability_filter(struct view lines, struct buf *out);

#endif
