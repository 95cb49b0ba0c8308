/* The guard between a fuzzed client and a model of a lax POP3 server, written without a look at the
 * guard: it ends lines at any LF (or CR), cuts long ones, takes tabs for spaces, and fills its
 * texts with what looks like their end. Asserted:
 *   - no command but the known ones is ever executed by the model;
 *   - whole input and input in pieces give the same octets, both ways;
 *   - the client has one reply for each of its lines, in their order: the model's, with CAPA
 *     filtered, or the gate's refusal where the line did not get through;
 *   - an honest server is never accused, and nobody waits for ever. */
#include "base/limits.h"
#include "proto/pop3/pop3.h"

#include <ctype.h>

static const struct guard_conf plain;

#define HEAD    4 /* octets in front of the client's: flags, three seeds */
#define WIDE    (1u << 22)
#define REFUSAL "-ERR This command does not pass the gate\r\n"

enum {
    FLAG_BARE_CR = 1,   /* a CR alone ends a line                             */
    FLAG_LAX_SPACE = 2, /* tabs and leading spaces are skipped                */
    FLAG_CUT = 4,       /* a line over 255 octets goes on as another one      */
    FLAG_NUL = 8,       /* a NUL ends a line for the server's string functions */
    FLAG_SLOW = 16,     /* the server answers when the client has said all    */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the model --------------------------------------------------------------------------------
 */

struct model {
    uint8_t flags;
    uint32_t chance;
    bool is_cr;
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

static void say(struct model *m, struct view octets, struct view seen)
{
    const uint32_t n = (uint32_t)seen.n;

    buf_put(&m->say, octets);
    buf_put(&m->expected, view_of(&n, sizeof(n)));
    buf_put(&m->expected, seen);
}

static const char *status(struct model *m, bool is_ok)
{
    static const char *const good[] = { "+OK\r\n", "+OK 1 2\r\n", "+OK .\r\n", "+OK -ERR +OK\r\n" };
    static const char *const bad[] = { "-ERR\r\n", "-ERR [SYS/TEMP] x\r\n", "-ERR +OK\r\n" };

    return is_ok ? good[draw(&m->chance, COUNT_OF(good))] : bad[draw(&m->chance, COUNT_OF(bad))];
}

static void say_line(struct model *m, bool is_ok)
{
    const struct view v = view_text(status(m, is_ok));

    say(m, v, v);
}

/* Lines as any mail may hold them, stuffed as they must be. */
static void say_text(struct model *m)
{
    static const char *const lines[] = {
        "..\r\n",     "..\n.\r\n", "\r\n",       "+OK\r\n", "-ERR\r\n",     "a\n.\n\r\n",
        "\r..\r\n",   "a\r.\r\n",  ". ",         "...\r\n", "\r\n..\r\r\n", "..\r.\r\n",
        "....\n\r\n", ".a\r\n",    "\r\r\n\r\n", "x\r\r\n", "a.\r\n",       "USER a\r\nSTLS\r\n",
    };
    AUTO_BUF(text, WIDE);

    buf_put_text(&text, status(m, true));
    for (uint32_t n = draw(&m->chance, 9); n > 0; n--) {
        const char *line = lines[draw(&m->chance, COUNT_OF(lines))];
        buf_put_text(&text, line);
        if (line[strlen(line) - 1] != '\n')
            buf_put_text(&text, "\r\n");
        for (uint32_t more = draw(&m->chance, 200); more > 190; more--)
            buf_put_text(&text, " . . . . . . . . . . . . . . .\r\n");
    }
    buf_put_text(&text, ".\r\n");
    say(m, buf_view(&text), buf_view(&text));
}

static void say_capabilities(struct model *m)
{
    static const struct {
        const char *line;
        bool is_seen;
    } lines[] = {
        { "TOP\r\n", true },          { "UIDL\r\n", true },     { "STLS\r\n", false },
        { "SASL PLAIN\r\n", false },  { "USER\r\n", false },    { "XCLIENT\r\n", false },
        { "EXPIRE NEVER\r\n", true }, { "..\r\n", false },      { "\r\n", false },
        { "PIPELINING\r\n", true },   { "TOP \r.\r\n", false },
    };
    AUTO_BUF(text, WIDE);
    AUTO_BUF(seen, WIDE);

    buf_put_text(&text, status(m, true));
    buf_put(&seen, buf_view(&text));
    for (uint32_t n = draw(&m->chance, 9); n > 0; n--) {
        const uint32_t i = draw(&m->chance, COUNT_OF(lines));
        buf_put_text(&text, lines[i].line);
        if (lines[i].is_seen)
            buf_put_text(&seen, lines[i].line);
    }
    buf_put_text(&text, ".\r\n");
    buf_put_text(&seen, "RESP-CODES\r\nAUTH-RESP-CODE\r\n.\r\n");
    say(m, buf_view(&text), buf_view(&seen));
}

enum kind { KIND_LINE = 1, KIND_TEXT, KIND_TEXT_UNLESS_ARGUMENT, KIND_CAPA };

static const struct {
    const char *word;
    enum kind kind;
} known[] = {
    { "STAT", KIND_LINE },
    { "DELE", KIND_LINE },
    { "NOOP", KIND_LINE },
    { "RSET", KIND_LINE },
    { "QUIT", KIND_LINE },
    { "UTF8", KIND_LINE },
    { "RETR", KIND_TEXT },
    { "TOP", KIND_TEXT },
    { "LIST", KIND_TEXT_UNLESS_ARGUMENT },
    { "UIDL", KIND_TEXT_UNLESS_ARGUMENT },
    { "LANG", KIND_TEXT_UNLESS_ARGUMENT },
    { "CAPA", KIND_CAPA },
};

static void execute(struct model *m, struct view word, bool has_argument)
{
    const bool is_ok = draw(&m->chance, 4) != 0;
    enum kind kind = 0;

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (view_is_equal_nocase(word, view_text(known[i].word)))
            kind = known[i].kind;
    CHECK(kind != 0); /* whatever it is, it must not have come here */
    if (!is_ok || kind == KIND_LINE || (kind == KIND_TEXT_UNLESS_ARGUMENT && has_argument))
        say_line(m, is_ok);
    else if (kind == KIND_CAPA)
        say_capabilities(m);
    else
        say_text(m);
}

static void end_line(struct model *m)
{
    const bool is_lax = (m->flags & FLAG_LAX_SPACE) != 0;
    struct view v = buf_view(&m->line);
    size_t n = 0;

    if ((m->flags & FLAG_NUL) != 0)
        v = view_first(v, view_find(v, '\0'));
    while (is_lax && v.n > 0 && isspace(v.p[0]))
        v = view_skip(v, 1);
    while (n < v.n && v.p[n] != ' ' && !(is_lax && isspace(v.p[n])))
        n++;
    const struct view word = view_first(v, n);
    v = view_skip(v, n);
    while (v.n > 0 && isspace(v.p[0]))
        v = view_skip(v, 1);
    execute(m, word, v.n != 0);
    buf_clear(&m->line);
}

static void model_octet(struct model *m, uint8_t c)
{
    const bool was_cr = m->is_cr;

    m->is_cr = c == '\r';
    if (c == '\n' && was_cr && (m->flags & FLAG_BARE_CR) != 0)
        return; /* the CR has ended the line */
    if (c == '\n' || (c == '\r' && (m->flags & FLAG_BARE_CR) != 0)) {
        if (m->line.n > 0 && m->line.p[m->line.n - 1] == '\r')
            m->line.n--;
        end_line(m);
        return;
    }
    buf_put_octet(&m->line, c);
    if (m->line.n == 255 && (m->flags & FLAG_CUT) != 0)
        end_line(m);
}

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
    const struct view v = view_first(buf_view(in), piece(d, in->n));
    const struct guard_step s =
        is_client ? pop3_guard_ops.client(d->g, v) : pop3_guard_ops.server(d->g, v);
    const size_t before = out->n;

    if (is_client)
        d->client_kind = s.kind;
    if (s.kind == GUARD_END) {
        d->reason = s.reason;
        return false;
    }
    if (s.kind == GUARD_MORE || s.kind == GUARD_HOLD) {
        CHECK(s.kind == GUARD_HOLD || v.n == 0);
        return false;
    }
    CHECK(s.n <= v.n && (s.kind == GUARD_PUT || s.n != 0));
    buf_put(out, s.kind == GUARD_PASS ? view_first(v, s.n) : s.put);
    buf_consume(in, s.n);
    for (size_t i = before; is_client && i < out->n; i++)
        model_octet(&d->m, out->p[i]);
    return true;
}

/* Runs until nobody can move: the server is heard out before the client may go on, unless there is
 * a schedule, or it is slow. */
static void run(struct dialogue *d)
{
    bool is_moving = true;

    while (is_moving && d->reason == NULL) {
        is_moving = false;
        while ((d->m.flags & FLAG_SLOW) != 0 && d->reason == NULL && step(d, true))
            is_moving = true;
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

    *d = (struct dialogue){ .g = pop3_guard_ops.create(&plain), .schedule = schedule };
    d->m.flags = head[0];
    d->m.chance = 1u + head[1];
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
    pop3_guard_ops.destroy(d->g);
}

/* ---- the assertions ---------------------------------------------------------------------------
 */

static struct view take_line(struct view *v)
{
    const struct view line = view_first(*v, view_find(*v, '\n') + 1);

    *v = view_skip(*v, line.n);
    return line;
}

static struct view take_item(struct view *items)
{
    uint32_t n = 0;

    CHECK(items->n >= sizeof(n));
    memcpy(&n, items->p, sizeof(n));
    const struct view item = view_first(view_skip(*items, sizeof(n)), n);
    *items = view_skip(*items, sizeof(n) + n);
    return item;
}

/* A line has always the same fate, so it is the next of those that went up or was refused. */
static void check_down(const struct dialogue *d, struct view input)
{
    struct view up = buf_view(&d->up), items = buf_view(&d->m.expected);
    AUTO_BUF(due, WIDE);

    while (view_find(input, '\n') != input.n) {
        const struct view line = take_line(&input);
        struct view rest = up;
        if (up.n != 0 && view_is_equal(take_line(&rest), line)) {
            up = rest;
            buf_put(&due, take_item(&items));
        } else {
            buf_put_text(&due, REFUSAL);
        }
    }
    CHECK(up.n == 0 && items.n == 0);
    CHECK(view_is_equal(view_first(buf_view(&due), d->down.n), buf_view(&d->down)));
    CHECK(d->reason != NULL || d->down.n == due.n);
}

static void check(const struct dialogue *d, struct view input)
{
    CHECK(d->reason == NULL ||
          (strncmp(d->reason, "upstream", 8) != 0 && strcmp(d->reason, "unasked-reply") != 0 &&
           strcmp(d->reason, "no-memory") != 0));
    CHECK(d->reason != NULL || d->client_kind != GUARD_HOLD);
    check_down(d, input);
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

    uint32_t cut = 1u + data[2];
    dialogue_init(&pieces, data, 0);
    for (struct view left = input; left.n > 0 && pieces.reason == NULL;) {
        const size_t n = 1 + draw(&cut, data[2] < 128 ? 3 : 40);
        buf_put(&pieces.from_client, view_first(left, n));
        left = view_skip(left, n);
        run(&pieces);
    }
    dialogue_init(&mixed, data, 1u + data[3]);
    buf_put(&mixed.from_client, input);
    run(&mixed);

    check(&whole, input);
    check(&pieces, input);
    check(&mixed, input);
    CHECK(whole.reason == pieces.reason && whole.reason == mixed.reason);
    CHECK(view_is_equal(buf_view(&whole.up), buf_view(&pieces.up)));
    CHECK(view_is_equal(buf_view(&whole.up), buf_view(&mixed.up)));
    CHECK(whole.reason != NULL || view_is_equal(buf_view(&whole.down), buf_view(&pieces.down)));
    dialogue_done(&whole);
    dialogue_done(&pieces);
    dialogue_done(&mixed);
    return 0;
}
