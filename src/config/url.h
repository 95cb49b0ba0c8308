/* url.h: addresses in settings: URLs of upstreams, and what a gate listens on. No names are
 * resolved. Internal to src/config; config_listen in config.h is the public half. Pure. */
#ifndef POSTERN_CONFIG_URL_H
#define POSTERN_CONFIG_URL_H

#include "config/value.h"

#define URL_UNIX_MAX 107 /* sun_path of Linux, without NUL */

/* Takes a URL with one of the protocol's schemes apart; *ret is owned by the caller
 * (url_done), and only filled after true. */
MUST_USE bool url_parse(const struct schema_protocol *p, const char *text, struct conf_url *ret,
                        struct fault *fault);
void url_done(struct conf_url *u);
/* The same as text: appended to `out`. */
void url_put(const struct conf_url *u, struct buf *out);
/* A DNS name by letters, digits, '-', '_' and '.', or an IPv4 address. */
bool url_is_host(struct view v);

#endif
