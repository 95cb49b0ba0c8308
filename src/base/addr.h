/* addr.h: a network address and a network, as values: no sockets here.
 * IPv4-mapped IPv6 addresses are held as IPv4, so that one client is one source. Any thread. */
#ifndef POSTERN_BASE_ADDR_H
#define POSTERN_BASE_ADDR_H

#include "base/attr.h"
#include "base/view.h"

#define ADDR_TEXT_MAX 56 /* "[addr]:port" or "addr/prefix", with NUL */

struct addr {
    uint8_t ip[16]; /* network order; IPv4 in the first four */
    uint8_t octets; /* 4, 16, or 0: unknown (a Unix socket) */
    uint16_t port;  /* host order; 0: none */
};

struct network {
    struct addr base; /* host bits are zero */
    uint8_t prefix;   /* bits */
};

struct sockaddr;
MUST_USE bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret);
MUST_USE bool addr_parse(const char *text, struct addr *ret);       /* no port in the text  */
MUST_USE bool network_parse(const char *text, struct network *ret); /* "a/n", or an address */
bool network_holds(const struct network *n, const struct addr *a);
/* The network of `a` with `bits4` or `bits6` prefix bits, by family. */
struct network network_around(const struct addr *a, uint8_t bits4, uint8_t bits6);
bool addr_is_equal(const struct addr *a, const struct addr *b); /* without the port */
bool addr_is_loopback(const struct addr *a);
/* Write into `text` (ADDR_TEXT_MAX octets) and return it. */
const char *addr_text(const struct addr *a, char *text);
const char *network_text(const struct network *n, char *text);

#endif
