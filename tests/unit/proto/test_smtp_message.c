/* Where a message ends, octet by octet. Every string of up to seven octets of those that matter is
 * a message: whole, octet by octet and cut in two at each octet, it must give the same, and what
 * reaches the upstream must have its end, for the strictest and for the laxest of receivers, where
 * it is in the client's own framing, or nowhere. */
#include "base/attr.h"
#include "base/mem.h"
#include "proto/smtp/guard_state.h"
#include "proto/smtp/smtp.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROOM 4096
static const uint8_t alphabet[] = { '\r', '\n', '.', 'a', '\0', ' ' };

struct octets {
    uint8_t p[ROOM];
    size_t n;
};

static void add(struct octets *o, struct view v)
{
    assert_true(v.n <= ROOM - o->n);
    if (v.n > 0)
        memcpy(o->p + o->n, v.p, v.n);
    o->n += v.n;
}

static struct view view(const struct octets *o)
{
    return view_of(o->p, o->n);
}

/* ---- the guard ------------------------------------------------------------------------ */

struct outcome {
    struct octets up;
    size_t used; /* octets of the client that were taken */
    bool is_whole, is_ended;
};

static struct guard *guard_new(bool is_normalised)
{
    const struct guard_conf conf = { .is_newline_normalised = is_normalised };
    struct guard *g = smtp_guard_ops.create(&conf);

    assert_non_null(g);
    return g;
}

/* As after the 354 that answers DATA. */
static void begin(struct guard *g)
{
    g->reason = g->farewell = NULL;
    g->due_count = 0;
    g->client = SMTP_CLIENT_MESSAGE;
    g->message = SMTP_MESSAGE_START;
}

/* Gives what of `in` has come so far until the guard wants more; true: it goes on. */
static bool feed(struct guard *g, struct view in, struct outcome *o)
{
    while (g->client == SMTP_CLIENT_MESSAGE || g->client == SMTP_CLIENT_SWALLOW) {
        const struct view rest = view_skip(in, o->used);
        const struct guard_step s = smtp_guard_ops.client(g, rest);
        if (s.kind == GUARD_MORE) {
            assert_int_equal(rest.n, 0);
            return true;
        }
        if (s.kind == GUARD_END) {
            o->is_ended = true;
            return false;
        }
        assert_true(s.kind == GUARD_PASS || s.kind == GUARD_PUT);
        assert_true(s.n <= rest.n);
        add(&o->up, s.kind == GUARD_PASS ? view_first(rest, s.n) : s.put);
        o->used += s.n;
    }
    o->is_whole = true;
    return false;
}

/* cut: octets of the first piece; 0: octet by octet. */
static struct outcome run(struct guard *g, struct view in, size_t cut)
{
    struct outcome o = { .used = 0 };

    begin(g);
    for (size_t n = cut == 0 ? 1 : cut; n <= in.n; n += cut == 0 || n == in.n ? 1 : in.n - n)
        if (!feed(g, view_first(in, n), &o))
            break;
    return o;
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_true(a->used == b->used || a->is_ended);
    assert_int_equal(a->is_whole, b->is_whole);
    assert_int_equal(a->is_ended, b->is_ended);
    assert_true(view_is_equal(view(&a->up), view(&b->up)));
}

/* ---- what is right -------------------------------------------------------------------- */

/* RFC 5321 §4.1.1.4 and §4.5.2 to the letter; a bare CR or LF is a line break of the text, but no
 * end of a line of the protocol. */
struct message {
    struct octets text; /* without stuffing, all line breaks "\n" */
    size_t end;         /* behind CRLF.CRLF; 0: it has none */
    bool is_clean;      /* up to its end: no bare CR or LF, NUL, or "." before a blank or control */
    size_t clean;       /* octets in front of the first that is not */
};

static bool is_at(struct view in, size_t at, const char *what)
{
    return view_is_equal(view_first(view_skip(in, at), strlen(what)), view_text(what));
}

static struct message read_strictly(struct view in)
{
    struct message m = { .is_clean = true, .clean = in.n };
    bool is_start = true;

    for (size_t i = 0; i < in.n;) {
        if (is_start && is_at(in, i, ".\r\n")) {
            m.end = i + 3;
            return m;
        }
        const bool is_stuffed = is_start && in.p[i] == '.';
        const size_t at = i + is_stuffed;
        /* A CR or a "." that is the last octet so far is not decided yet. */
        const bool is_cr = at < in.n && in.p[at] == '\r' && at + 1 < in.n && in.p[at + 1] != '\n';
        const bool is_lf = at < in.n && in.p[at] == '\n';
        const bool is_odd = at < in.n && (in.p[at] == '\0' ||
                                          (is_stuffed && (in.p[at] == ' ' || in.p[at] == '\t')));
        if ((is_cr || is_lf || is_odd) && m.is_clean) {
            m.is_clean = false;
            m.clean = i;
        }
        is_start = is_at(in, at, "\r\n");
        if (at < in.n) {
            const bool is_break = is_start || in.p[at] == '\r' || is_lf;
            add(&m.text, is_break ? VIEW_LIT("\n") : view_of(in.p + at, 1));
        }
        i = at + (is_start ? 2 : 1);
    }
    return m;
}

/* A receiver's end of data, 0: none. Bits of `lax`: what it takes for the end of a line besides
 * CRLF (LF, CR), what it does not see (NUL, blanks at a line's end). */
enum { LAX_LF = 1, LAX_CR = 2, LAX_NUL = 4, LAX_BLANK = 8, LAX_ALL = 16 };

static size_t find_end(struct view in, int lax)
{
    size_t line = 0, dots = 0; /* octets of the line that count, and how many of them are "." */

    for (size_t i = 0; i < in.n; i++) {
        const uint8_t c = in.p[i];
        const bool is_crlf = c == '\r' && i + 1 < in.n && in.p[i + 1] == '\n';
        const bool is_end =
            is_crlf || (c == '\n' && (lax & LAX_LF) != 0) || (c == '\r' && (lax & LAX_CR) != 0);
        if (is_end && line == 1 && dots == 1)
            return i + 1 + is_crlf;
        if ((c == '\0' && (lax & LAX_NUL) != 0) ||
            (c == ' ' && (lax & LAX_BLANK) != 0 && line == 1 && dots == 1))
            continue;
        line = is_end ? 0 : line + 1;
        dots = is_end ? 0 : dots + (c == '.');
        i += is_crlf;
    }
    return 0;
}

static bool has_bare_newline(struct view in)
{
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\0' || (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r')))
            return true;
        if (in.p[i] == '\r' && (i + 1 == in.n || in.p[i + 1] != '\n'))
            return true;
    }
    return false;
}

/* What has reached the upstream is right. */
static void check(struct view in, const struct outcome *o, bool is_normalised)
{
    const struct message m = read_strictly(in);
    const struct view up = view(&o->up);

    assert_false(has_bare_newline(up));
    for (int lax = 0; lax < LAX_ALL; lax++)
        assert_int_equal(find_end(up, lax), o->is_whole ? up.n : 0);
    if (o->is_whole) {
        const struct message seen = read_strictly(up);
        assert_int_equal(o->used, m.end);
        assert_true(is_normalised || m.is_clean);
        assert_true(view_is_equal(view(&m.text), view(&seen.text)));
    } else {
        assert_true(m.end == 0 || !m.is_clean);
    }
    if (m.is_clean && m.end == 0) { /* all has passed but what is not decided */
        assert_false(o->is_ended);
        assert_int_equal(o->used, in.n);
        assert_true(up.n + 2 >= in.n);
        assert_true(view_is_equal(up, view_first(in, up.n)));
    }
    if (!is_normalised && !m.is_clean) /* nothing from the offence on has passed */
        assert_true(up.n <= m.clean && view_is_equal(up, view_first(in, up.n)));
    assert_true(is_normalised || m.end == 0 || m.is_clean || o->is_ended);
}

static void check_ways(struct guard *g, struct view in, bool is_every_cut)
{
    const struct outcome whole = run(g, in, in.n), trickle = run(g, in, 0);

    check(in, &whole, g->is_normalised);
    assert_same(&whole, &trickle);
    for (size_t cut = 1; is_every_cut && cut < in.n; cut++) {
        const struct outcome two = run(g, in, cut);
        assert_same(&whole, &two);
    }
}

/* The n-th string of `length` octets; false: there is none. */
static bool spell(size_t n, size_t length, struct octets *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < length; i++) {
        add(ret, view_of(alphabet + n % sizeof(alphabet), 1));
        n /= sizeof(alphabet);
    }
    return n == 0;
}

static void every_string(bool is_normalised)
{
    struct guard *g = guard_new(is_normalised);
    struct octets in;

    for (size_t length = 1; length <= 7; length++)
        for (size_t n = 0; spell(n, length, &in); n++) {
            check_ways(g, view(&in), length <= 5);
            if (length > 5)
                continue;
            add(&in, VIEW_LIT("\r\n.\r\nQUIT\r\n"));
            check_ways(g, view(&in), length <= 4);
        }
    smtp_guard_ops.destroy(g);
}

static void every_string_refused(void **state)
{
    (void)state;
    every_string(false);
}

static void every_string_normalised(void **state)
{
    (void)state;
    every_string(true);
}

/* ---- long messages -------------------------------------------------------------------- */

static void put_at_every_place(const char *what, size_t n, bool is_normalised)
{
    struct guard *g = guard_new(is_normalised);

    for (size_t place = 500; place < 530; place++) {
        struct octets in = { .n = 0 };
        for (size_t i = 0; i < 1600; i++)
            add(&in, i % 16 == 14 ? VIEW_LIT("\r\n") : i % 16 == 15 ? VIEW_NONE : VIEW_LIT("x"));
        memcpy(in.p + place, what, n);
        add(&in, VIEW_LIT("\r\n.\r\n"));
        const struct outcome whole = run(g, view(&in), in.n), trickle = run(g, view(&in), 0);
        check(view(&in), &whole, is_normalised);
        assert_same(&whole, &trickle);
        for (size_t cut = place - 4; cut < place + 8; cut++) {
            const struct outcome two = run(g, view(&in), cut);
            assert_same(&whole, &two);
        }
    }
    smtp_guard_ops.destroy(g);
}

static void at_the_edges_of_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t n;
    } rows[] = {
        { "\r", 1 },           { "\n", 1 },          { "\0", 1 },         { "\r\n.\r\n", 5 },
        { "\r\n..\r\n", 6 },   { "\r\n.a", 4 },      { "\n.\n", 3 },      { "\n.\r\n", 4 },
        { "\r.\r", 3 },        { "\r\r\n.\r\n", 6 }, { "\r\n.\r", 4 },    { "\r\n.\n", 4 },
        { "\r\n\r\n\r\n", 6 }, { "\r\n.\r\r\n", 6 }, { "\r\n. \r\n", 6 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        put_at_every_place(rows[i].octets, rows[i].n, false);
        put_at_every_place(rows[i].octets, rows[i].n, true);
    }
}

static void bulk_passes_in_one_step(void **state)
{
    (void)state;
    struct guard *g = guard_new(false);
    struct octets in = { .n = 0 };

    begin(g);
    while (in.n < 4000)
        add(&in, VIEW_LIT("a line of text\r\n..stuffed\r\n\r\n.hidden\r\n"));
    add(&in, VIEW_LIT("x"));
    struct guard_step s = smtp_guard_ops.client(g, view(&in));
    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, in.n);
    add(&in, VIEW_LIT("\r\n.\r\n"));
    s = smtp_guard_ops.client(g, view(&in));
    assert_int_equal(s.kind, GUARD_PASS);
    assert_int_equal(s.n, in.n);
    assert_int_equal(g->client, SMTP_CLIENT_COMMAND);
    assert_null(g->line.p);
    smtp_guard_ops.destroy(g);
}

/* ---- by name -------------------------------------------------------------------------- */

struct named {
    const char *name, *message, *up; /* "\x01" stands for NUL; up NULL: refused */
};

static struct octets spelled(const char *text)
{
    struct octets o = { .n = 0 };

    for (; *text != '\0'; text++)
        add(&o, *text == '\x01' ? view_of("", 1) : view_of(text, 1));
    return o;
}

static void check_named(const struct named *rows, size_t count, bool is_normalised)
{
    struct guard *g = guard_new(is_normalised);

    for (size_t i = 0; i < count; i++) {
        const struct octets in = spelled(rows[i].message);
        const struct outcome o = run(g, view(&in), in.n);
        check_ways(g, view(&in), true);
        if (rows[i].up == NULL ? !o.is_ended : !view_is_equal(view(&o.up), view_text(rows[i].up)))
            fail_msg("%s: %.*s", rows[i].name, (int)o.up.n, (const char *)o.up.p);
    }
    smtp_guard_ops.destroy(g);
}

static void smuggling_is_refused(void **state)
{
    (void)state;
    static const struct named rows[] = {
        { "empty message", ".\r\n", ".\r\n" },
        { "honest", "a\r\n..\r\n.b\r\n\r\n.\r\n", "a\r\n..\r\n.b\r\n\r\n.\r\n" },
        { "<LF>.<LF>", "a\n.\nMAIL\r\n.\r\n", NULL },
        { "<LF>.<CR><LF>", "a\n.\r\nMAIL\r\n.\r\n", NULL },
        { "<CR>.<CR>", "a\r.\rMAIL\r\n.\r\n", NULL },
        { "<CR>.<CR><LF>", "a\r.\r\nMAIL\r\n.\r\n", NULL },
        { "<CR><LF>.<LF>", "a\r\n.\nMAIL\r\n.\r\n", NULL },
        { "<CR><LF>.<CR>", "a\r\n.\rMAIL\r\n.\r\n", NULL },
        { "<LF>.<CR>", "a\n.\rMAIL\r\n.\r\n", NULL },
        { "<CR>.<LF>", "a\r.\nMAIL\r\n.\r\n", NULL },
        { "<LF><CR>.<CR><LF>", "a\n\r.\r\nMAIL\r\n.\r\n", NULL },
        { "<CR><CR><LF>.<CR><LF>", "a\r\r\n.\r\n", NULL },
        { "<CR><LF>.<CR><CR><LF>", "a\r\n.\r\r\n.\r\n", NULL },
        { "<CR><LF><NUL>.<CR><LF>", "a\r\n\x01.\r\n\r\n.\r\n", NULL },
        { "<CR><LF>.<NUL><CR><LF>", "a\r\n.\x01\r\n\r\n.\r\n", NULL },
        { "<CR><LF>.<SP><CR><LF>", "a\r\n. \r\n\r\n.\r\n", NULL },
        { "<CR><LF>.<TAB><CR><LF>", "a\r\n.\t\r\n\r\n.\r\n", NULL },
        { "all lines end in LF", "a\n.\n", NULL },
    };

    check_named(rows, COUNT_OF(rows), false);
}

static void smuggling_is_normalised(void **state)
{
    (void)state;
    static const struct named rows[] = {
        { "honest", "a\r\n..\r\n.b\r\n\r\n.\r\n", "a\r\n..\r\n.b\r\n\r\n.\r\n" },
        { "<LF>.<LF>", "a\n.\nb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n" },
        { "<LF>.<CR><LF>", "a\n.\r\nb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n" },
        { "<CR>.<CR>", "a\r.\rb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n" },
        { "<CR>.<CR><LF>", "a\r.\r\nb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n" },
        { "<CR><LF>.<LF>", "a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n.\r\n" },
        { "<CR><LF>.<CR>", "a\r\n.\rb\r\n.\r\n", "a\r\n\r\nb\r\n.\r\n" },
        { "<LF>..<LF>", "a\n..\nb\r\n.\r\n", "a\r\n...\r\nb\r\n.\r\n" },
        { "<CR><LF>..<LF>", "a\r\n..\nb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n" },
        { "<CR><CR><LF>.<CR><LF>", "a\r\r\n.\r\n", "a\r\n\r\n.\r\n" },
        { "<CR><LF>.<CR><CR><LF>", "a\r\n.\r\r\n.\r\n", "a\r\n\r\n\r\n.\r\n" },
        { "<LF><LF><CR>", "a\n\n\rb\r\n.\r\n", "a\r\n\r\n\r\nb\r\n.\r\n" },
        { "NUL", "a\r\n\x01.\r\n\r\n.\r\n", NULL },
    };

    check_named(rows, COUNT_OF(rows), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_string_refused),   cmocka_unit_test(every_string_normalised),
        cmocka_unit_test(at_the_edges_of_blocks), cmocka_unit_test(bulk_passes_in_one_step),
        cmocka_unit_test(smuggling_is_refused),   cmocka_unit_test(smuggling_is_normalised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
