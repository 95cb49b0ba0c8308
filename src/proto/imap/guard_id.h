/* guard_id.h: what a client says of itself in an ID command.
 * An upstream that believes in ID what the gate says of the client (Dovecot's x-originating-ip,
 * x-connected-ip, x-session-id, x-forward-* and more, Zimbra's X-ORIGINATING-IP) must not hear it
 * from the client. Names can be spelt in many ways, and the list of those believed grows: so what
 * the client says is parsed, and said anew with nothing but the fields of RFC 2971 §3.3.
 * Source: RFC 2971. Private to the guard. Runs in: edge. Pure. */
#ifndef POSTERN_PROTO_IMAP_GUARD_ID_H
#define POSTERN_PROTO_IMAP_GUARD_ID_H

#include "base/buf.h"

/* Appends the arguments of an ID command anew: NIL, or the list without any other field and
 * without values that are not plain ASCII. false: not understood, `out` is to be thrown away. */
bool imap_guard_id_build(struct view arguments, struct buf *out);

/* Appends "name version" out of the arguments, as far as they are plain quoted strings; control
 * octets become '?'. */
void imap_guard_id_label(struct view arguments, struct buf *out);

#endif
