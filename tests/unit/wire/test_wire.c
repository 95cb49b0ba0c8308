/* Every message there is: what is encoded comes back, and nothing else is taken for a frame. */
#include "wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

/* Fills every field with something that is neither zero nor the same as its neighbour. */
static void fill(const struct wire_message *m, union wire_any *any)
{
    uint8_t *base = (uint8_t *)any;

    memset(any, 0, sizeof(*any));
    for (size_t i = 0; i < m->count; i++) {
        const struct wire_field *f = &m->fields[i];
        const uint64_t number = 0x0102030405060708U + i;
        const struct addr address = { .octets = i % 2 == 0 ? 4 : 16,
                                      .ip = { 10, 1, (uint8_t)i },
                                      .port = 993 };
        const struct view text = f->max == 0 ? VIEW_NONE : VIEW_LIT("x");
        const bool flag = true;
        switch (f->kind) {
        case WIRE_FLAG:
            memcpy(base + f->offset, &flag, sizeof(flag));
            break;
        case WIRE_U8:
            memcpy(base + f->offset, &number, 1);
            break;
        case WIRE_U16:
            memcpy(base + f->offset, &number, 2);
            break;
        case WIRE_U32:
            memcpy(base + f->offset, &number, 4);
            break;
        case WIRE_U64:
        case WIRE_I64:
            memcpy(base + f->offset, &number, 8);
            break;
        case WIRE_ADDR:
            memcpy(base + f->offset, &address, sizeof(address));
            break;
        case WIRE_TEXT:
        case WIRE_OCTETS:
        case WIRE_SECRET:
            memcpy(base + f->offset, &text, sizeof(text));
            break;
        }
    }
}

static void every_message_comes_back(void **state)
{
    (void)state;
    const struct wire_message *m;

    for (size_t i = 0; (m = wire_at(i)) != NULL; i++) {
        union wire_any in, out;
        const struct wire_message *got;
        AUTO_BUF(frame, LIMIT_FRAME);
        AUTO_BUF(again, LIMIT_FRAME);
        fill(m, &in);
        assert_int_equal(wire_encode((enum wire_number)m->number, &in, &frame), ERR_OK);
        assert_int_equal(wire_decode(buf_view(&frame), &got, &out), ERR_OK);
        assert_ptr_equal(got, m);
        assert_int_equal(wire_encode((enum wire_number)m->number, &out, &again), ERR_OK);
        assert_true(view_is_equal(buf_view(&frame), buf_view(&again)));
    }
}

static void no_shorter_and_no_longer_frame_is_taken(void **state)
{
    (void)state;
    const struct wire_message *m;

    for (size_t i = 0; (m = wire_at(i)) != NULL; i++) {
        union wire_any in, out;
        const struct wire_message *got;
        AUTO_BUF(frame, LIMIT_FRAME);
        fill(m, &in);
        assert_int_equal(wire_encode((enum wire_number)m->number, &in, &frame), ERR_OK);
        for (size_t n = 0; n < frame.n; n++)
            assert_int_equal(wire_decode(view_of(frame.p, n), &got, &out), ERR_INVALID);
        buf_put_octet(&frame, 0);
        assert_int_equal(wire_decode(buf_view(&frame), &got, &out), ERR_INVALID);
    }
}

static void bounds_hold_in_both_directions(void **state)
{
    (void)state;
    uint8_t octets[LIMIT_ACCOUNT + 1];
    memset(octets, 'a', sizeof(octets));
    struct wire_account_add add = { .account = view_of(octets, sizeof(octets)) };
    union wire_any out;
    const struct wire_message *got;
    AUTO_BUF(frame, LIMIT_FRAME);

    assert_int_equal(wire_encode(WIRE_account_add, &add, &frame), ERR_TOO_LONG);
    buf_clear(&frame);
    buf_put_octet(&frame, WIRE_account_add);
    buf_put_octet(&frame, sizeof(octets) >> 8);
    buf_put_octet(&frame, sizeof(octets) & 0xff);
    buf_put(&frame, add.account);
    assert_int_equal(wire_decode(buf_view(&frame), &got, &out), ERR_INVALID);
}

static void a_text_holds_no_nul_and_a_flag_only_0_or_1(void **state)
{
    (void)state;
    const struct wire_account_add add = { .account = view_of("a\0b", 3) };
    static const uint8_t nul[] = { WIRE_account_add, 0, 3, 'a', 0, 'b' };
    static const uint8_t flag[] = { WIRE_account_enable, 0, 1, 'a', 2 };
    union wire_any out;
    const struct wire_message *got;
    AUTO_BUF(frame, LIMIT_FRAME);

    assert_int_equal(wire_encode(WIRE_account_add, &add, &frame), ERR_INVALID);
    assert_int_equal(wire_decode(view_of(nul, sizeof(nul)), &got, &out), ERR_INVALID);
    assert_int_equal(wire_decode(view_of(flag, sizeof(flag)), &got, &out), ERR_INVALID);
}

static void only_the_right_sender_in_the_right_state(void **state)
{
    (void)state;
    struct wire_gatekeeper edge = { .peer = WIRE_EDGE, .state = WIRE_START };

    assert_false(wire_admit(&edge, wire_find(WIRE_question)));
    assert_false(wire_admit(&edge, wire_find(WIRE_verdict)));
    assert_false(wire_admit(&edge, wire_find(WIRE_account_remove)));
    assert_true(wire_admit(&edge, wire_find(WIRE_hello)));
    assert_false(wire_admit(&edge, wire_find(WIRE_hello))); /* once */
    edge.state = WIRE_OPEN;
    assert_true(wire_admit(&edge, wire_find(WIRE_question)));
    assert_true(wire_admit(&edge, wire_find(WIRE_question)));
    assert_false(wire_admit(&edge, wire_find(WIRE_hello)));
    assert_false(wire_admit(&edge, wire_find(WIRE_end_session)));
}

static void numbers_are_unique(void **state)
{
    (void)state;
    const struct wire_message *m;

    for (size_t i = 0; (m = wire_at(i)) != NULL; i++)
        assert_ptr_equal(wire_find(m->number), m);
    assert_null(wire_find(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back),
        cmocka_unit_test(no_shorter_and_no_longer_frame_is_taken),
        cmocka_unit_test(bounds_hold_in_both_directions),
        cmocka_unit_test(a_text_holds_no_nul_and_a_flag_only_0_or_1),
        cmocka_unit_test(only_the_right_sender_in_the_right_state),
        cmocka_unit_test(numbers_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
