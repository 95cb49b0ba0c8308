/* metrics_server.h: hands the metrics to Prometheus: HTTP/1.0, one GET a connection, from a
 * loopback port or a Unix socket. A library would be larger than all that is understood here: the
 * method and nothing else. Bounded: connections, octets of a request, time. Runs in: warden, on the
 * loop. */
#ifndef POSTERN_WARDEN_METRICS_SERVER_H
#define POSTERN_WARDEN_METRICS_SERVER_H

#include "warden/core.h"

#define METRICS_CLIENTS 8    /* connections at once */
#define METRICS_REQUEST 1024 /* octets, with all header fields */
#define METRICS_END_MS  5000 /* from accept to the last octet */

/* Takes the listening socket over. ERR_MEMORY. */
MUST_USE enum err metrics_server_open(struct warden *w, int fd);
void metrics_server_close(struct warden *w);
void metrics_server_tick(struct warden *w); /* ends those that take too long */

#endif
