/* Our login before a hostile upstream. Asserted: whole input and pieces give the same output and
 * event; before TLS, where it is required, neither the name nor the password is sent; what we send
 * is whole lines but for literals; the machine ends within its bound of lines.
 *
 * Input: flags, seed of the cuts, the upstream's octets. An upstream that speaks behind its
 * STARTTLS reply must be refused, so octets for after TLS follow a 0x1e. */
#include "base/limits.h"
#include "pieces.h"
#include "proto/imap/imap.h"

#define HEAD     2
#define TLS_MARK 0x1e
#define NAME     "n\"am\\e"
#define SECRET   "se\xff\"cret"
#define BASE64   "AG4iYW1cZQBzZf8iY3JldA=="

enum {
    FLAG_TLS = 1,
    FLAG_STARTTLS = 2,
    FLAG_TRUSTING = 4,
    FLAG_MASTER = 8,
    FLAG_PLAIN_SECRET = 16
};

struct run {
    struct login *login;
    struct buf out, journal;
    uint8_t flags;
    bool is_tls, is_over;
};

static bool holds(const struct buf *b, struct view what)
{
    return b->n >= what.n && memmem(b->p, b->n, what.p, what.n) != NULL;
}

static void on_event(struct run *r, const struct login_event *e)
{
    const bool must_be_tls = (r->flags & (FLAG_TLS | FLAG_STARTTLS)) == FLAG_STARTTLS;

    if (must_be_tls && !r->is_tls)
        CHECK(!holds(&r->out, VIEW_LIT("LOGIN")) && !holds(&r->out, VIEW_LIT("AUTHENTICATE")) &&
              !holds(&r->out, VIEW_LIT(SECRET)) && !holds(&r->out, VIEW_LIT(BASE64)) &&
              !holds(&r->out, VIEW_LIT(" ID ")));
    if (e->kind == LOGIN_MORE || e->kind == LOGIN_STARTTLS)
        return;
    CHECK(e->reason != NULL);
    CHECK(e->kind != LOGIN_DONE || r->is_tls || !must_be_tls);
    journal_put(&r->journal, "end", view_text(e->reason));
    journal_put(&r->journal, "capabilities", e->capabilities);
    CHECK(is_line_safe(e->capabilities));
    r->is_over = true;
}

/* One stretch: all of it is in the clear, or all inside TLS. Octets that were read with those up to
 * an event belong to the next, and go in too when TLS is to begin: they must be refused. */
static void feed(struct run *r, struct view in, struct pieces *pieces)
{
    enum login_kind kind = LOGIN_MORE;

    while (in.n != 0 && !r->is_over) {
        const size_t n = pieces_next(pieces, in.n);
        uint8_t *piece = pieces_copy(view_first(in, n));
        size_t used = 0;
        const struct login_event e =
            imap_login_ops.feed(r->login, view_of(piece, n), &used, &r->out);
        CHECK(used <= n && (used == n || e.kind != LOGIN_MORE));
        CHECK(kind != LOGIN_STARTTLS || e.kind == LOGIN_UNAVAILABLE);
        kind = e.kind;
        on_event(r, &e);
        free(piece);
        in = view_skip(in, used);
    }
    if (kind != LOGIN_STARTTLS)
        return;
    CHECK(!r->is_tls);
    buf_put_text(&r->journal, "starttls\n");
    imap_login_ops.tls_started(r->login, &r->out);
    r->is_tls = true;
}

static void run(struct run *r, struct view in, uint32_t seed)
{
    struct login_conf conf = {
        .user = VIEW_LIT(NAME),
        .secret = VIEW_LIT(SECRET),
        .authorization = (r->flags & FLAG_MASTER) != 0 ? VIEW_LIT("master") : VIEW_NONE,
        .is_tls = (r->flags & FLAG_TLS) != 0,
        .is_starttls = (r->flags & FLAG_STARTTLS) != 0,
        .is_trusting = (r->flags & FLAG_TRUSTING) != 0,
        .session = "00c0ffee",
    };
    struct pieces pieces = { seed };

    if ((r->flags & FLAG_PLAIN_SECRET) != 0)
        conf.secret = VIEW_LIT("secret");
    CHECK(addr_parse("192.0.2.7", &conf.client));
    r->is_tls = conf.is_tls;
    buf_init(&r->out, JOURNAL_MAX);
    buf_init(&r->journal, JOURNAL_MAX);
    r->login = imap_login_ops.create(&conf);
    CHECK(r->login != NULL);
    while (in.n != 0 && !r->is_over) {
        const struct view stretch = view_first(in, view_find(in, TLS_MARK));
        feed(r, stretch, &pieces);
        in = view_skip(in, stretch.n + 1);
    }
    imap_login_ops.destroy(r->login);
    CHECK(buf_is_ok(&r->out) && buf_is_ok(&r->journal));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD || size > (1u << 17))
        return 0;
    const struct view in = view_of(data + HEAD, size - HEAD);
    struct run whole = { .flags = data[0] }, cut = { .flags = data[0] };
    run(&whole, in, 0);
    run(&cut, in, data[1] + 1u);
    CHECK(view_is_equal(buf_view(&whole.out), buf_view(&cut.out)));
    CHECK(view_is_equal(buf_view(&whole.journal), buf_view(&cut.journal)));
    buf_done(&whole.out);
    buf_done(&whole.journal);
    buf_done(&cut.out);
    buf_done(&cut.journal);
    return 0;
}
