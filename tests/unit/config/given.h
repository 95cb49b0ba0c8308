/* given.h: configurations for tests, from text. */
#ifndef POSTERN_TESTS_CONFIG_GIVEN_H
#define POSTERN_TESTS_CONFIG_GIVEN_H

#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#define TLS       "tls: { certificate = \"/c\"; key = \"/k\"; };\n"
#define GATES     "gates: { imaps: { protocol = \"imap\"; listen = \"*:993\"; }; };\n"
#define UPSTREAMS "upstreams: { mail: { imap = \"imaps://mail.example.org\"; }; };\n"
#define WHOLE     TLS GATES UPSTREAMS

/* A configuration that must be right. */
static inline struct config *given(const char *text)
{
    struct config_error errors[4];
    size_t n = 0;
    struct config *c = config_parse(text, errors, 4, &n);

    if (c == NULL)
        fail_msg("%s", errors[0].text);
    assert_int_equal(n, 0);
    return c;
}

/* One that must be wrong, in words that contain `expected`, and among `count` problems. */
static inline void given_wrong(const char *text, const char *expected, size_t count)
{
    struct config_error errors[16];
    size_t n = 0;
    bool is_said = false;

    assert_null(config_parse(text, errors, 16, &n));
    for (size_t i = 0; i < n && i < 16; i++)
        is_said = is_said || strstr(errors[i].text, expected) != NULL;
    if (!is_said || n != count)
        fail_msg("%zu problems, the first: %s\nexpected %zu: %s\nof:\n%s", n, errors[0].text, count,
                 expected, text);
}

#endif
