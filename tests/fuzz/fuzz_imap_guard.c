/* The guard between a fuzzed client and a model of a lax IMAP server, written without a look at the
 * guard: it ends lines at any LF (or CR), takes tabs for spaces, believes any `{…}` at a line's
 * end, and refuses, answers early or fills in untagged data by chance. Asserted:
 *   - no forbidden word is ever executed by the model;
 *   - whole input and input in pieces give the same octets, both ways;
 *   - the model's octets reach the client unchanged but for filtered capabilities, swallowed "+"
 * and the guard's own answers between two responses;
 *   - an honest server is never accused, and nobody waits for ever. */
#include "base/limits.h"
#include "proto/imap/imap.h"

#include <ctype.h>
#include <strings.h>

static const struct guard_conf plain;

#define HEAD 4 /* octets in front of the client's: flags, three seeds */
#define WIDE (1u << 22)

enum {
    FLAG_BARE_CR = 1,    /* a CR alone ends a line                                           */
    FLAG_LAX_SPACE = 2,  /* tabs and leading spaces are skipped                              */
    FLAG_EARLY = 4,      /* a message may be refused between its literal and the line's end  */
    FLAG_RAW_QUOTES = 8, /* a marker counts even inside quotes                               */
    FLAG_CARELESS =
        32,         /* what stands behind an error in APPEND is a new command, as in Dovecot 2.3 */
    FLAG_ECHO = 64, /* a bad argument is repeated in the reply as it is                         */
    FLAG_IDLE_ENDS = 16, /* an IDLE may end by itself                                        */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the model --------------------------------------------------------------------------------
 */

enum model_state { MODEL_LINE, MODEL_LITERAL, MODEL_IDLE };
enum item_kind { ITEM_PLAIN = 1, ITEM_PLUS };

struct model {
    uint8_t flags;
    uint32_t chance;
    enum model_state state;
    bool is_rest, is_answered, is_cr;
    bool is_text; /* literals are messages or values: never repeated */
    struct buf echo;
    uint64_t left;
    struct buf line, tag;
    struct buf say;      /* towards the guard */
    struct buf expected; /* items: kind, length (4 octets), the octets that the client should see */
};

static uint32_t draw(uint32_t *chance, uint32_t n)
{
    *chance ^= *chance << 13;
    *chance ^= *chance >> 17;
    *chance ^= *chance << 5;
    return *chance % n;
}

static void say(struct model *m, enum item_kind kind, const char *octets, const char *seen)
{
    uint32_t n = (uint32_t)strlen(seen);

    buf_put_text(&m->say, octets);
    buf_put_octet(&m->expected, (uint8_t)kind);
    buf_put(&m->expected, view_of(&n, sizeof(n)));
    buf_put_text(&m->expected, seen);
}

static void fill(struct model *m)
{
    static const char *const fillers[] = {
        "* 3 EXISTS\r\n",
        "* 1 FETCH (BODY[] {23}\r\n+ go\r\na OK\r\na1 NO x\r\n {)\r\n",
        "* 1 FETCH (BINARY[] ~{4}\r\n+ \r\n BODY[] {0}\r\n)\r\n",
        "* OK what looks like a literal {55}\r\n",
        "* LIST () \"/\" \"{7}\"\r\n",
        "* BYE or not {1}\r\n",
    };
    uint32_t k = draw(&m->chance, 12);

    if (k < COUNT_OF(fillers))
        say(m, ITEM_PLAIN, fillers[k], fillers[k]);
    else if (k == 7)
        say(m, ITEM_PLAIN, "* CAPABILITY IMAP4rev1 UNAUTHENTICATE IDLE COMPRESS=DEFLATE\r\n",
            "* CAPABILITY IMAP4rev1 IDLE\r\n");
    else if (k == 8)
        say(m, ITEM_PLAIN, "* NO [capability STARTTLS XYZ] {3}\r\n",
            "* NO [capability XYZ] {3}\r\n");
}

static void reply(struct model *m, const char *text, const char *seen)
{
    AUTO_BUF(octets, WIDE);
    AUTO_BUF(see, WIDE);

    if (m->tag.n == 0) {
        say(m, ITEM_PLAIN, "* BAD no tag\r\n", "* BAD no tag\r\n");
        return;
    }
    buf_printf(&octets, "%s %s\r\n", buf_cstr(&m->tag), text);
    buf_printf(&see, "%s %s\r\n", buf_cstr(&m->tag), seen);
    say(m, ITEM_PLAIN, buf_cstr(&octets), buf_cstr(&see));
}

static void execute(struct view word)
{
    static const char *const forbidden[] = { "UNAUTHENTICATE", "LOGIN", "AUTHENTICATE", "STARTTLS",
                                             "COMPRESS" };

    for (size_t i = 0; i < COUNT_OF(forbidden); i++)
        if (view_is_equal_nocase(word, view_text(forbidden[i])))
            abort();
}

static struct view take_word(struct model *m, struct view *v)
{
    size_t n = 0;
    bool is_lax = (m->flags & FLAG_LAX_SPACE) != 0;

    while (is_lax && v->n > 0 && isspace(v->p[0]))
        *v = view_skip(*v, 1);
    while (n < v->n && !isspace(v->p[n]) && v->p[n] != '(' && v->p[n] != '"' && v->p[n] != '\0')
        n++;
    struct view word = view_first(*v, n);
    *v = view_skip(*v, n + 1);
    return word;
}

/* Any braces at the end of the line that hold digits; the number wraps at 32 bits. */
static bool is_marker(const struct model *m, bool *ret_nonsync, uint64_t *ret)
{
    struct view v = buf_view(&m->line);
    size_t open = 0, end = v.n;
    uint32_t n = 0;
    bool is_quoted = false, is_digit = false;

    while (end > 0 && v.p[end - 1] == ' ')
        end--;
    if (end < 2 || v.p[end - 1] != '}')
        return false;
    for (size_t i = 0; i < end; i++) {
        is_quoted ^= v.p[i] == '"' && (i == 0 || v.p[i - 1] != '\\');
        if (v.p[i] == '{' && (!is_quoted || (m->flags & FLAG_RAW_QUOTES) != 0))
            open = i + 1;
    }
    *ret_nonsync = false;
    for (size_t i = open; i + 1 < end && open > 0; i++) {
        is_digit = is_digit || isdigit(v.p[i]);
        if (isdigit(v.p[i]))
            n = n * 10 + (uint32_t)(v.p[i] - '0');
        else if (v.p[i] == '+')
            *ret_nonsync = true;
        else if (v.p[i] != ' ' && v.p[i] != '-')
            return false;
    }
    *ret = n;
    return is_digit;
}

static void start_command(struct model *m)
{
    m->state = MODEL_LINE;
    m->is_rest = m->is_answered = false;
    buf_clear(&m->tag);
    buf_clear(&m->echo);
}

static void start_literal(struct model *m, uint64_t n)
{
    m->left = n;
    m->state = n == 0 ? MODEL_LINE : MODEL_LITERAL;
    m->is_rest = true;
}

static void start_idle(struct model *m)
{
    if (draw(&m->chance, 4) == 0) {
        reply(m, "NO not now", "NO not now");
        start_command(m);
        return;
    }
    say(m, ITEM_PLUS, "+ idling\r\n", "+ idling\r\n");
    fill(m);
    m->state = MODEL_IDLE;
    if ((m->flags & FLAG_IDLE_ENDS) != 0 && draw(&m->chance, 3) == 0) {
        reply(m, "OK idled enough", "OK idled enough");
        start_command(m);
    }
}

static void literal_or_end(struct model *m)
{
    uint64_t n;
    bool is_nonsync;

    if (is_marker(m, &is_nonsync, &n)) {
        if (is_nonsync) {
            start_literal(m, n);
        } else if (!m->is_answered && n < 70000 && draw(&m->chance, 3) != 0) {
            say(m, ITEM_PLUS, "+ go {5}\r\n", "+ go {5}\r\n");
            start_literal(m, n);
        } else {
            if (!m->is_answered)
                reply(m, "NO [TRYCREATE] no {3}", "NO [TRYCREATE] no {3}");
            start_command(m);
        }
        return;
    }
    if (!m->is_answered && m->echo.n > 0 && (m->flags & FLAG_ECHO) != 0)
        reply(m, buf_cstr(&m->echo), buf_cstr(&m->echo));
    else if (!m->is_answered && draw(&m->chance, 4) == 0)
        reply(m, "OK [CAPABILITY COMPRESS=DEFLATE NOTIFY] done", "OK [CAPABILITY NOTIFY] done");
    else if (!m->is_answered)
        reply(m, "OK done", "OK done");
    start_command(m);
}

/* Where APPEND's arguments stop making sense; v.n: nowhere. */
static size_t first_error(struct view v)
{
    bool is_quoted = false;
    int depth = 0;

    for (size_t i = 0; i < v.n; i++) {
        if (is_quoted && v.p[i] == '\\')
            i++;
        else if (v.p[i] == '"')
            is_quoted = !is_quoted;
        else if (!is_quoted && (v.p[i] >= 0x80 || (v.p[i] == ')' && --depth < 0)))
            return i;
        else if (!is_quoted && v.p[i] == '(')
            depth++;
        else if (!is_quoted && v.p[i] == '{' && view_find(view_skip(v, i), '}') != v.n - i - 1)
            return i;
    }
    return v.n;
}

/* The rest of the line, wherever a new command may be thought to begin in it. */
static void run_rest(struct model *m, struct view rest)
{
    for (rest = view_skip(rest, first_error(rest)); rest.n > 0; rest = view_skip(rest, 1)) {
        struct view v = rest;
        (void)take_word(m, &v);
        execute(take_word(m, &v));
    }
}

static void end_line(struct model *m)
{
    struct view rest = buf_view(&m->line);

    if (m->state == MODEL_IDLE) {
        bool is_done = view_is_equal_nocase(rest, VIEW_LIT("DONE"));
        reply(m, is_done ? "OK idled" : "BAD not done", is_done ? "OK idled" : "BAD not done");
        start_command(m);
    } else {
        struct view word = VIEW_NONE;
        fill(m);
        if (!m->is_rest) {
            buf_put(&m->tag, take_word(m, &rest));
            word = take_word(m, &rest);
            execute(word);
            m->is_text = view_is_equal_nocase(word, VIEW_LIT("APPEND")) ||
                         view_is_equal_nocase(word, VIEW_LIT("REPLACE")) ||
                         view_is_equal_nocase(word, VIEW_LIT("UID")) ||
                         view_is_equal_nocase(word, VIEW_LIT("SETMETADATA"));
            if ((m->flags & FLAG_CARELESS) != 0 && view_is_equal_nocase(word, VIEW_LIT("APPEND")))
                run_rest(m, rest);
        }
        if (view_is_equal_nocase(word, VIEW_LIT("IDLE")))
            start_idle(m);
        else
            literal_or_end(m);
    }
    buf_clear(&m->line);
}

static void model_octet(struct model *m, uint8_t c)
{
    bool was_cr = m->is_cr;

    m->is_cr = c == '\r' && m->state != MODEL_LITERAL;
    if (c == '\n' && was_cr && (m->flags & FLAG_BARE_CR) != 0)
        return; /* the CR has ended the line */
    if (m->state == MODEL_LITERAL) {
        if (!m->is_text && m->echo.n == 0)
            buf_put_text(&m->echo, "BAD what is ");
        if (!m->is_text && m->echo.n < 300)
            buf_put_octet(&m->echo, c);
        if (--m->left > 0)
            return;
        m->state = MODEL_LINE;
        if ((m->flags & FLAG_EARLY) != 0 && !m->is_answered && draw(&m->chance, 3) == 0) {
            reply(m, "NO [OVERQUOTA] full", "NO [OVERQUOTA] full");
            m->is_answered = true;
        }
        return;
    }
    if (c == '\n' || (c == '\r' && (m->flags & FLAG_BARE_CR) != 0)) {
        if (m->line.n > 0 && m->line.p[m->line.n - 1] == '\r')
            m->line.n--;
        end_line(m);
        return;
    }
    buf_put_octet(&m->line, c);
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

    *d = (struct dialogue){ .g = imap_guard_ops.create(&plain), .schedule = schedule };
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
