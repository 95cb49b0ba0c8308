/* The ManageSieve front before a hostile client. Asserted: whole input and pieces give the same
 * output and events; no credential before TLS; what leaves is fit for a line and within its bound;
 * what the client gets is responses of RFC 5804, whole ones; the session ends within its bounds.
 *
 * Input: flags, seed of the cuts, the client's octets. */
#include "base/limits.h"
#include "pieces.h"
#include "proto/sieve/response.h"
#include "proto/sieve/sieve.h"

#define HEAD  2
#define OFFER VIEW_LIT("\"SIEVE\" \"fileinto\"\r\n\"OWNER\" \"x\"\r\n\"VERSION\" \"1.0\"\r\n")

enum {
    FLAG_TLS = 1,
    FLAG_ALERT = 2,
    FLAG_ALLOW = 4,
    FLAG_PORTAL = 8, /* then 3 bits of answer */
    FLAG_OFFER = 128,
};

struct run {
    struct front *front;
    struct buf out, journal;
    uint8_t flags;
    bool is_tls, is_over;
    unsigned credentials;
};

static void on_credential(struct run *r, const struct front_event *e)
{
    static const enum front_answer answers[] = {
        ANSWER_REFUSE_PASSWORD, ANSWER_REFUSE_DEVICE, ANSWER_LATER,
        ANSWER_SWITCHED_OFF,    ANSWER_STALE,
    };

    CHECK(r->is_tls);
    CHECK(++r->credentials <= LIMIT_AUTH_TRIES);
    CHECK(is_line_safe(e->user) && is_line_safe(e->authorization) && is_line_safe(e->secret));
    CHECK(e->user.n <= LIMIT_ACCOUNT && e->authorization.n <= LIMIT_ACCOUNT);
    CHECK(e->secret.n <= LIMIT_SECRET);
    journal_put(&r->journal, "user", e->user);
    journal_put(&r->journal, "authorization", e->authorization);
    journal_put(&r->journal, "secret", e->secret);
    if ((r->flags & FLAG_ALLOW) != 0 && r->credentials == 2) {
        sieve_front_ops.accept(r->front, VIEW_LIT("\"SIEVE\" \"x\"\r\n"), false, &r->out);
        r->is_over = true;
        return;
    }
    sieve_front_ops.answer(r->front, answers[(r->flags >> 4) % COUNT_OF(answers)],
                           (r->flags & FLAG_ALERT) != 0, &r->out);
}

static void on_event(struct run *r, const struct front_event *e)
{
    switch (e->kind) {
    case FRONT_MORE:
        return;
    case FRONT_STARTTLS:
        CHECK(!r->is_tls);
        buf_put_text(&r->journal, "starttls\n");
        sieve_front_ops.tls_started(r->front, &r->out);
        r->is_tls = true;
        return;
    case FRONT_CREDENTIAL:
        on_credential(r, e);
        return;
    case FRONT_CLOSE:
        CHECK(e->reason != NULL);
        journal_put(&r->journal, "close", view_text(e->reason));
        r->is_over = true;
        return;
    }
}

static void check_responses(struct view out)
{
    struct sieve_response response = { 0 };

    while (out.n != 0) {
        size_t n;
        CHECK(sieve_response_take(&response, out, &n) != RESPONSE_BAD);
        out = view_skip(out, n);
    }
    CHECK(sieve_response_is_start(&response));
}

static void run(struct run *r, struct view in, uint32_t seed)
{
    const struct front_conf conf = {
        .host = "mail.example.org",
        .portal_url = (r->flags & FLAG_PORTAL) != 0 ? "https://mail.example.org" : "",
        .offer = (r->flags & FLAG_OFFER) != 0 ? OFFER : VIEW_NONE,
        .is_tls = (r->flags & FLAG_TLS) != 0,
    };
    struct pieces pieces = { seed };

    r->is_tls = conf.is_tls;
    buf_init(&r->out, JOURNAL_MAX);
    buf_init(&r->journal, JOURNAL_MAX);
    r->front = sieve_front_ops.create(&conf);
    CHECK(r->front != NULL);
    sieve_front_ops.greet(r->front, &r->out);
    while (in.n != 0 && !r->is_over) {
        const size_t n = pieces_next(&pieces, in.n);
        uint8_t *piece = pieces_copy(view_first(in, n));
        size_t used = 0;
        const struct front_event e =
            sieve_front_ops.feed(r->front, view_of(piece, n), &used, &r->out);
        CHECK(used <= n && (used == n || e.kind != FRONT_MORE));
        on_event(r, &e);
        free(piece);
        in = view_skip(in, used);
    }
    CHECK(sieve_front_ops.client(r->front).n == 0);
    sieve_front_ops.bye(r->front, "good-bye", &r->out);
    sieve_front_ops.destroy(r->front);
    CHECK(buf_is_ok(&r->out) && buf_is_ok(&r->journal));
    check_responses(buf_view(&r->out));
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
