/* The guard between a fuzzed client and a model of a lax submission server, written without a look
 * at the guard: it ends lines at LF or CR, takes tabs for spaces, does not see NUL, splits long
 * lines, finds the end of a message where others would not, and takes the octets of a chunk that it
 * refuses for commands. Asserted:
 *   - what the guard sent as command, message or chunk is read as that, octet by octet;
 *   - no chunk of a message that is not binary holds a bare CR, a bare LF or NUL;
 *   - the model executes as many commands as lines were sent, none that is forbidden, none for a
 *     sender who is not the client's where senders are held;
 *   - whole input and input in pieces give the same octets, both ways;
 *   - the model's octets reach the client unchanged but for filtered keywords and the guard's own
 *     answers between two replies;
 *   - an honest server is never accused, and nobody waits for ever. */
#include "base/limits.h"
#include "proto/smtp/guard_state.h"
#include "proto/smtp/smtp.h"

#define HEAD 5 /* octets in front of the client's: the model, the guard, three seeds */
#define WIDE (1u << 22)

enum {                    /* of the model */
       FLAG_LF = 1,       /* a LF alone ends a line                                        */
       FLAG_CR = 2,       /* a CR alone ends a line                                        */
       FLAG_SPACE = 4,    /* tabs and leading blanks are skipped, and blanks behind "."    */
       FLAG_NUL = 8,      /* NUL is not seen                                               */
       FLAG_SPLIT = 16,   /* long lines are split                                          */
       FLAG_EAGER = 32,   /* DATA is welcome without a recipient                           */
       FLAG_CLOSES = 64,  /* 421 by chance                                                 */
       FLAG_FORGETS = 128 /* HELO takes CHUNKING back                                      */
};
enum {
    CONF_NORMALISED = 1,
    CONF_CHUNKING = 2,
    CONF_HELD = 4,
    CONF_BINARY = 8,
    CONF_STUBBORN = 16 /* the model: behind a BDAT only BDAT, else nothing but RSET */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the model ------------------------------------------------------------------------ */

enum model_state { MODEL_LINE, MODEL_MESSAGE, MODEL_CHUNK, MODEL_CLOSED };

struct model {
    uint8_t flags, conf;
    uint32_t chance;
    enum model_state state;
    bool is_cr, is_mail, is_rcpt, is_chunking, is_last;
    bool is_binarymime, is_binary, is_chunk_cr; /* offered; announced; CR ends what chunks held */
    bool is_begun, is_stuck; /* behind a chunk; and behind another command there */
    uint32_t left;
    size_t executed;
    struct buf line;
    struct buf say;      /* towards the guard */
    struct buf expected; /* items: length (4 octets), the octets that the client should see */
};

static uint32_t draw(uint32_t *chance, uint32_t n)
{
    *chance ^= *chance << 13;
    *chance ^= *chance >> 17;
    *chance ^= *chance << 5;
    return *chance % n;
}

static void say_other(struct model *m, const char *octets, const char *seen)
{
    const uint32_t n = (uint32_t)strlen(seen);

    buf_put_text(&m->say, octets);
    buf_put(&m->expected, view_of(&n, sizeof(n)));
    buf_put_text(&m->expected, seen);
}

static void say(struct model *m, const char *octets)
{
    say_other(m, octets, octets);
}

static bool is_lucky(struct model *m)
{
    return draw(&m->chance, 4) != 0;
}

static void forget(struct model *m)
{
    m->is_mail = m->is_rcpt = m->is_chunk_cr = m->is_begun = m->is_stuck = false;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static struct view skip_blanks(struct view v)
{
    while (v.n > 0 && is_blank(v.p[0]))
        v = view_skip(v, 1);
    return v;
}

static bool takes(struct view *v, const char *word)
{
    if (!view_starts_nocase(*v, view_text(word)))
        return false;
    *v = view_skip(*v, strlen(word));
    return true;
}

static void greet(struct model *m, bool is_ehlo)
{
    if (!is_lucky(m)) {
        say(m, "550-no AUTH\r\n550 here\r\n");
        return;
    }
    forget(m);
    m->is_chunking = is_ehlo || (m->flags & FLAG_FORGETS) == 0;
    m->is_binarymime = false;
    if (!is_ehlo)
        say(m, "250 hello\r\n");
    else if (draw(&m->chance, 2) == 0 && (m->conf & CONF_CHUNKING) == 0)
        say_other(m, "250-AUTH is my name\r\n250-AUTH PLAIN\r\n250-DSN\r\n250 CHUNKING\r\n",
                  "250-AUTH is my name\r\n250 DSN\r\n");
    else if (draw(&m->chance, 2) == 0) {
        m->is_chunking = false;
        say_other(m, "250-me\r\n250-SIZE 5\r\n250-XCLIENT\r\n250 STARTTLS\r\n",
                  "250-me\r\n250 SIZE 5\r\n");
    } else if ((m->conf & CONF_CHUNKING) != 0) {
        m->is_binarymime = true;
        say_other(m, "250-me\r\n250-AUTH PLAIN\r\n250-CHUNKING\r\n250 BINARYMIME\r\n",
                  "250-me\r\n250-CHUNKING\r\n250 BINARYMIME\r\n");
    } else
        say(m, "250 me\r\n");
}

/* The sender as a careless reader finds it: behind the last ":" of a source route, without case. */
static void check_sender(const struct model *m, struct view v)
{
    v = skip_blanks(v);
    (void)takes(&v, "<");
    v = view_first(v, view_find(v, '>'));
    for (size_t at = view_find(v, ':'); at < v.n; at = view_find(v, ':'))
        v = view_skip(v, at + 1);
    const struct view domain = VIEW_LIT("@own.example");
    const bool is_domain =
        v.n > domain.n && view_starts_nocase(view_skip(v, v.n - domain.n), domain);
    if ((m->conf & CONF_HELD) != 0 && v.n > 0 && !is_domain &&
        !view_is_equal_nocase(v, VIEW_LIT("ann@example.org")))
        abort();
}

static void check_parameters(struct view v)
{
    for (; v.n > 0; v = view_skip(v, 1)) {
        struct view rest = v;
        if (is_blank(rest.p[0]) && rest.n > 1 &&
            view_starts_nocase(view_skip(rest, 1), VIEW_LIT("AUTH=")) &&
            !view_starts_nocase(view_skip(rest, 6), VIEW_LIT("<>")))
            abort();
    }
}

static void start_chunk(struct model *m, struct view v)
{
    uint32_t n = 0; /* wraps */

    v = skip_blanks(v);
    for (; v.n > 0 && v.p[0] >= '0' && v.p[0] <= '9'; v = view_skip(v, 1))
        n = n * 10 + (uint32_t)(v.p[0] - '0');
    if (!m->is_chunking || !m->is_mail || !m->is_rcpt || m->is_stuck) {
        say(m, "503 5.5.1 no\r\n"); /* and its octets are commands */
        return;
    }
    m->is_last = view_starts_nocase(skip_blanks(v), VIEW_LIT("LAST"));
    m->left = n;
    m->state = MODEL_CHUNK;
}

/* Some take a second MAIL and begin anew; the last of several bodies counts. */
static void start_transaction(struct model *m, struct view v)
{
    const bool is_good = is_lucky(m);

    say(m, is_good ? "250 2.1.0 Ok\r\n" : "550 5.7.1 no\r\n");
    if (!is_good)
        return;
    forget(m);
    m->is_mail = true;
    m->is_binary = false;
    for (; v.n > 0; v = view_skip(v, 1)) {
        struct view rest = v;
        if (takes(&rest, " BODY="))
            m->is_binary = m->is_binarymime && view_starts_nocase(rest, VIEW_LIT("BINARYMIME"));
    }
}

/* The message will be handed on with DATA, as it is, unless it is binary. */
static void check_chunk(struct model *m, uint8_t c)
{
    const bool is_end = m->left == 1 && m->is_last;

    if (!m->is_binary && (m->is_chunk_cr != (c == '\n') || c == '\0' || (is_end && c == '\r')))
        abort();
    m->is_chunk_cr = c == '\r';
}

static void end_chunk(struct model *m)
{
    const bool is_good = is_lucky(m);

    m->state = MODEL_LINE;
    m->is_begun = true;
    say(m, is_good ? "250-2.0.0 taken\r\n250 354\r\n" : "452 4.3.1 full\r\n");
    if (m->is_last || !is_good)
        forget(m);
}

static void start_message(struct model *m)
{
    if ((m->is_mail && m->is_rcpt && is_lucky(m)) || (m->flags & FLAG_EAGER) != 0) {
        say(m, "354-go\r\n354 on\r\n");
        m->state = MODEL_MESSAGE;
    } else {
        say(m, "503 5.5.1 354 no\r\n");
        if (is_lucky(m))
            forget(m);
    }
}

static void check_forbidden(struct view v)
{
    static const char *const words[] = { "AUTH", "STARTTLS", "XCLIENT", "XFORWARD", "PROXY",
                                         "BURL", "ETRN",     "TURN",    "LHLO",     "ATRN" };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (view_starts_nocase(v, view_text(words[i])))
            abort();
}

/* As Exim: a message in chunks is nothing but chunks. */
static bool is_out_of_place(struct model *m, struct view v)
{
    const bool is_fit = view_starts_nocase(v, VIEW_LIT("BDAT")) ||
                        view_starts_nocase(v, VIEW_LIT("RSET")) ||
                        view_starts_nocase(v, VIEW_LIT("QUIT"));

    m->is_stuck = m->is_stuck || (m->is_begun && !is_fit && (m->conf & CONF_STUBBORN) != 0);
    return m->is_stuck && !is_fit;
}

static void execute(struct model *m, struct view v)
{
    m->executed++;
    if ((m->flags & FLAG_SPACE) != 0)
        v = skip_blanks(v);
    check_forbidden(v);
    if (is_out_of_place(m, v)) {
        say(m, "503 only BDAT\r\n");
    } else if (takes(&v, "EHLO")) {
        greet(m, true);
    } else if (takes(&v, "HELO")) {
        greet(m, false);
    } else if (takes(&v, "MAIL FROM:")) {
        check_sender(m, v);
        check_parameters(v);
        start_transaction(m, v);
    } else if (takes(&v, "RCPT TO:")) {
        const bool is_good = m->is_mail && is_lucky(m);
        m->is_rcpt = m->is_rcpt || is_good;
        say(m, is_good ? "250 2.1.5 Ok\r\n" : "550-5.1.1\r\n550 no\r\n");
    } else if (takes(&v, "DATA")) {
        start_message(m);
    } else if (takes(&v, "BDAT")) {
        start_chunk(m, v);
        if (m->state == MODEL_CHUNK && m->left == 0)
            end_chunk(m);
    } else if (takes(&v, "RSET")) {
        forget(m);
        say(m, "250 Ok\r\n");
    } else if (takes(&v, "QUIT")) {
        m->state = MODEL_CLOSED;
        say(m, "221 2.0.0 bye\r\n");
    } else {
        say(m, is_lucky(m) ? "250\r\n" : "502-AUTH\r\n502 no\r\n");
    }
    if ((m->flags & FLAG_CLOSES) != 0 && m->state == MODEL_LINE && draw(&m->chance, 16) == 0) {
        m->state = MODEL_CLOSED;
        say(m, "421 4.3.2 closing\r\n");
    }
}

static void end_line(struct model *m)
{
    struct view v = buf_view(&m->line);

    if (m->state == MODEL_MESSAGE) {
        while ((m->flags & FLAG_SPACE) != 0 && v.n > 1 && is_blank(v.p[v.n - 1]))
            v.n--;
        if (view_is_equal(v, VIEW_LIT("."))) {
            m->state = MODEL_LINE;
            forget(m);
            say(m, is_lucky(m) ? "250 2.0.0 queued\r\n" : "554 5.6.0 no\r\n");
        }
    } else {
        execute(m, v);
    }
    buf_clear(&m->line);
}

static bool is_full(const struct model *m)
{
    const struct view v = buf_view(&m->line);
    const bool is_wide =
        view_starts_nocase(v, VIEW_LIT("MAIL")) || view_starts_nocase(v, VIEW_LIT("RCPT"));

    return m->state == MODEL_LINE && (m->flags & FLAG_SPLIT) != 0 &&
           v.n >= (is_wide ? LIMIT_SMTP_GUARD_LINE : LIMIT_SMTP_COMMAND);
}

/* `meant`: what the guard takes the octet for. */
static void model_octet(struct model *m, uint8_t c, enum model_state meant)
{
    const bool was_cr = m->is_cr;

    m->is_cr = c == '\r' && m->state != MODEL_CHUNK;
    if (m->state == MODEL_CLOSED || (c == '\n' && was_cr && (m->flags & FLAG_CR) != 0))
        return; /* nobody reads; or the CR has ended the line */
    if (m->state != meant)
        abort();
    if (m->state == MODEL_CHUNK) {
        check_chunk(m, c);
        if (--m->left == 0)
            end_chunk(m);
        return;
    }
    if ((c == '\n' && (was_cr || (m->flags & FLAG_LF) != 0)) ||
        (c == '\r' && (m->flags & FLAG_CR) != 0)) {
        if (m->line.n > 0 && m->line.p[m->line.n - 1] == '\r')
            m->line.n--;
        end_line(m);
        return;
    }
    if (c != '\0' || (m->flags & FLAG_NUL) == 0)
        buf_put_octet(&m->line, c);
    if (is_full(m))
        end_line(m);
}

/* ---- the dialogue --------------------------------------------------------------------- */

struct dialogue {
    struct guard *g;
    struct model m;
    struct buf from_client, up, down; /* what has not been judged; all that was read, each way */
    size_t sent;                      /* lines that the guard sent as commands */
    bool is_line_start, is_read;      /* of what goes up; the model was open where it began */
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

/* What the guard means the octets for that it lets through in this state. */
static enum model_state meaning(uint8_t client)
{
    if (client == SMTP_CLIENT_COMMAND || client == SMTP_CLIENT_QUIET)
        return MODEL_LINE;
    if (client == SMTP_CLIENT_MESSAGE)
        return MODEL_MESSAGE;
    return client == SMTP_CLIENT_CHUNK ? MODEL_CHUNK : MODEL_CLOSED;
}

static void to_model(struct dialogue *d, struct view v, enum model_state meant)
{
    for (size_t i = 0; i < v.n; i++) {
        if (d->m.state != MODEL_CLOSED)
            buf_put_octet(&d->up, v.p[i]);
        if (d->is_line_start)
            d->is_read = d->m.state != MODEL_CLOSED;
        d->is_line_start = v.p[i] == '\n';
        d->sent += meant == MODEL_LINE && d->is_line_start && d->is_read;
        model_octet(&d->m, v.p[i], meant);
    }
}

/* One step of one direction; true: something moved. */
static bool step(struct dialogue *d, bool is_client)
{
    struct buf *in = is_client ? &d->from_client : &d->m.say;
    const struct view v = view_first(buf_view(in), piece(d, in->n));
    const enum model_state meant = meaning(d->g->client);
    const struct guard_step s =
        is_client ? smtp_guard_ops.client(d->g, v) : smtp_guard_ops.server(d->g, v);

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
    const struct view out = s.kind == GUARD_PASS ? view_first(v, s.n) : s.put;
    if (is_client)
        to_model(d, out, meant);
    else
        buf_put(&d->down, out);
    buf_consume(in, s.n);
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
    struct buf *bufs[] = {
        &d->from_client, &d->up, &d->down, &d->m.line, &d->m.say, &d->m.expected
    };
    const struct guard_conf conf = {
        .capabilities = (head[1] & CONF_CHUNKING) == 0 ? VIEW_NONE
                        : (head[1] & CONF_BINARY) != 0 ? VIEW_LIT("BINARYMIME\r\nCHUNKING\r\n")
                                                       : VIEW_LIT("DSN\r\nCHUNKING\r\n"),
        .is_newline_normalised = (head[1] & CONF_NORMALISED) != 0,
        .is_sender_held = (head[1] & CONF_HELD) != 0,
        .senders = VIEW_LIT("ann@example.org @own.example"),
    };

    *d = (struct dialogue){ .g = smtp_guard_ops.create(&conf),
                            .is_line_start = true,
                            .schedule = schedule };
    d->m.flags = head[0];
    d->m.conf = head[1];
    d->m.is_chunking = (head[1] & CONF_CHUNKING) != 0;
    d->m.is_binarymime = d->m.is_chunking && (head[1] & CONF_BINARY) != 0;
    d->m.chance = 1u + head[2];
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_init(bufs[i], WIDE);
    CHECK(d->g != NULL);
}

static void dialogue_done(struct dialogue *d)
{
    struct buf *bufs[] = {
        &d->from_client, &d->up, &d->down, &d->m.line, &d->m.say, &d->m.expected
    };

    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_done(bufs[i]);
    smtp_guard_ops.destroy(d->g);
}

/* ---- the assertions ------------------------------------------------------------------- */

/* The guard's own answer at the front of `v`: its length, or 0. */
static size_t own_answer(struct view v)
{
    for (int due = SMTP_DUE_OWN; due < SMTP_DUE_COUNT; due++) {
        const struct view own = smtp_guard_answer((enum smtp_due)due);
        if (view_starts_nocase(v, own))
            return own.n;
    }
    return 0;
}

static void check_down(const struct dialogue *d)
{
    struct view down = buf_view(&d->down), items = buf_view(&d->m.expected);

    while (down.n > 0) {
        uint32_t n = 0;
        struct view item = VIEW_NONE;
        if (items.n > 0) {
            memcpy(&n, items.p, sizeof(n));
            item = view_first(view_skip(items, sizeof(n)), n);
        }
        const bool is_item =
            item.n > 0 && (view_is_equal(view_first(down, item.n), item) ||
                           (down.n < item.n && view_is_equal(view_first(item, down.n), down)));
        const size_t own = own_answer(down);
        if (!is_item && own == 0)
            abort();
        down = view_skip(down, is_item ? item.n : own);
        if (is_item)
            items = view_skip(items, sizeof(n) + n);
    }
    if (d->reason == NULL && items.n > 0)
        abort();
}

static void check(const struct dialogue *d)
{
    static const char *const accusations[] = { "upstream-nonsense", "upstream-capabilities",
                                               "unasked-reply", "no-memory" };

    for (size_t i = 0; i < COUNT_OF(accusations); i++)
        if (d->reason != NULL && strcmp(d->reason, accusations[i]) == 0)
            abort();
    if (d->reason == NULL && d->client_kind == GUARD_HOLD)
        abort();
    if (d->sent != d->m.executed)
        abort();
    check_down(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dialogue whole, pieces, mixed;

    if (size < HEAD || size > 20000)
        return 0;
    const struct view input = view_of(data + HEAD, size - HEAD);
    dialogue_init(&whole, data, 0);
    buf_put(&whole.from_client, input);
    run(&whole);

    uint32_t cut = 1u + data[3];
    dialogue_init(&pieces, data, 0);
    for (struct view left = input; left.n > 0 && pieces.reason == NULL;) {
        const size_t n = 1 + draw(&cut, data[3] < 128 ? 3 : 40);
        buf_put(&pieces.from_client, view_first(left, n));
        left = view_skip(left, n);
        run(&pieces);
    }
    dialogue_init(&mixed, data, 1u + data[4]);
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
