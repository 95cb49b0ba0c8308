/* imap_model.h: a model of a lax IMAP server, written without a look at the guard: it ends lines at
 * any LF (or CR), takes tabs for spaces, believes any `{…}` at a line's end, runs what stands
 * behind an error in a line, and refuses, answers early or fills in untagged data by chance. It
 * aborts when it executes a forbidden word or believes a forged ID. */
#ifndef POSTERN_TESTS_FUZZ_IMAP_MODEL_H
#define POSTERN_TESTS_FUZZ_IMAP_MODEL_H

#include "base/attr.h"
#include "base/buf.h"

#include <ctype.h>

#define WIDE (1u << 22)

enum {
    FLAG_BARE_CR = 1,    /* a CR alone ends a line */
    FLAG_LAX_SPACE = 2,  /* tabs and leading spaces are skipped */
    FLAG_TRUSTING = 4,   /* what ID says of the client's origin is believed; the guard knows */
    FLAG_RAW_QUOTES = 8, /* a marker counts even inside quotes */
    FLAG_IDLE_ENDS = 16, /* an IDLE may end by itself */
    FLAG_CARELESS = 32,  /* where a command is given up, the rest of its line is a new one */
    FLAG_ECHO = 64,      /* a bad argument is repeated in the reply as it is */
    FLAG_EARLY = 128,    /* a message may be refused between its literal and the line's end */
};

enum model_state { MODEL_LINE, MODEL_LITERAL, MODEL_IDLE };
enum item_kind { ITEM_PLAIN = 1, ITEM_PLUS };

struct model {
    uint8_t flags;
    uint32_t chance;
    enum model_state state;
    bool is_rest, is_answered, is_cr;
    bool is_searching; /* any word may be searched for, and the line is read to its end */
    bool is_text;      /* literals are messages or values: never repeated */
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

static struct view skip_spaces(struct view v)
{
    while (v.n > 0 && v.p[0] == ' ')
        v = view_skip(v, 1);
    return v;
}

static size_t arguments(struct model *m, struct view v)
{
    size_t n = 0;

    for (v = skip_spaces(v); v.n > 0; v = skip_spaces(v)) {
        (void)take_word(m, &v);
        n++;
    }
    return n;
}

/* The same for a command that is given up at one of its unquoted spaces: what stands behind the
 * next word is executed if its arguments could be good, and may ask for the literal. */
static void give_up(struct model *m, struct view line)
{
    static const char *const asking[] = { "APPEND", "CREATE", "SELECT", "STATUS", "SETACL" };
    const bool is_literal = line.n > 0 && line.p[line.n - 1] == '}';
    bool is_quoted = false, is_nonsync;
    uint64_t n;

    for (size_t i = 0; i < line.n; i++) {
        if (is_quoted && line.p[i] == '\\')
            i++;
        else if (line.p[i] == '"')
            is_quoted = !is_quoted;
        if (is_quoted || i >= line.n || line.p[i] != ' ' || i == 0)
            continue;
        struct view v = view_skip(line, i + 1);
        struct view word = take_word(m, &v);
        if (word.p + word.n < line.p + line.n && word.p[word.n] != ' ')
            continue;
        v = skip_spaces(v);
        const size_t count = arguments(m, v);
        const bool is_list = v.n > 0 && v.p[0] == '(';
        if (view_is_equal_nocase(word, VIEW_LIT("LOGIN")) && !m->is_searching && count == 2 &&
            view_find(v, '(') == v.n && view_find(v, ')') == v.n && view_find(v, '"') == v.n)
            abort();
        if (view_is_equal_nocase(word, VIEW_LIT("COMPRESS")) && count > 0 && !is_list)
            abort();
        if (view_is_equal_nocase(word, VIEW_LIT("AUTHENTICATE")) && count > 0 && !is_list)
            abort();
        if (count == 0 && v.n == 0 && view_find(word, ')') == word.n &&
            (view_is_equal_nocase(word, VIEW_LIT("UNAUTHENTICATE")) ||
             view_is_equal_nocase(word, VIEW_LIT("STARTTLS")) ||
             (view_is_equal_nocase(word, VIEW_LIT("IDLE")) && !m->is_searching)))
            abort();
        for (size_t k = 0; k < COUNT_OF(asking) && is_literal && !is_list; k++)
            if (view_is_equal_nocase(word, view_text(asking[k])) && is_marker(m, &is_nonsync, &n))
                abort();
    }
}

/* Every other string in the list of an ID command names a field. */
static void believe(struct view list)
{
    bool is_field = true;

    for (size_t i = 0; i < list.n; i++) {
        if (list.p[i] == 'N')
            is_field = !is_field;
        if (list.p[i] == '{' || (list.p[i] == '"' && is_field && i + 2 < list.n &&
                                 (list.p[i + 1] == 'x' || list.p[i + 1] == 'X')))
            abort();
        if (list.p[i] != '"')
            continue;
        for (i++; i < list.n && list.p[i] != '"'; i++)
            i += list.p[i] == '\\';
        is_field = !is_field;
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
            if (view_is_equal_nocase(word, VIEW_LIT("ID")) && (m->flags & FLAG_TRUSTING) != 0)
                believe(rest);
            if (view_is_equal_nocase(word, VIEW_LIT("ENABLE")))
                say(m, ITEM_PLAIN, "* ENABLED UTF8=ACCEPT\r\n", "* ENABLED UTF8=ACCEPT\r\n");
            m->is_searching = view_is_equal_nocase(word, VIEW_LIT("SEARCH")) ||
                              view_is_equal_nocase(word, VIEW_LIT("SORT")) ||
                              view_is_equal_nocase(word, VIEW_LIT("THREAD")) ||
                              view_is_equal_nocase(word, VIEW_LIT("UID"));
            m->is_text = view_is_equal_nocase(word, VIEW_LIT("APPEND")) ||
                         view_is_equal_nocase(word, VIEW_LIT("REPLACE")) ||
                         view_is_equal_nocase(word, VIEW_LIT("UID")) ||
                         view_is_equal_nocase(word, VIEW_LIT("SETMETADATA"));
            if ((m->flags & FLAG_CARELESS) != 0 && view_is_equal_nocase(word, VIEW_LIT("APPEND")))
                run_rest(m, rest);
        }
        if ((m->flags & FLAG_CARELESS) != 0)
            give_up(m, rest);
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

#endif
