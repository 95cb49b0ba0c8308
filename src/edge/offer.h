/* offer.h: what the upstreams offer, for the protocols in which a gate must say it before the login
 * (protocol.has_offer). It is learned from every login, and looked up, without a credential, when
 * it is not known or old: at the edge's start, and when a session begins. Where several upstreams
 * serve a protocol, only what all of them offer is offered. Runs in: edge, on its loop's thread. */
#ifndef POSTERN_EDGE_OFFER_H
#define POSTERN_EDGE_OFFER_H

#include "edge/context.h"

/* The offer of this protocol's upstreams as far as is known; empty: nothing is. Lives until the
 * loop goes on. May begin a look. */
struct view offer_of(struct edge *e, const struct protocol *p);
/* A login has shown what its upstream offers. */
void offer_learn(struct edge *e, const struct edge_upstream *u, const struct protocol *p,
                 struct view capabilities);
/* Looks at all upstreams of the gates' protocols; calls on_done once, from here or later, when each
 * has answered or failed. Once in an edge's life. ERR_MEMORY. */
MUST_USE enum err offer_begin(struct edge *e, void (*on_done)(struct edge *e));

#endif
