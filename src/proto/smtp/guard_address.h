/* guard_address.h: the path of MAIL FROM and RCPT TO, and whether it is one of the account's own.
 * Source: RFC 5321 §4.1.2 (Path), RFC 6531 §3.3 (UTF-8). No source routes. Private to the guard.
 * Runs in: edge. Pure. */
#ifndef POSTERN_PROTO_SMTP_GUARD_ADDRESS_H
#define POSTERN_PROTO_SMTP_GUARD_ADDRESS_H

#include "base/view.h"

struct smtp_path {
    struct view address; /* between the brackets; empty: the null path */
    struct view domain;  /* behind the '@'; empty: there is none */
    bool is_quoted;      /* the local part is a quoted string */
};

/* Takes "<…>" off the front of *v; false: there is none that everybody would read in the same way.
 * The octets must have been found free of control octets and to be UTF-8. */
bool smtp_path_take(struct view *v, struct smtp_path *ret);
/* `senders`: "ann@example.org @example.net". The null path is everybody's. */
bool smtp_path_is_own(const struct smtp_path *path, struct view senders);

#endif
