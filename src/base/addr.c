#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

static void from_in6(const struct in6_addr *in6, struct addr *ret)
{
    if (IN6_IS_ADDR_V4MAPPED(in6)) {
        memcpy(ret->ip, in6->s6_addr + 12, 4);
        ret->octets = 4;
    } else {
        memcpy(ret->ip, in6->s6_addr, 16);
        ret->octets = 16;
    }
}

bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret)
{
    *ret = (struct addr){ 0 };
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        memcpy(ret->ip, &in.sin_addr, 4);
        ret->octets = 4;
        ret->port = ntohs(in.sin_port);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        from_in6(&in6.sin6_addr, ret);
        ret->port = ntohs(in6.sin6_port);
        return true;
    }
    return false;
}

bool addr_parse(const char *text, struct addr *ret)
{
    struct in6_addr in6;

    *ret = (struct addr){ 0 };
    if (inet_pton(AF_INET, text, ret->ip) == 1) {
        ret->octets = 4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &in6) != 1)
        return false;
    from_in6(&in6, ret);
    return true;
}

static void mask(struct addr *a, uint8_t prefix)
{
    for (size_t i = 0; i < sizeof(a->ip); i++) {
        const size_t first_bit = i * 8;
        if (first_bit >= prefix)
            a->ip[i] = 0;
        else if (prefix - first_bit < 8)
            a->ip[i] &= (uint8_t)(0xff << (8 - (prefix - first_bit)));
    }
}

bool network_parse(const char *text, struct network *ret)
{
    char copy[ADDR_TEXT_MAX];
    uint64_t prefix;
    const char *slash = strchr(text, '/');
    const size_t n = slash == NULL ? strlen(text) : (size_t)(slash - text);

    if (n >= sizeof(copy))
        return false;
    memcpy(copy, text, n);
    copy[n] = 0;
    if (!addr_parse(copy, &ret->base))
        return false;
    const uint8_t bits = (uint8_t)(ret->base.octets * 8);
    prefix = bits;
    if (slash != NULL && !view_number(view_text(slash + 1), bits, &prefix))
        return false;
    ret->prefix = (uint8_t)prefix;
    mask(&ret->base, ret->prefix);
    return true;
}

struct network network_around(const struct addr *a, uint8_t bits4, uint8_t bits6)
{
    struct network n = { .base = *a, .prefix = a->octets == 4 ? bits4 : bits6 };

    n.base.port = 0;
    mask(&n.base, n.prefix);
    return n;
}

bool network_holds(const struct network *n, const struct addr *a)
{
    if (a->octets == 0 || n->base.octets != a->octets)
        return false;
    const struct network around = network_around(a, n->prefix, n->prefix);
    return memcmp(around.base.ip, n->base.ip, a->octets) == 0;
}

bool addr_is_equal(const struct addr *a, const struct addr *b)
{
    return a->octets == b->octets && memcmp(a->ip, b->ip, a->octets) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = { [15] = 1 };

    return a->octets == 4 ? a->ip[0] == 127 : a->octets == 16 && memcmp(a->ip, one, 16) == 0;
}

static void put_ip(const struct addr *a, char *text)
{
    text[0] = 0;
    if (a->octets != 0)
        (void)inet_ntop(a->octets == 4 ? AF_INET : AF_INET6, a->ip, text, INET6_ADDRSTRLEN);
}

const char *addr_text(const struct addr *a, char *text)
{
    char ip[INET6_ADDRSTRLEN];

    put_ip(a, ip);
    if (a->octets == 0)
        (void)snprintf(text, ADDR_TEXT_MAX, "local");
    else if (a->port == 0)
        (void)snprintf(text, ADDR_TEXT_MAX, "%s", ip);
    else
        (void)snprintf(text, ADDR_TEXT_MAX, a->octets == 4 ? "%s:%u" : "[%s]:%u", ip,
                       (unsigned)a->port);
    return text;
}

const char *network_text(const struct network *n, char *text)
{
    char ip[INET6_ADDRSTRLEN];

    put_ip(&n->base, ip);
    (void)snprintf(text, ADDR_TEXT_MAX, "%s/%u", ip, (unsigned)n->prefix);
    return text;
}
