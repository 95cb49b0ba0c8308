/* proxy.h: the PROXY protocol, versions 1 and 2: parse what a load balancer puts before a client's
 * octets, and write version 2 towards an upstream.
 * Source: haproxy.org, "The PROXY protocol", 2020/03/05, §2.1, §2.2.
 * Pure; runs in: edge. Bounded by LIMIT_PROXY_V1 and LIMIT_PROXY_V2. */
#ifndef POSTERN_PROTO_PROXY_PROXY_H
#define POSTERN_PROTO_PROXY_PROXY_H

#include "base/addr.h"
#include "base/buf.h"

enum proxy_result {
    PROXY_MORE = 0, /* the header is not complete                                        */
    PROXY_DONE,     /* *ret_used octets are the header                                    */
    PROXY_BAD,      /* not a PROXY header: close without a word                           */
};

struct proxy_header {
    struct addr source, target; /* octets == 0: UNKNOWN or LOCAL, use the connection's own */
};

MUST_USE enum proxy_result proxy_parse(struct view in, size_t *ret_used, struct proxy_header *ret);
/* How many octets may be read next without reading beyond the header: what follows is TLS. Never 0
 * for a header that proxy_parse calls incomplete. */
size_t proxy_wanted(struct view in);
/* Appends a version 2 header (PROXY, TCP; LOCAL when the families differ or are unknown). */
void proxy_write_v2(const struct addr *source, const struct addr *target, struct buf *out);

#endif
