/* dial.h: a TCP (or Unix) connection to one of an upstream's URLs: names resolved, addresses of
 * both families raced, URLs tried in turn. Source: RFC 8305 (Happy Eyeballs), §5 for the delay.
 * Owns: its descriptors until one is handed over. Memory goes in the last close callback.
 * Runs in: edge, on its loop's thread. */
#ifndef POSTERN_NET_DIAL_H
#define POSTERN_NET_DIAL_H

#include "config/config.h"
#include "net/poller.h"
#include "net/resolve.h"

struct dial;

struct dial_conf {
    uv_loop_t *loop;
    struct poller *poller;       /* borrowed */
    struct resolver *resolver;   /* borrowed */
    const struct conf_url *urls; /* borrowed */
    size_t url_count;
    uint32_t timeout_ms; /* for all of it */
    void *owner;
    /* `from` watches a connected socket: the callee takes it (stream_take); NULL: nothing answered
     * in time. `url`: which of the URLs. Called once, never from inside dial_start. */
    void (*on_done)(void *owner, struct watch *from, const struct conf_url *url);
};

MUST_USE struct dial *dial_start(const struct dial_conf *conf); /* NULL: no memory */
void dial_cancel(struct dial *d);                               /* on_done is not called any more */

#endif
