/* The guard between a fuzzed client and a model of a lax IMAP server (imap_model.h). Asserted:
 *   - no forbidden word is ever executed by the model, no forged ID believed;
 *   - whole input and input in pieces give the same octets, both ways;
 *   - the model's octets reach the client unchanged but for filtered capabilities, swallowed "+"
 * and the guard's own answers between two responses;
 *   - an honest server is never accused, and nobody waits for ever. */
#include "base/limits.h"
#include "proto/imap/imap.h"

#include "imap_model.h"

#define HEAD 4 /* octets in front of the client's: flags, three seeds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the dialogue -----------------------------------------------------------------------------
 */

struct dialogue {
    struct guard *g;
    struct model m;
    struct buf from_client, up, down; /* what has not been judged; all that passed, each way */
    const char *reason;
    enum guard_kind client_kind;
    uint32_t schedule; /* 0: everybody speaks as soon as possible */
};

static size_t piece(struct dialogue *d, size_t n)
{
    if (d->schedule == 0 || n < 2)
        return n;
    return draw(&d->schedule, 3) == 0 ? n : 1 + draw(&d->schedule, (uint32_t)(n < 24 ? n : 24));
}

/* One step of one direction; true: something moved. */
static bool step(struct dialogue *d, bool is_client)
{
    struct buf *in = is_client ? &d->from_client : &d->m.say, *out = is_client ? &d->up : &d->down;
    struct view v = view_first(buf_view(in), piece(d, in->n));
    struct guard_step s =
        is_client ? imap_guard_ops.client(d->g, v) : imap_guard_ops.server(d->g, v);
    size_t before = out->n;

    if (is_client)
        d->client_kind = s.kind;
    if (s.kind == GUARD_END) {
        d->reason = s.reason;
        return false;
    }
    if (s.kind == GUARD_MORE || s.kind == GUARD_HOLD) {
        if (s.kind == GUARD_MORE && v.n != 0)
            abort();
        return false;
    }
    buf_put(out, s.kind == GUARD_PASS ? view_first(v, s.n) : s.put);
    buf_consume(in, s.n);
    for (size_t i = before; is_client && i < out->n; i++)
        model_octet(&d->m, out->p[i]);
    return true;
}

/* Runs until nobody can move: the server is heard out before the client may go on, unless there is
 * a schedule. */
static void run(struct dialogue *d)
{
    bool is_moving = true;

    while (is_moving && d->reason == NULL) {
        is_moving = false;
        while (d->reason == NULL && (d->schedule == 0 || draw(&d->schedule, 4) != 0) &&
               step(d, false))
            is_moving = true;
        if (d->reason == NULL && step(d, true))
            is_moving = true;
        if (!is_moving && d->reason == NULL && d->schedule != 0)
            is_moving = step(d, false);
    }
}

static void dialogue_init(struct dialogue *d, const uint8_t *head, uint32_t schedule)
{
    struct buf *bufs[] = { &d->from_client, &d->up,    &d->down,       &d->m.line,
                           &d->m.tag,       &d->m.say, &d->m.expected, &d->m.echo };

    const struct guard_conf conf = { .is_trusting = (head[0] & FLAG_TRUSTING) != 0 };

    *d = (struct dialogue){ .g = imap_guard_ops.create(&conf), .schedule = schedule };
    d->m.flags = head[0];
    d->m.chance = 1u + head[1];
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_init(bufs[i], WIDE);
    CHECK(d->g != NULL);
}

static void dialogue_done(struct dialogue *d)
{
    struct buf *bufs[] = { &d->from_client, &d->up,    &d->down,       &d->m.line,
                           &d->m.tag,       &d->m.say, &d->m.expected, &d->m.echo };

    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_done(bufs[i]);
    imap_guard_ops.destroy(d->g);
}

/* ---- the assertions ---------------------------------------------------------------------------
 */

/* The guard's own answer at the front of `v`: its length, or 0. */
static size_t own_answer(struct view v)
{
    static const char text[] = "NO [CANNOT] This command does not pass the gate\r\n";
    size_t tag = view_find(v, ' ');

    if (tag == v.n || tag == 0 || tag > LIMIT_IMAP_GUARD_TAG)
        return 0;
    struct view rest = view_skip(v, tag + 1);
    bool is_own = view_starts_nocase(rest, view_of(text, sizeof(text) - 1));

    return is_own ? tag + sizeof(text) : 0;
}

static void check_down(const struct dialogue *d)
{
    struct view down = buf_view(&d->down), items = buf_view(&d->m.expected);

    while (down.n > 0) {
        size_t own = own_answer(down);
        uint32_t n = 0;
        struct view item = VIEW_NONE;
        if (items.n > 0) {
            memcpy(&n, items.p + 1, sizeof(n));
            item = view_first(view_skip(items, 1 + sizeof(n)), n);
        }
        bool is_item =
            item.n > 0 && (view_is_equal(view_first(down, item.n), item) ||
                           (down.n < item.n && view_is_equal(view_first(item, down.n), down)));
        if (is_item)
            down = view_skip(down, item.n);
        else if (own > 0)
            down = view_skip(down, own);
        if (!is_item && own > 0)
            continue;
        if (!is_item && (items.n == 0 || items.p[0] != ITEM_PLUS))
            abort();
        items = view_skip(items, 1 + sizeof(n) + n);
    }
    while (d->reason == NULL && items.n > 0) { /* nothing may be missing but swallowed "+" */
        uint32_t n;
        memcpy(&n, items.p + 1, sizeof(n));
        if (items.p[0] != ITEM_PLUS)
            abort();
        items = view_skip(items, 1 + sizeof(n) + n);
    }
}

static void check(const struct dialogue *d)
{
    static const char *const accusations[] = { "upstream-nonsense",    "upstream-literal",
                                               "upstream-bare-lf",     "upstream-capability",
                                               "unasked-continuation", "unasked-reply",
                                               "reply-inside-literal", "no-memory" };
    /* A DONE on its way when IDLE ends by itself is a command of its own to the model. */
    bool is_race = d->schedule != 0 && (d->m.flags & FLAG_IDLE_ENDS) != 0;

    for (size_t i = 0; i < COUNT_OF(accusations); i++)
        if (d->reason != NULL && !is_race && strcmp(d->reason, accusations[i]) == 0)
            abort();
    if (d->reason == NULL && d->client_kind == GUARD_HOLD && !is_race)
        abort();
    if (!is_race)
        check_down(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dialogue whole, pieces, mixed;

    if (size < HEAD || size > 20000)
        return 0;
    struct view input = view_of(data + HEAD, size - HEAD);
    dialogue_init(&whole, data, 0);
    buf_put(&whole.from_client, input);
    run(&whole);

    uint32_t cut = 1u + data[2];
    dialogue_init(&pieces, data, 0);
    for (struct view left = input; left.n > 0 && pieces.reason == NULL;) {
        size_t n = 1 + draw(&cut, data[2] < 128 ? 3 : 40);
        buf_put(&pieces.from_client, view_first(left, n));
        left = view_skip(left, n);
        run(&pieces);
    }
    dialogue_init(&mixed, data, 1u + data[3]);
    buf_put(&mixed.from_client, input);
    run(&mixed);

    check(&whole);
    check(&pieces);
    check(&mixed);
    if (whole.reason != pieces.reason ||
        !view_is_equal(buf_view(&whole.up), buf_view(&pieces.up)) ||
        !view_is_equal(buf_view(&whole.down), buf_view(&pieces.down)))
        abort();
    dialogue_done(&whole);
    dialogue_done(&pieces);
    dialogue_done(&mixed);
    return 0;
}
