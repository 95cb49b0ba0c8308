/* Our login before a hostile upstream. Asserted: whole input and pieces give the same output and
 * event; before TLS, where it is required, no credential is begun; a look never begins one; what we
 * send is whole lines; the login is begun at most once.
 *
 * Input: flags, seed of the cuts, the upstream's octets. An upstream that speaks behind its
 * STARTTLS reply must be refused, so octets for after TLS follow a 0x1e. */
#include "base/limits.h"
#include "pieces.h"
#include "proto/smtp/smtp.h"

#define HEAD     2
#define TLS_MARK 0x1e

enum {
    FLAG_TLS = 1,
    FLAG_STARTTLS = 2,
    FLAG_LOOK = 4,
    FLAG_MASTER = 8,
    FLAG_LONG = 16, /* a password that does not go in one line with the command */
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

/* Whole lines; *ret_auths: of them how many begin a login. */
static void check_lines(struct view out, unsigned *ret_auths)
{
    *ret_auths = 0;
    while (out.n != 0) {
        const size_t n = view_find(out, '\n');
        CHECK(n < out.n && n >= 1 && out.p[n - 1] == '\r');
        CHECK(is_line_safe(view_first(out, n - 1)));
        *ret_auths += view_starts_nocase(out, VIEW_LIT("AUTH ")) ? 1 : 0;
        out = view_skip(out, n + 1);
    }
}

static void on_event(struct run *r, const struct login_event *e)
{
    const bool must_be_tls = (r->flags & (FLAG_TLS | FLAG_STARTTLS)) == FLAG_STARTTLS;

    if ((must_be_tls && !r->is_tls) || (r->flags & FLAG_LOOK) != 0)
        CHECK(!holds(&r->out, VIEW_LIT("AUTH")) && !holds(&r->out, VIEW_LIT("c2Vj")));
    if (e->kind == LOGIN_MORE || e->kind == LOGIN_STARTTLS)
        return;
    CHECK(e->reason != NULL);
    CHECK(e->kind != LOGIN_DONE || r->is_tls || !must_be_tls);
    CHECK(e->kind != LOGIN_REFUSED || (r->flags & FLAG_LOOK) == 0);
    CHECK(e->kind == LOGIN_DONE || e->capabilities.n == 0);
    CHECK(e->capabilities.n <= LIMIT_CAPABILITIES);
    journal_put(&r->journal, "end", view_text(e->reason));
    journal_put(&r->journal, "capabilities", e->capabilities);
    unsigned ignored;
    check_lines(e->capabilities, &ignored);
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
            smtp_login_ops.feed(r->login, view_of(piece, n), &used, &r->out);
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
    smtp_login_ops.tls_started(r->login, &r->out);
    r->is_tls = true;
}

static void run(struct run *r, struct view in, uint32_t seed)
{
    uint8_t secret[600] = "secret";
    const struct login_conf conf = {
        .host = "gate.example.org",
        .user = VIEW_LIT("alice"),
        .secret = view_of(secret, (r->flags & FLAG_LONG) != 0 ? sizeof(secret) : 6),
        .authorization = (r->flags & FLAG_MASTER) != 0 ? VIEW_LIT("master") : VIEW_NONE,
        .is_tls = (r->flags & FLAG_TLS) != 0,
        .is_starttls = (r->flags & FLAG_STARTTLS) != 0,
        .is_look = (r->flags & FLAG_LOOK) != 0,
    };
    struct pieces pieces = { seed };
    unsigned auths;

    memset(secret + 6, 'x', sizeof(secret) - 6);
    r->is_tls = conf.is_tls;
    buf_init(&r->out, JOURNAL_MAX);
    buf_init(&r->journal, JOURNAL_MAX);
    r->login = smtp_login_ops.create(&conf);
    CHECK(r->login != NULL);
    while (in.n != 0 && !r->is_over) {
        const struct view stretch = view_first(in, view_find(in, TLS_MARK));
        feed(r, stretch, &pieces);
        in = view_skip(in, stretch.n + 1);
    }
    smtp_login_ops.destroy(r->login);
    CHECK(buf_is_ok(&r->out) && buf_is_ok(&r->journal));
    check_lines(buf_view(&r->out), &auths);
    CHECK(auths <= 1);
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
