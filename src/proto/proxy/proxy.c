#include "proto/proxy/proxy.h"

#include "base/limits.h"

static const uint8_t signature[12] = { '\r', '\n', '\r', '\n', 0,   '\r',
                                       '\n', 'Q',  'U',  'I',  'T', '\n' };

enum { HEADER = 16, VERSION_LOCAL = 0x20, VERSION_PROXY = 0x21 };
enum { FAMILY_UNKNOWN = 0x00, FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21, FAMILY_UNIX = 0x31 };

static uint16_t number16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* An address of `octets` octets; one that is mapped from IPv4 is held as IPv4 (base/addr.h). */
static struct addr address_of(const uint8_t *ip, uint8_t octets, const uint8_t *port)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    struct addr a = { .octets = octets, .port = number16(port) };

    if (octets == 16 && memcmp(ip, mapped, sizeof(mapped)) == 0) {
        a.octets = 4;
        ip += sizeof(mapped);
    }
    memcpy(a.ip, ip, a.octets);
    return a;
}

static enum proxy_result parse_v2(struct view in, size_t *ret_used, struct proxy_header *ret)
{
    const size_t n = in.n < sizeof(signature) ? in.n : sizeof(signature);

    if (memcmp(in.p, signature, n) != 0)
        return PROXY_BAD;
    if (in.n > 12 && in.p[12] != VERSION_LOCAL && in.p[12] != VERSION_PROXY)
        return PROXY_BAD;
    if (in.n < HEADER)
        return PROXY_MORE;
    const uint8_t family = in.p[13];
    const size_t length = number16(in.p + 14);
    if (length > LIMIT_PROXY_V2 - HEADER)
        return PROXY_BAD;
    size_t octets = 0; /* of one address */
    if (in.p[12] == VERSION_PROXY) {
        if (family == FAMILY_TCP4)
            octets = 4;
        else if (family == FAMILY_TCP6)
            octets = 16;
        else if (family == FAMILY_UNIX ? length < 216 : family != FAMILY_UNKNOWN)
            return PROXY_BAD;
        if (octets != 0 && length < 2 * octets + 4)
            return PROXY_BAD;
    }
    if (in.n < HEADER + length)
        return PROXY_MORE;
    *ret_used = HEADER + length;
    *ret = (struct proxy_header){ 0 };
    if (octets != 0) {
        const uint8_t *p = in.p + HEADER;
        ret->source = address_of(p, (uint8_t)octets, p + 2 * octets);
        ret->target = address_of(p + octets, (uint8_t)octets, p + 2 * octets + 2);
    }
    return PROXY_DONE;
}

/* The next field of a version 1 line: up to a single space or the end; false: empty. */
static bool take_field(struct view *line, struct view *ret)
{
    *ret = view_first(*line, view_find(*line, ' '));
    *line = view_skip(*line, ret->n + 1);
    return ret->n != 0;
}

static bool parse_ip(struct view text, bool is_6, struct addr *ret)
{
    char copy[ADDR_TEXT_MAX];

    if (text.n >= sizeof(copy) || (view_find(text, ':') != text.n) != is_6 ||
        view_find(text, 0) != text.n)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    return addr_parse(copy, ret);
}

static bool parse_port(struct view text, uint16_t *ret)
{
    uint64_t port;

    if ((text.n > 1 && text.p[0] == '0') || !view_number(text, UINT16_MAX, &port))
        return false;
    *ret = (uint16_t)port;
    return true;
}

static bool parse_fields(struct view line, struct proxy_header *ret)
{
    struct view field[4];
    struct view protocol;

    *ret = (struct proxy_header){ 0 };
    const bool is_last_empty = line.n == 0 || line.p[line.n - 1] == ' ';
    if (!take_field(&line, &protocol))
        return false;
    if (view_is_equal(protocol, VIEW_LIT("UNKNOWN")))
        return true; /* "must ignore anything presented before the CRLF" */
    const bool is_6 = view_is_equal(protocol, VIEW_LIT("TCP6"));
    if ((!is_6 && !view_is_equal(protocol, VIEW_LIT("TCP4"))) || is_last_empty)
        return false;
    for (size_t i = 0; i < COUNT_OF(field); i++)
        if (!take_field(&line, &field[i]))
            return false;
    return line.n == 0 && parse_ip(field[0], is_6, &ret->source) &&
           parse_ip(field[1], is_6, &ret->target) && parse_port(field[2], &ret->source.port) &&
           parse_port(field[3], &ret->target.port);
}

static enum proxy_result parse_v1(struct view in, size_t *ret_used, struct proxy_header *ret)
{
    const struct view word = VIEW_LIT("PROXY ");
    const struct view line = view_first(in, LIMIT_PROXY_V1);
    struct proxy_header header;

    if (memcmp(in.p, word.p, in.n < word.n ? in.n : word.n) != 0)
        return PROXY_BAD;
    const size_t end = view_find(line, '\r');
    if (view_find(view_first(line, end), '\n') != end)
        return PROXY_BAD;
    if (end + 1 >= line.n) /* no CR yet, or its LF is to come */
        return line.n == LIMIT_PROXY_V1 ? PROXY_BAD : PROXY_MORE;
    if (line.p[end + 1] != '\n' || !parse_fields(view_skip(view_first(line, end), word.n), &header))
        return PROXY_BAD;
    *ret_used = end + 2;
    *ret = header;
    return PROXY_DONE;
}

enum proxy_result proxy_parse(struct view in, size_t *ret_used, struct proxy_header *ret)
{
    if (in.n == 0)
        return PROXY_MORE;
    return in.p[0] == signature[0] ? parse_v2(in, ret_used, ret) : parse_v1(in, ret_used, ret);
}

static void put_number16(uint16_t n, struct buf *out)
{
    buf_put_octet(out, (uint8_t)(n >> 8));
    buf_put_octet(out, (uint8_t)n);
}

size_t proxy_wanted(struct view in)
{
    static const size_t shortest = sizeof("PROXY UNKNOWN\r\n") - 1;

    if (in.n < shortest)
        return shortest - in.n;
    if (memcmp(in.p, signature, sizeof(signature)) != 0 || in.n < HEADER)
        return 1;
    const size_t whole = HEADER + (size_t)number16(in.p + 14);
    return in.n < whole ? whole - in.n : 1;
}

void proxy_write_v2(const struct addr *source, const struct addr *target, struct buf *out)
{
    const uint8_t octets = source->octets == target->octets ? source->octets : 0;

    buf_put(out, view_of(signature, sizeof(signature)));
    buf_put_octet(out, octets == 0 ? VERSION_LOCAL : VERSION_PROXY);
    buf_put_octet(out, octets == 0 ? FAMILY_UNKNOWN : octets == 4 ? FAMILY_TCP4 : FAMILY_TCP6);
    put_number16(octets == 0 ? 0 : (uint16_t)(2 * octets + 4), out);
    if (octets == 0)
        return;
    buf_put(out, view_of(source->ip, octets));
    buf_put(out, view_of(target->ip, octets));
    put_number16(source->port, out);
    put_number16(target->port, out);
}
