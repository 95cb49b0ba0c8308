/* The frames between our processes, and who may send them when. Asserted: what decodes encodes to
 * the same octets, its texts lie inside the frame and within their bounds; what does not decode
 * leaves no result; the gatekeeper admits just what its rules, said here once more, let pass.
 *
 * Input: peer and state (one octet), then records: length (two octets), octets. */
#include "pieces.h"
#include "wire/wire.h"

struct run {
    struct wire_gatekeeper gatekeeper;
    unsigned admitted[256]; /* by number */
};

static bool is_in(struct view inner, struct view outer)
{
    return inner.n == 0 || (inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

static void check_text(const struct wire_field *f, const uint8_t *at, struct view frame)
{
    struct view v;

    memcpy(&v, at, sizeof(v));
    CHECK(is_in(v, frame));
    CHECK(v.n <= f->max);
    CHECK(f->kind != WIRE_TEXT || view_find(v, 0) == v.n);
}

static void check_decoded(const struct wire_message *m, const union wire_any *any,
                          struct view frame)
{
    AUTO_BUF(again, LIMIT_FRAME);

    CHECK(m == wire_find(frame.p[0]));
    for (size_t i = 0; i < m->count; i++)
        if (m->fields[i].kind >= WIRE_TEXT)
            check_text(&m->fields[i], (const uint8_t *)any + m->fields[i].offset, frame);
    CHECK(wire_encode((enum wire_number)m->number, any, &again) == ERR_OK);
    CHECK(view_is_equal(buf_view(&again), frame));
}

static void check_admitted(struct run *r, const struct wire_message *m)
{
    const bool is_known = r->admitted[m->number] != 0;
    const bool is_wanted = m->sender == r->gatekeeper.peer &&
                           (m->state & r->gatekeeper.state) != 0 &&
                           !(is_known && m->times == WIRE_ONCE);

    CHECK(wire_admit(&r->gatekeeper, m) == is_wanted);
    if (!is_wanted)
        return;
    r->admitted[m->number]++;
    if (m->number == WIRE_hello || m->number == WIRE_boot_start)
        r->gatekeeper.state = WIRE_OPEN;
}

static void take(struct run *r, struct view frame)
{
    const struct wire_message *m = NULL;
    union wire_any any;
    const enum err e = wire_decode(frame, &m, &any);

    CHECK(e == ERR_OK || e == ERR_INVALID);
    CHECK((e == ERR_OK) == (m != NULL));
    if (e != ERR_OK)
        return;
    check_decoded(m, &any, frame);
    check_admitted(r, m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_of(data, size);
    struct run r = { 0 };

    if (in.n == 0)
        return 0;
    r.gatekeeper.peer = (uint8_t)(WIRE_SUPERVISOR + in.p[0] % WIRE_CLI);
    r.gatekeeper.state = (in.p[0] & 0x80) != 0 ? WIRE_OPEN : WIRE_START;
    in = view_skip(in, 1);
    while (in.n >= 2) {
        const size_t n = (size_t)in.p[0] << 8 | in.p[1];
        const struct view record = view_first(view_skip(in, 2), n < LIMIT_FRAME ? n : LIMIT_FRAME);
        uint8_t *copy = pieces_copy(record);
        take(&r, view_of(copy, record.n));
        free(copy);
        in = view_skip(in, 2 + record.n);
    }
    return 0;
}
