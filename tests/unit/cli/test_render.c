/* Rows as tables, cards, lines and JSON, with what hostile clients call themselves in them; and
 * times as people write them. */
#include "cli/moment.h"
#include "cli/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

/* As VIEW_LIT, for what is static. */
#define LIT(s)                                                                                     \
    {                                                                                              \
        (const uint8_t *)("" s), sizeof(s) - 1                                                     \
    }
#define NOON 1893499200 /* 2030-01-01 12:00:00 UTC */

static const struct wire_row_lease leases[] = {
    { .id = 1,
      .account = LIT("anna@example.org"),
      .network = LIT("10.0.0.0/8"),
      .created_at = NOON,
      .expires_at = NOON + 60 },
    { .id = 22, .account = LIT("\xc3\xa4rger"), .created_at = NOON },
};

static void render(enum render_form form, const struct wire_message *m, const void *rows,
                   size_t size, size_t n, const char *expected)
{
    char *text = NULL;
    size_t octets = 0;
    struct renderer r;
    FILE *f = open_memstream(&text, &octets);

    assert_non_null(f);
    render_init(&r, form, f);
    r.is_coloured = false;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(render_row(&r, m, (const char *)rows + i * size), ERR_OK);
    assert_int_equal(render_end(&r), ERR_OK);
    render_done(&r);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void test_table(void **state)
{
    (void)state;
    render(RENDER_TABLE, wire_find(WIRE_row_lease), leases, sizeof(leases[0]), 2,
           "ID  ACCOUNT           NETWORK     CREATED              EXPIRES\n"
           "1   anna@example.org  10.0.0.0/8  2030-01-01 12:00:00  2030-01-01 12:01:00\n"
           "22  \xc3\xa4rger             -           2030-01-01 12:00:00  never\n");
    render(RENDER_TABLE, wire_find(WIRE_row_lease), leases, sizeof(leases[0]), 0, "");
}

static void test_card(void **state)
{
    (void)state;
    render(RENDER_CARD, wire_find(WIRE_row_lease), leases, sizeof(leases[0]), 1,
           "id          1\n"
           "account     anna@example.org\n"
           "network     10.0.0.0/8\n"
           "device      -\n"
           "created     2030-01-01 12:00:00\n"
           "expires     2030-01-01 12:01:00\n");
}

static void test_json(void **state)
{
    (void)state;
    render(RENDER_JSON, wire_find(WIRE_row_lease), leases, sizeof(leases[0]), 2,
           "{\"id\": 1, \"account\": \"anna@example.org\", \"network\": \"10.0.0.0/8\", "
           "\"device\": \"\", \"created_at\": \"2030-01-01T12:00:00Z\", "
           "\"expires_at\": \"2030-01-01T12:01:00Z\"}\n"
           "{\"id\": 22, \"account\": \"\xc3\xa4rger\", \"network\": \"\", \"device\": \"\", "
           "\"created_at\": \"2030-01-01T12:00:00Z\", \"expires_at\": null}\n");
}

static void test_lines(void **state)
{
    static const struct wire_row_event event = {
        .id = 7,
        .at = NOON,
        .kind = LIT("refused"),
        .account = LIT("anna@example.org"),
        .client = LIT("x\" account=\"boss"),
        .reason = LIT("two words"),
    };

    (void)state;
    render(RENDER_LINES, wire_find(WIRE_row_event), &event, sizeof(event), 1,
           "2030-01-01 12:00:00 refused account=anna@example.org "
           "client=\"x\\\" account=\\\"boss\" reason=\"two words\"\n");
}

/* What a terminal would obey, or show otherwise than it is, becomes '?'. */
static void test_clean(void **state)
{
    static const struct {
        struct view in;
        const char *out;
    } cases[] = {
        { LIT("plain \xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91"),
          "plain \xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91" },
        { LIT("\033[31m\r\n\t\x7f"), "?[31m????" },
        { LIT("\xc2\x9b"
              "31m"),
          "?31m" }, /* a C1 control */
        { LIT("a\xe2\x80\xae"
              "b"),
          "a?b" }, /* right-to-left override */
        { LIT("a\xe2\x81\xa6"
              "b\xe2\x80\xa8"),
          "a?b?" }, /* isolate, line separator */
        { LIT("\xff\xc3"), "??" },
        { LIT("\xc0\xaf\xe0\x80\xaf"), "?????" }, /* overlong */
        { LIT("\xed\xa0\x80"), "???" },           /* a surrogate */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF(out, 256);
        render_clean(cases[i].in, &out);
        assert_string_equal(buf_cstr(&out), cases[i].out);
    }
}

static void test_moments(void **state)
{
    static const struct {
        const char *text;
        bool is_right;
        int64_t at;
    } cases[] = {
        { "90d", true, NOON + 90 * 86400 },
        { "8h", true, NOON + 8 * 3600 },
        { "2030-01-01", true, NOON + 12 * 3600 - 1 },
        { "2030-12-31", true, 1924991999 },
        { "2029-12-31", false, 0 },
        { "2030-02-30", false, 0 },
        { "2030-13-01", false, 0 },
        { "2030-01-01x", false, 0 },
        { "0s", false, 0 },
        { "500ms", false, 0 },
        { "-1d", false, 0 },
        { "90", false, 0 },
        { "", false, 0 },
        { "99999w", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t at = 0;
        if (moment_parse(cases[i].text, NOON, &at) != cases[i].is_right || at != cases[i].at)
            fail_msg("\"%s\": %lld", cases[i].text, (long long)at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_card),  cmocka_unit_test(test_json),
        cmocka_unit_test(test_lines), cmocka_unit_test(test_clean), cmocka_unit_test(test_moments),
    };

    if (setenv("TZ", "UTC0", 1) != 0)
        return 1;
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
