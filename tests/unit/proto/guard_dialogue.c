#include "guard_dialogue.h"

#include "base/mem.h"
#include "proto/imap/imap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct run {
    const struct dialogue *d;
    struct guard *g;
    struct buf from_client, from_server, upstream, down; /* owned */
    const char *reason;
    bool is_held;
    size_t split_step, split_at; /* the piece of this step is cut here */
    bool is_trickle;
};

/* The machine sees a copy of exactly the input's size, so that the sanitizer sees a step too far.
 */
static bool one_step(struct run *r, bool is_client)
{
    struct buf *in = is_client ? &r->from_client : &r->from_server;
    struct buf *out = is_client ? &r->upstream : &r->down;
    uint8_t *copy = in->n == 0 ? NULL : mem_alloc(in->n);

    if (in->n != 0)
        memcpy(copy, in->p, in->n);
    struct guard_step s = is_client ? imap_guard_ops.client(r->g, view_of(copy, in->n))
                                    : imap_guard_ops.server(r->g, view_of(copy, in->n));
    if (is_client)
        r->is_held = s.kind == GUARD_HOLD;
    assert_true(s.n <= in->n);
    if (s.kind == GUARD_PASS)
        buf_put(out, view_of(copy, s.n));
    if (s.kind == GUARD_PUT)
        buf_put(out, s.put);
    if (s.kind == GUARD_END)
        r->reason = s.reason;
    if (s.kind == GUARD_MORE)
        assert_int_equal(in->n, 0);
    if (s.kind == GUARD_PASS || s.kind == GUARD_PUT)
        buf_consume(in, s.n);
    mem_free(copy);
    assert_true(buf_is_ok(out));
    return s.kind == GUARD_PASS || s.kind == GUARD_PUT;
}

static void pump(struct run *r)
{
    bool is_moving = true;

    while (is_moving && r->reason == NULL) {
        is_moving = false;
        while (r->reason == NULL && one_step(r, true))
            is_moving = true;
        while (r->reason == NULL && one_step(r, false))
            is_moving = true;
    }
}

static void send_octets(struct run *r, size_t step, const char *octets)
{
    struct buf *in = r->d->steps[step][0] == 'C' ? &r->from_client : &r->from_server;

    for (size_t i = 0; octets[i] != '\0'; i++) {
        if (r->is_trickle || (r->split_step == step && r->split_at == i))
            pump(r);
        buf_put_octet(in, octets[i] == '\x01' ? 0 : (uint8_t)octets[i]);
    }
    pump(r);
}

static void expect(struct run *r, const char *octets, struct buf *out)
{
    if (!view_is_equal(buf_view(out), view_text(octets)))
        fail_msg("%s: expected \"%s\", got \"%s\" (split %zu:%zu)", r->d->name, octets,
                 buf_cstr(out), r->split_step, r->split_at);
    buf_clear(out);
}

static void play_step(struct run *r, size_t i)
{
    const char *octets = r->d->steps[i] + 2;

    switch (r->d->steps[i][0]) {
    case 'C':
    case 'S':
        if (r->reason == NULL)
            send_octets(r, i, octets);
        break;
    case 'U':
        expect(r, octets, &r->upstream);
        break;
    case 'D':
        expect(r, octets, &r->down);
        break;
    case 'H':
        if (r->is_held != (octets[0] == '1'))
            fail_msg("%s: step %zu: held: %d", r->d->name, i, r->is_held);
        break;
    case 'T':
        break;
    case 'X':
        if (r->reason == NULL || strcmp(r->reason, octets) != 0)
            fail_msg("%s: ended for %s, not for %s", r->d->name,
                     r->reason == NULL ? "nothing" : r->reason, octets);
        break;
    default:
        fail_msg("%s: step %zu", r->d->name, i);
    }
}

static void play(const struct dialogue *d, bool is_trickle, size_t split_step, size_t split_at)
{
    const struct guard_conf conf = { .is_trusting = d->steps[0][0] == 'T' };
    struct run r = { .d = d,
                     .g = imap_guard_ops.create(&conf),
                     .is_trickle = is_trickle,
                     .split_step = split_step,
                     .split_at = split_at };
    struct buf *bufs[] = { &r.from_client, &r.from_server, &r.upstream, &r.down };
    bool is_end_due = false;

    assert_non_null(r.g);
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_init(bufs[i], 1 << 20);
    for (size_t i = 0; i < STEPS && d->steps[i] != NULL; i++) {
        play_step(&r, i);
        is_end_due = is_end_due || d->steps[i][0] == 'X';
    }
    if (!is_end_due && r.reason != NULL)
        fail_msg("%s: ended for %s (split %zu:%zu)", d->name, r.reason, split_step, split_at);
    if (!is_end_due)
        expect(&r, "", &r.upstream);
    if (!is_end_due)
        expect(&r, "", &r.down);
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_done(bufs[i]);
    imap_guard_ops.destroy(r.g);
}

void play_all_ways(const struct dialogue *d)
{
    play(d, false, STEPS, 0);
    play(d, true, STEPS, 0);
    for (size_t i = 0; i < STEPS && d->steps[i] != NULL; i++)
        if (d->steps[i][0] == 'C' || d->steps[i][0] == 'S')
            for (size_t at = 1; d->steps[i][2 + at] != '\0'; at++)
                play(d, false, i, at);
}
