/* tickets.h: the keys of TLS session tickets, the same for every edge, newest first.
 * Source: RFC 5077 §4; layout in wire/messages.def (boot_tickets). Owns: the keys, wiped. */
#ifndef POSTERN_SUPERVISOR_TICKETS_H
#define POSTERN_SUPERVISOR_TICKETS_H

#include "base/view.h"

#define TICKETS_KEY  80 /* octets: name 16, HMAC 32, AES 32 */
#define TICKETS_KEPT 4  /* keys that still open tickets */

struct tickets {
    uint8_t keys[TICKETS_KEPT * TICKETS_KEY];
    size_t n;            /* octets in use */
    uint64_t rotated_ms; /* when the newest was made */
};

/* A new key comes first, the oldest goes. */
void tickets_rotate(struct tickets *t, uint64_t now_ms);
void tickets_done(struct tickets *t);

static inline struct view tickets_view(const struct tickets *t)
{
    return view_of(t->keys, t->n);
}

#endif
