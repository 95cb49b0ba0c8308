/* Our login before a hostile ManageSieve upstream. Asserted: whole input and pieces give the same
 * output and event; before TLS, where it is required, neither the name nor the password is sent,
 * nor ever by a look; what we send is whole lines; the machine ends within its bound of lines.
 *
 * Input: flags, seed of the cuts, the upstream's octets. An upstream that speaks behind its reply
 * to STARTTLS must be refused, so octets for after TLS follow a 0x1e. */
#include "base/limits.h"
#include "pieces.h"
#include "proto/sieve/sieve.h"

#define HEAD     2
#define TLS_MARK 0x1e
#define NAME     "name"
#define SECRET   "se\xff cret"
#define BASE64   "AG5hbWUAc2X/IGNyZXQ="

enum {
    FLAG_TLS = 1,
    FLAG_STARTTLS = 2,
    FLAG_LOOK = 4,
    FLAG_MASTER = 8,
    FLAG_LONG_SECRET = 16,
    FLAG_SPACED_NAME = 32,
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

    if ((must_be_tls && !r->is_tls) || (r->flags & FLAG_LOOK) != 0)
        CHECK(!holds(&r->out, VIEW_LIT("USER")) && !holds(&r->out, VIEW_LIT("AUTH")) &&
              !holds(&r->out, VIEW_LIT("PASS")) && !holds(&r->out, VIEW_LIT(SECRET)) &&
              !holds(&r->out, VIEW_LIT(BASE64)) && !holds(&r->out, VIEW_LIT(NAME)));
    CHECK(r->out.n == 0 || r->out.p[r->out.n - 1] == '\n');
    if (e->kind == LOGIN_MORE || e->kind == LOGIN_STARTTLS)
        return;
    CHECK(e->reason != NULL);
    CHECK(e->kind != LOGIN_DONE || r->is_tls || !must_be_tls);
    journal_put(&r->journal, "end", view_text(e->reason));
    journal_put(&r->journal, "capabilities", e->capabilities);
    CHECK(e->capabilities.n == 0 || e->capabilities.p[e->capabilities.n - 1] == '\n');
    CHECK(e->capabilities.n <= LIMIT_CAPABILITIES);
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
            sieve_login_ops.feed(r->login, view_of(piece, n), &used, &r->out);
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
    sieve_login_ops.tls_started(r->login, &r->out);
    r->is_tls = true;
}

static void run(struct run *r, struct view in, uint32_t seed)
{
    static uint8_t many[LIMIT_SECRET];
    struct login_conf conf = {
        .user = VIEW_LIT(NAME),
        .secret = VIEW_LIT(SECRET),
        .authorization = (r->flags & FLAG_MASTER) != 0 ? VIEW_LIT("master") : VIEW_NONE,
        .is_tls = (r->flags & FLAG_TLS) != 0,
        .is_starttls = (r->flags & FLAG_STARTTLS) != 0,
        .is_look = (r->flags & FLAG_LOOK) != 0,
    };
    struct pieces pieces = { seed };

    memset(many, 's', sizeof(many));
    if ((r->flags & FLAG_LONG_SECRET) != 0)
        conf.secret = view_of(many, sizeof(many));
    if ((r->flags & FLAG_SPACED_NAME) != 0)
        conf.user = VIEW_LIT(NAME " " NAME);
    r->is_tls = conf.is_tls;
    buf_init(&r->out, JOURNAL_MAX);
    buf_init(&r->journal, JOURNAL_MAX);
    r->login = sieve_login_ops.create(&conf);
    CHECK(r->login != NULL);
    while (in.n != 0 && !r->is_over) {
        const struct view stretch = view_first(in, view_find(in, TLS_MARK));
        feed(r, stretch, &pieces);
        in = view_skip(in, stretch.n + 1);
    }
    sieve_login_ops.destroy(r->login);
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
