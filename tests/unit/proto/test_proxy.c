/* The PROXY protocol: what is taken, what is refused, and that every prefix asks for more. */
#include "base/limits.h"
#include "proto/proxy/proxy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define OCTETS(s)                                                                                  \
    {                                                                                              \
        (const uint8_t *)("" s), sizeof(s) - 1                                                     \
    }
#define TCP4 SIGNATURE "\x21\x11\0\x0c\x7f\0\0\x01\x0a\0\0\x01\x12\x34\x03\xe1"

static const struct {
    const char *name;
    struct view in;
    enum proxy_result result;
    size_t used;
    const char *source, *target; /* "local": unknown */
} rows[] = {
    { "v1, IPv4", OCTETS("PROXY TCP4 192.0.2.1 198.51.100.2 4711 993\r\na1"), PROXY_DONE, 44,
      "192.0.2.1:4711", "198.51.100.2:993" },
    { "v1, IPv6", OCTETS("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), PROXY_DONE, 36,
      "[2001:db8::1]:1", "[::1]:65535" },
    { "v1, mapped IPv6 is IPv4", OCTETS("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), PROXY_DONE, 37,
      "192.0.2.1:1", "[::1]:2" },
    { "v1, unknown", OCTETS("PROXY UNKNOWN\r\n"), PROXY_DONE, 15, "local", "local" },
    { "v1, unknown with more", OCTETS("PROXY UNKNOWN ff:: 1 2 x  \r\n"), PROXY_DONE, 28, "local",
      "local" },
    { "v1, bare LF", OCTETS("PROXY UNKNOWN\n"), PROXY_BAD, 0, NULL, NULL },
    { "v1, bare CR", OCTETS("PROXY UNKNOWN\rx"), PROXY_BAD, 0, NULL, NULL },
    { "v1, lower case", OCTETS("proxy UNKNOWN\r\n"), PROXY_BAD, 0, NULL, NULL },
    { "v1, other word", OCTETS("PROXY UNKNOWNX\r\n"), PROXY_BAD, 0, NULL, NULL },
    { "v1, no protocol", OCTETS("PROXY \r\n"), PROXY_BAD, 0, NULL, NULL },
    { "v1, no space", OCTETS("PROXY\r\n"), PROXY_BAD, 0, NULL, NULL },
    { "v1, two spaces", OCTETS("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"), PROXY_BAD, 0, NULL,
      NULL },
    { "v1, trailing space", OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"), PROXY_BAD, 0, NULL,
      NULL },
    { "v1, fifth field", OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), PROXY_BAD, 0, NULL,
      NULL },
    { "v1, missing port", OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), PROXY_BAD, 0, NULL,
      NULL },
    { "v1, port too large", OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"), PROXY_BAD, 0,
      NULL, NULL },
    { "v1, port with leading zero", OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"), PROXY_BAD, 0,
      NULL, NULL },
    { "v1, signed port", OCTETS("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n"), PROXY_BAD, 0, NULL,
      NULL },
    { "v1, address of the other family", OCTETS("PROXY TCP4 ::1 ::1 1 2\r\n"), PROXY_BAD, 0, NULL,
      NULL },
    { "v1, short address", OCTETS("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n"), PROXY_BAD, 0, NULL,
      NULL },
    { "v1, NUL in an address", OCTETS("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), PROXY_BAD, 0,
      NULL, NULL },
    { "v2, IPv4", OCTETS(TCP4 "a1 NOOP"), PROXY_DONE, 28, "127.0.0.1:4660", "10.0.0.1:993" },
    { "v2, IPv4 with TLVs",
      OCTETS(SIGNATURE "\x21\x11\0\x10\x7f\0\0\x01\x0a\0\0\x01\x12\x34\x03\xe1\x04\0\x01x"),
      PROXY_DONE, 32, "127.0.0.1:4660", "10.0.0.1:993" },
    { "v2, IPv6",
      OCTETS(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34\x03\xe1"),
      PROXY_DONE, 52, "[2001:db8::1]:4660", "[::1]:993" },
    { "v2, mapped IPv6 is IPv4",
      OCTETS(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01"
                       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x34\x03\xe1"),
      PROXY_DONE, 52, "192.0.2.1:4660", "[::1]:993" },
    { "v2, local", OCTETS(SIGNATURE "\x20\0\0\0"), PROXY_DONE, 16, "local", "local" },
    { "v2, local with addresses to skip", OCTETS(SIGNATURE "\x20\x11\0\x02xx"), PROXY_DONE, 18,
      "local", "local" },
    { "v2, unknown family", OCTETS(SIGNATURE "\x21\0\0\x01x"), PROXY_DONE, 17, "local", "local" },
    { "v2, datagrams", OCTETS(SIGNATURE "\x21\x12\0\x0c............"), PROXY_BAD, 0, NULL, NULL },
    { "v2, Unix socket cut short", OCTETS(SIGNATURE "\x21\x31\0\x01x"), PROXY_BAD, 0, NULL, NULL },
    { "v2, addresses cut short", OCTETS(SIGNATURE "\x21\x11\0\x0b..........."), PROXY_BAD, 0, NULL,
      NULL },
    { "v2, version 3", OCTETS(SIGNATURE "\x31"), PROXY_BAD, 0, NULL, NULL },
    { "v2, command 2", OCTETS(SIGNATURE "\x22"), PROXY_BAD, 0, NULL, NULL },
    { "v2, over the bound", OCTETS(SIGNATURE "\x21\x11\x02\x09"), PROXY_BAD, 0, NULL, NULL },
    { "v2, signature cut off", OCTETS("\r\n\r\n\0\r\nQUIX"), PROXY_BAD, 0, NULL, NULL },
    { "not PROXY at all", OCTETS("a1 NOOP\r\n"), PROXY_BAD, 0, NULL, NULL },
    { "a TLS client", OCTETS("\x16\x03\x01"), PROXY_BAD, 0, NULL, NULL },
};

/* Each prefix of a good header asks for more; no prefix of a bad one is done. */
static void check_prefixes(size_t row)
{
    struct proxy_header header;
    size_t used = 0;

    for (size_t n = 0; n < rows[row].in.n; n++) {
        const enum proxy_result r = proxy_parse(view_first(rows[row].in, n), &used, &header);
        if (r == PROXY_MORE) {
            assert_int_not_equal(proxy_wanted(view_first(rows[row].in, n)), 0);
            if (rows[row].result == PROXY_DONE) /* never a step into what follows */
                assert_true(n + proxy_wanted(view_first(rows[row].in, n)) <= rows[row].used);
        }
        if (rows[row].result == PROXY_DONE)
            assert_int_equal(r, n < rows[row].used ? PROXY_MORE : PROXY_DONE);
        else
            assert_int_not_equal(r, PROXY_DONE);
    }
}

static void test_parse(void **state)
{
    char text[ADDR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct proxy_header header = { 0 };
        size_t used = 0;
        print_message("  %s\n", rows[i].name);
        assert_int_equal(proxy_parse(rows[i].in, &used, &header), rows[i].result);
        check_prefixes(i);
        if (rows[i].result != PROXY_DONE)
            continue;
        assert_int_equal(used, rows[i].used);
        assert_string_equal(addr_text(&header.source, text), rows[i].source);
        assert_string_equal(addr_text(&header.target, text), rows[i].target);
    }
}

static void test_v1_bound(void **state)
{
    char line[LIMIT_PROXY_V1 + 1];
    struct proxy_header header;
    size_t used = 0;

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(proxy_parse(view_of(line, LIMIT_PROXY_V1 - 1), &used, &header), PROXY_MORE);
    assert_int_equal(proxy_parse(view_of(line, LIMIT_PROXY_V1), &used, &header), PROXY_BAD);
    memcpy(line + LIMIT_PROXY_V1 - 2, "\r\n", 2);
    assert_int_equal(proxy_parse(view_of(line, sizeof(line)), &used, &header), PROXY_DONE);
    assert_int_equal(used, LIMIT_PROXY_V1);
    memcpy(line + LIMIT_PROXY_V1 - 2, "x\r\n", 3);
    assert_int_equal(proxy_parse(view_of(line, sizeof(line)), &used, &header), PROXY_BAD);
}

/* Written, then read again. */
static void test_write(void **state)
{
    static const struct {
        const char *source, *target;
        size_t octets;
    } pairs[] = {
        { "192.0.2.1", "198.51.100.2", 28 },
        { "2001:db8::1", "::1", 52 },
        { "2001:db8::1", "198.51.100.2", 16 },
        { NULL, NULL, 16 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        AUTO_BUF(out, LIMIT_PROXY_V2);
        struct addr source = { 0 }, target = { 0 };
        struct proxy_header header;
        size_t used = 0;
        if (pairs[i].source != NULL) {
            assert_true(addr_parse(pairs[i].source, &source));
            assert_true(addr_parse(pairs[i].target, &target));
            source.port = 4711;
            target.port = 993;
        }
        proxy_write_v2(&source, &target, &out);
        assert_true(buf_is_ok(&out));
        assert_int_equal(out.n, pairs[i].octets);
        assert_int_equal(proxy_parse(buf_view(&out), &used, &header), PROXY_DONE);
        assert_int_equal(used, out.n);
        if (pairs[i].octets == 16) {
            assert_int_equal(header.source.octets, 0);
            continue;
        }
        assert_true(addr_is_equal(&header.source, &source));
        assert_true(addr_is_equal(&header.target, &target));
        assert_int_equal(header.source.port, 4711);
        assert_int_equal(header.target.port, 993);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_v1_bound),
        cmocka_unit_test(test_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
