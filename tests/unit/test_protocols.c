/* A protocol is a row in proto/protocol.c. What may not see that table has words of its own for it:
 * here nobody may have forgotten any. */
#include "config/config.h"
#include "config/schema.h"
#include "proto/protocol.h"
#include "warden/protocol_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct protocol *row(int id)
{
    const struct protocol *p = protocol_find((enum protocol_id)id);

    assert_non_null(p);
    assert_int_equal(p->id, id);
    return p;
}

static void test_a_row_is_whole(void **state)
{
    (void)state;
    for (int id = PROTOCOL_NONE + 1; id < PROTOCOL_COUNT; id++) {
        const struct protocol *p = row(id);
        assert_ptr_equal(protocol_named(p->name), p);
        assert_non_null(p->front);
        assert_non_null(p->login);
        assert_non_null(p->guard);
    }
    assert_null(protocol_find(PROTOCOL_NONE));
    assert_null(protocol_find(PROTOCOL_COUNT));
    assert_null(protocol_named("https"));
}

static void test_the_configuration_knows_it(void **state)
{
    const struct conf_upstream upstream = { .name = NULL };
    const struct conf_urls *seen[PROTOCOL_COUNT] = { NULL };

    (void)state;
    for (int id = PROTOCOL_NONE + 1; id < PROTOCOL_COUNT; id++) {
        const struct protocol *p = row(id);
        const struct schema_protocol *s = schema_protocol(p->name);
        char path[64], quoted[32];

        assert_non_null(s);
        assert_string_equal(s->scheme_tls, p->scheme_tls);
        assert_string_equal(s->scheme_starttls, p->scheme_starttls);
        assert_string_equal(s->scheme_clear, p->scheme_clear);
        (void)snprintf(path, sizeof(path), "upstreams.*.%s", p->name);
        assert_non_null(schema_find(path));
        (void)snprintf(quoted, sizeof(quoted), "\"%s\"", p->name);
        assert_non_null(strstr(SCHEMA_PROTOCOL_WORDS, quoted));
        assert_non_null(strstr(schema_find("gates.*.protocol")->shown.sentence, quoted));
        seen[id] = config_urls(&upstream, p->name);
        assert_non_null(seen[id]);
        for (int other = PROTOCOL_NONE + 1; other < id; other++)
            assert_ptr_not_equal(seen[id], seen[other]);
    }
    assert_null(schema_protocol_at(PROTOCOL_COUNT - 1));
}

static void test_the_warden_knows_it(void **state)
{
    uint32_t bits = 0;

    (void)state;
    for (int id = PROTOCOL_NONE + 1; id < PROTOCOL_COUNT; id++) {
        assert_string_equal(protocol_name_of((uint8_t)id), row(id)->name);
        assert_true(protocol_name_bits(view_text(row(id)->name), &bits));
        assert_int_equal(bits, 1U << id);
    }
    assert_null(protocol_name_of(PROTOCOL_COUNT));
    assert_string_equal(protocol_name_of(PROTOCOL_NAME_IMAP), row(PROTOCOL_IMAP)->name);
    assert_string_equal(protocol_name_of(PROTOCOL_NAME_SUBMISSION), row(PROTOCOL_SUBMISSION)->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_row_is_whole),
        cmocka_unit_test(test_the_configuration_knows_it),
        cmocka_unit_test(test_the_warden_knows_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
