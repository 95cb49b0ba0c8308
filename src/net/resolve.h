/* resolve.h: host names of upstreams to addresses, asynchronously, with a small cache.
 * /etc/hosts and /etc/resolv.conf are read when a host is added, before the sandbox; after that
 * only DNS is asked (c-ares). An address that has gone stale is better than none: it is used while
 * the servers do not answer. Source: RFC 1035; RFC 8305 §3, §4 for the order. Owns: the cache. Runs
 * in: edge, on its loop's thread. */
#ifndef POSTERN_NET_RESOLVE_H
#define POSTERN_NET_RESOLVE_H

#include "base/addr.h"
#include "base/limits.h"
#include "net/loop.h"

struct resolver;
struct resolve_query;

typedef void resolve_done(struct resolve_query *q, const struct addr *addresses, size_t n);

/* Embedded in whoever asks; n == 0 in on_done: no address. */
struct resolve_query {
    struct resolve_query *next;
    void *owner;
    resolve_done *on_done;
    bool is_waiting;
};

MUST_USE struct resolver *resolver_new(uv_loop_t *loop); /* NULL: no memory or no configuration */
void resolver_free(struct resolver *r);                  /* no query may be waiting */
/* Makes a name known; literal addresses and names in /etc/hosts are fixed from then on. */
MUST_USE enum err resolver_add(struct resolver *r, const char *name);
/* on_done is called at once when the answer is in the cache, later otherwise. */
void resolver_ask(struct resolver *r, struct resolve_query *q, const char *name);
void resolver_cancel(struct resolver *r,
                     struct resolve_query *q); /* on_done is not called any more */
/* How many addresses a name has now. */
size_t resolver_count(struct resolver *r, const char *name);
/* The address that goes first did not serve: it goes last from now on. */
void resolver_demote(struct resolver *r, const char *name);
/* This address answered: it goes first from now on. */
void resolver_prefer(struct resolver *r, const char *name, const struct addr *address);

#endif
