/* The guard between a fuzzed client and a model of a lax ManageSieve server, written without a look
 * at the guard: it ends lines at any LF (or CR), believes any "{…}" at a line's end, and gives up
 * on a line as Cyrus and Dovecot do, so that a literal behind it becomes commands. Asserted:
 *   - no command but the known ones is ever executed by the model, wherever it thinks that one
 *     begins;
 *   - whole input and input in pieces give the same octets, both ways;
 *   - the model's octets reach the client unchanged but for its capabilities, with the gate's own
 *     answers between two responses only;
 *   - an honest server is never accused, and nobody waits for ever. */
#include "base/limits.h"
#include "base/utf8.h"
#include "proto/sieve/sieve.h"

#include <ctype.h>

static const struct guard_conf plain;

#define HEAD    4 /* octets in front of the client's: flags, three seeds */
#define WIDE    (1u << 22)
#define REFUSAL "NO \"This command does not pass the gate\"\r\n"

enum {
    FLAG_BARE_CR = 1,     /* a CR alone ends a line                                             */
    FLAG_ASCII = 2,       /* other octets in a quoted string: the rest of the line is dropped   */
    FLAG_UTF8 = 4,        /* the same with what is not UTF-8, in a name's literal from there on */
    FLAG_CARELESS = 8,    /* what stands behind the arguments is a new command                  */
    FLAG_RAW_QUOTES = 16, /* a mark counts even inside quotes                                  */
    FLAG_EARLY = 32,      /* a script may be refused at its mark; it is swallowed               */
    FLAG_ODD_NAMES = 64,  /* names are listed with their quotes as they are                     */
};

enum kind { KIND_STATUS, KIND_PUT, KIND_CHECK, KIND_LIST, KIND_GET, KIND_CAPABILITY };

static const struct {
    const char *word;
    enum kind kind;
} words[] = {
    { "PUTSCRIPT", KIND_PUT },       { "CHECKSCRIPT", KIND_CHECK },
    { "SETACTIVE", KIND_STATUS },    { "LISTSCRIPTS", KIND_LIST },
    { "GETSCRIPT", KIND_GET },       { "DELETESCRIPT", KIND_STATUS },
    { "RENAMESCRIPT", KIND_STATUS }, { "HAVESPACE", KIND_STATUS },
    { "NOOP", KIND_STATUS },         { "CAPABILITY", KIND_CAPABILITY },
    { "LOGOUT", KIND_STATUS },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the model --------------------------------------------------------------------------------
 */

struct model {
    uint8_t flags;
    uint32_t chance;
    enum kind kind;
    unsigned strings; /* of this command so far */
    uint32_t left;    /* octets of a literal */
    bool is_rest, is_answered, is_cr;
    struct buf line, literal;
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

static void say(struct model *m, const char *octets, const char *seen)
{
    const uint32_t n = (uint32_t)strlen(seen);

    buf_put_text(&m->say, octets);
    buf_put(&m->expected, view_of(&n, sizeof(n)));
    buf_put_text(&m->expected, seen);
}

static void say_status(struct model *m, bool is_ok)
{
    static const char *const good[] = {
        "OK\r\n",
        "ok (WARNINGS) {7}\r\nNO\r\nOK\n\r\n",
        "OK (TAG \"OK\\\"\\\\)\") \"NO\"\r\n",
        "OK (TAG {4}\r\nNO\r\n) \"{5}\"\r\n",
        "OK \"x\"y \\\" {3}\"\r\n",
    };
    static const char *const bad[] = {
        "NO\r\n",
        "No (QUOTA/MAXSIZE) \"x\"\r\n",
        "NO {0}\r\n\r\n",
        "NO (X (Y \"a\" ({2}\r\n\r\n) 5)) {2}\r\n\r\n\r\n",
        "NO (ALREADYEXISTS) \"Script a\"b\\\" already exists.\"\r\n",
    };
    const char *text =
        is_ok ? good[draw(&m->chance, COUNT_OF(good))] : bad[draw(&m->chance, COUNT_OF(bad))];

    say(m, text, text);
}

static void say_names(struct model *m)
{
    static const char *const names[] = {
        "\"a\"\r\n",         "\"a\" ACTIVE\r\n",
        "{4}\r\nOK\r\n\r\n", "{1}\r\n\" active\r\n",
        "\"OWNER\"\r\n",     "\"\xc3\xa4\\\"\" ACTIVE\r\n",
    };
    static const char *const odd[] = { "\"a\"b\"\r\n", "\"a\\\"\r\n", "\"{5}\r\n",
                                       "\"\" {5}\" ACTIVE\r\n" };

    for (uint32_t n = draw(&m->chance, 4); n > 0; n--) {
        const char *name = names[draw(&m->chance, COUNT_OF(names))];
        if ((m->flags & FLAG_ODD_NAMES) != 0 && draw(&m->chance, 2) == 0)
            name = odd[draw(&m->chance, COUNT_OF(odd))];
        say(m, name, name);
    }
}

static void say_capabilities(struct model *m)
{
    static const char own[] = "\"IMPLEMENTATION\" \"Postern\"\r\n\"SASL\" \"PLAIN\"\r\n";

    switch (draw(&m->chance, 3)) {
    case 0:
        say(m, "\"SIEVE\" {3}\r\na\"b\r\n\"UNAUTHENTICATE\"\r\n\"Version\" \"1.0\"\r\nOK\r\n",
            "\"IMPLEMENTATION\" \"Postern\"\r\n\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"a\\\"b\"\r\n"
            "\"VERSION\" \"1.0\"\r\nOK\r\n");
        return;
    case 1:
        say(m, "\"OWNER\" \"x\"\r\n{6}\r\nNOTIFY \"mailto\"\r\n\"X\" {2}\r\n\r\n\r\n", own);
        say(m, "", "\"SIEVE\" \"\"\r\n\"NOTIFY\" \"mailto\"\r\n");
        break;
    default:
        say(m, "\"SIEVE\" \"x\"\r\nNO\r\n", "NO\r\n");
        return;
    }
    say_status(m, true);
}

static void reply(struct model *m)
{
    static const char script[] = "{20}\r\nOK\r\n\"x\"\r\nNO {5}\r\nBYE\r\n";
    const bool is_ok = draw(&m->chance, 3) != 0;

    if (m->kind == KIND_CAPABILITY) {
        say_capabilities(m);
        return;
    }
    if (m->kind == KIND_LIST)
        say_names(m);
    if (m->kind == KIND_GET && is_ok)
        say(m, script, script);
    say_status(m, is_ok);
}

static void start_command(struct model *m)
{
    m->kind = KIND_STATUS;
    m->strings = 0;
    m->is_rest = m->is_answered = false;
    buf_clear(&m->literal);
}

/* A word where the model thinks that a command begins. */
static void execute(struct model *m, struct view word)
{
    bool is_known = word.n == 0;

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (view_is_equal_nocase(word, view_text(words[i].word))) {
            m->kind = words[i].kind;
            is_known = true;
        }
    if (!is_known)
        abort();
}

static struct view letters(struct view v)
{
    size_t n = 0;

    while (n < v.n && isalpha(v.p[n]))
        n++;
    return view_first(v, n);
}

/* Any braces at the end of the line that hold digits; the number wraps at 32 bits. */
static bool is_mark(const struct model *m, uint32_t *ret)
{
    const struct view v = buf_view(&m->line);
    size_t open = 0;
    bool is_quoted = false, is_digit = false;

    *ret = 0;
    if (v.n < 2 || v.p[v.n - 1] != '}')
        return false;
    for (size_t i = 0; i < v.n; i++) {
        is_quoted ^= v.p[i] == '"' && (i == 0 || v.p[i - 1] != '\\');
        if (v.p[i] == '{' && (!is_quoted || (m->flags & FLAG_RAW_QUOTES) != 0))
            open = i + 1;
    }
    for (size_t i = open; i + 1 < v.n && open > 0; i++) {
        is_digit = is_digit || isdigit(v.p[i]);
        if (isdigit(v.p[i]))
            *ret = *ret * 10 + (uint32_t)(v.p[i] - '0');
        else if (v.p[i] != '+' && v.p[i] != '-' && v.p[i] != ' ')
            return false;
    }
    return is_digit;
}

static bool is_utf8(struct view v)
{
    while (v.n > 0 && utf8_sequence(v) != 0)
        v = view_skip(v, utf8_sequence(v));
    return v.n == 0;
}

/* Walks over the line's strings and counts them. false: one that the model does not take. */
static bool walk(struct model *m)
{
    const struct view v = buf_view(&m->line);

    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] != '"') {
            if ((m->flags & FLAG_CARELESS) != 0 && i > 0 && v.p[i - 1] == ' ' && isalpha(v.p[i]))
                execute(m, letters(view_skip(v, i)));
            continue;
        }
        const size_t start = ++i;
        m->strings++;
        while (i < v.n && v.p[i] != '"') {
            if ((m->flags & FLAG_ASCII) != 0 && v.p[i] >= 0x80)
                return false;
            i += v.p[i] == '\\' ? 2 : 1;
        }
        if (i >= v.n ||
            ((m->flags & FLAG_UTF8) != 0 && !is_utf8(view_first(view_skip(v, start), i - start))))
            return false;
        if ((m->flags & FLAG_CARELESS) != 0 && i + 1 < v.n && isalpha(v.p[i + 1]))
            execute(m, letters(view_skip(v, i + 1)));
    }
    return true;
}

static bool is_script(const struct model *m)
{
    return m->kind == KIND_CHECK || (m->kind == KIND_PUT && m->strings == 2);
}

static void end_line(struct model *m)
{
    uint32_t n;

    if (!m->is_rest)
        execute(m, letters(buf_view(&m->line)));
    if (!walk(m)) {
        say_status(m, false);
        start_command(m);
    } else if (is_mark(m, &n)) {
        m->strings++;
        m->is_rest = true;
        m->left = n;
        if ((m->flags & FLAG_EARLY) != 0 && is_script(m) && n > 0 && draw(&m->chance, 2) == 0) {
            say_status(m, false);
            m->is_answered = true;
        }
    } else {
        if (!m->is_answered)
            reply(m);
        start_command(m);
    }
    buf_clear(&m->line);
}

static void model_octet(struct model *m, uint8_t c);

/* A name that is not UTF-8: NO, and its octets are read again. */
static void end_literal(struct model *m)
{
    AUTO_BUF(again, WIDE);

    if ((m->flags & FLAG_UTF8) == 0 || is_script(m) || is_utf8(buf_view(&m->literal))) {
        buf_clear(&m->literal);
        return;
    }
    buf_put(&again, buf_view(&m->literal));
    say_status(m, false);
    start_command(m);
    for (size_t i = 0; i < again.n; i++)
        model_octet(m, again.p[i]);
}

static void model_octet(struct model *m, uint8_t c)
{
    const bool was_cr = m->is_cr, is_bare_cr = (m->flags & FLAG_BARE_CR) != 0;

    m->is_cr = c == '\r' && m->left == 0;
    if (c == '\n' && was_cr && is_bare_cr)
        return; /* the CR has ended the line */
    if (m->left > 0) {
        if (!is_script(m))
            buf_put_octet(&m->literal, c);
        if (--m->left == 0)
            end_literal(m);
        return;
    }
    if (c == '\n' || (c == '\r' && is_bare_cr)) {
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
    const struct view v = view_first(buf_view(in), piece(d, in->n));
    const struct guard_step s =
        is_client ? sieve_guard_ops.client(d->g, v) : sieve_guard_ops.server(d->g, v);
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
    struct buf *bufs[] = { &d->from_client, &d->up,    &d->down,      &d->m.line,
                           &d->m.literal,   &d->m.say, &d->m.expected };

    *d = (struct dialogue){ .g = sieve_guard_ops.create(&plain), .schedule = schedule };
    d->m.flags = head[0];
    d->m.chance = 1u + head[1];
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_init(bufs[i], WIDE);
    CHECK(d->g != NULL);
}

static void dialogue_done(struct dialogue *d)
{
    struct buf *bufs[] = { &d->from_client, &d->up,    &d->down,      &d->m.line,
                           &d->m.literal,   &d->m.say, &d->m.expected };

    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_done(bufs[i]);
    sieve_guard_ops.destroy(d->g);
}

/* ---- the assertions ---------------------------------------------------------------------------
 */

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
        const bool is_cut = d->reason != NULL && down.n < item.n;
        if (item.n > 0 &&
            view_is_equal(view_first(down, item.n), view_first(item, is_cut ? down.n : n))) {
            down = view_skip(down, item.n);
            items = view_skip(items, sizeof(n) + n);
        } else if (view_starts_nocase(down, VIEW_LIT(REFUSAL))) {
            down = view_skip(down, sizeof(REFUSAL) - 1);
        } else {
            abort();
        }
    }
    CHECK(d->reason != NULL || items.n == 0);
}

static void check(const struct dialogue *d)
{
    static const char *const accusations[] = { "upstream-nonsense",  "upstream-capability",
                                               "upstream-after-bye", "unasked-reply",
                                               "answered-early",     "no-memory" };

    for (size_t i = 0; i < COUNT_OF(accusations); i++)
        CHECK(d->reason == NULL || strcmp(d->reason, accusations[i]) != 0);
    CHECK(d->reason != NULL || d->client_kind != GUARD_HOLD);
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

    check(&whole);
    check(&pieces);
    check(&mixed);
    CHECK(whole.reason == pieces.reason);
    CHECK(view_is_equal(buf_view(&whole.up), buf_view(&pieces.up)));
    CHECK(view_is_equal(buf_view(&whole.down), buf_view(&pieces.down)));
    dialogue_done(&whole);
    dialogue_done(&pieces);
    dialogue_done(&mixed);
    return 0;
}
