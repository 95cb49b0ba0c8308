#include "proto/imap/front_parse.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* ASTRING-CHAR of RFC 9051 §9: an atom's characters and "]". */
static bool is_astring_char(uint8_t c)
{
    return c > ' ' && c < 0x7f && memchr("(){%*\"\\", c, sizeof("(){%*\"\\") - 1) == NULL;
}

bool imap_parse_head(struct view line, struct view *ret_tag, struct view *ret_name,
                     size_t *ret_rest)
{
    size_t n = 0;

    while (n < line.n && is_astring_char(line.p[n]) && line.p[n] != '+')
        n++;
    if (n == 0 || (n < line.n && line.p[n] != ' '))
        return false;
    *ret_tag = view_first(line, n);
    const struct view rest = view_skip(line, n + 1);
    *ret_name = view_first(rest, view_find(rest, ' '));
    *ret_rest = line.n - rest.n + ret_name->n;
    return true;
}

bool imap_parse_is_foreign(struct view line)
{
    static const char *const words[] = {
        "GET",   "HEAD",  "POST", "PUT",  "DELETE", "CONNECT", "OPTIONS",
        "TRACE", "PATCH", "PRI",  "EHLO", "HELO",   "LHLO",    "MAIL",
        "AUTH",  "USER",  "CAPA", "STLS", "APOP",   "QUIT",    "XCLIENT",
    };
    const struct view word = view_first(line, view_find(line, ' '));

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (view_is_equal_nocase(word, view_text(words[i])))
            return true;
    return view_starts_nocase(word, VIEW_LIT("SSH-"));
}

bool imap_parse_tail(struct view line, size_t max, struct imap_literal *ret)
{
    size_t end = line.n;
    uint64_t n = 0;

    *ret = (struct imap_literal){ .is_sync = true };
    if (end == 0 || line.p[--end] != '}')
        return false;
    if (end > 0 && line.p[end - 1] == '+') {
        ret->is_sync = false;
        end--;
    }
    size_t start = end;
    while (start > 0 && is_digit(line.p[start - 1]))
        start--;
    if (start == end || start == 0 || line.p[start - 1] != '{')
        return false;
    ret->is_over = !view_number(view_of(line.p + start, end - start), max, &n);
    ret->n = (uint32_t)n;
    return true;
}

/* ---- arguments --------------------------------------------------------------------------------
 */

static bool take(struct imap_arguments *a, const struct buf *line, uint8_t c)
{
    if (a->position >= line->n || line->p[a->position] != c)
        return false;
    a->position++;
    return true;
}

static bool is_at_end(const struct imap_arguments *a, const struct buf *line)
{
    return a->position == line->n;
}

static void add(struct imap_arguments *a, size_t at, size_t n)
{
    a->item[a->count].at = (uint16_t)at;
    a->item[a->count].n = (uint16_t)n;
    a->count++;
}

/* A quoted string, whose quoting is undone where it stands: what comes out is never longer. */
static enum imap_parse parse_quoted(struct imap_arguments *a, struct buf *line)
{
    const size_t start = a->position + 1;
    size_t to = start;

    for (size_t from = start; from < line->n; from++) {
        uint8_t c = line->p[from];
        if (c == '"') {
            add(a, start, to - start);
            a->position = from + 1;
            return PARSE_DONE;
        }
        if (c == '\\') {
            if (++from == line->n)
                return PARSE_BAD;
            c = line->p[from];
            if (c != '"' && c != '\\')
                return PARSE_BAD;
        }
        line->p[to++] = c;
    }
    return PARSE_BAD;
}

static enum imap_parse parse_literal(struct imap_arguments *a, const struct buf *line)
{
    const struct view rest = view_skip(buf_view(line), a->position);
    const struct view behind = view_skip(rest, 1);
    struct imap_literal literal;

    /* The mark must be all that is left: its brace is the one that we stand on. */
    if (!imap_parse_tail(rest, LIMIT_IMAP_LITERAL, &literal) || view_find(behind, '{') != behind.n)
        return PARSE_BAD;
    add(a, line->n, literal.n);
    a->position = line->n + literal.n;
    return PARSE_LITERAL;
}

static enum imap_parse parse_string(struct imap_arguments *a, struct buf *line)
{
    if (a->count == IMAP_PARSE_ARGUMENTS)
        return PARSE_MANY;
    if (a->position < line->n && line->p[a->position] == '"')
        return parse_quoted(a, line);
    if (a->position < line->n && line->p[a->position] == '{')
        return parse_literal(a, line);
    return PARSE_BAD;
}

static struct view atom_at(const struct imap_arguments *a, const struct buf *line)
{
    const struct view rest = view_skip(buf_view(line), a->position);
    size_t n = 0;

    while (n < rest.n && is_astring_char(rest.p[n]))
        n++;
    return view_first(rest, n);
}

enum imap_parse imap_parse_login(struct imap_arguments *a, struct buf *line)
{
    while (a->count < 2) {
        if (!take(a, line, ' '))
            return PARSE_BAD;
        const struct view atom = atom_at(a, line);
        if (atom.n != 0) {
            add(a, a->position, atom.n);
            a->position += atom.n;
            continue;
        }
        const enum imap_parse parse = parse_string(a, line);
        if (parse != PARSE_DONE)
            return parse;
    }
    return is_at_end(a, line) ? PARSE_DONE : PARSE_BAD;
}

static bool take_nil(struct imap_arguments *a, const struct buf *line)
{
    const struct view atom = atom_at(a, line);

    if (!view_is_equal_nocase(atom, VIEW_LIT("NIL")))
        return false;
    a->position += atom.n;
    return true;
}

enum imap_parse imap_parse_id(struct imap_arguments *a, struct buf *line)
{
    if (!a->is_list) {
        if (!take(a, line, ' '))
            return PARSE_BAD;
        if (take_nil(a, line))
            return is_at_end(a, line) ? PARSE_DONE : PARSE_BAD;
        if (!take(a, line, '('))
            return PARSE_BAD;
        a->is_list = true;
    }
    for (;;) {
        if (take(a, line, ')'))
            return a->count % 2 == 0 && is_at_end(a, line) ? PARSE_DONE : PARSE_BAD;
        if (a->count != 0 && !take(a, line, ' '))
            return PARSE_BAD;
        if (a->count % 2 == 1 && take_nil(a, line)) {
            add(a, a->position, 0);
            continue;
        }
        const enum imap_parse parse = parse_string(a, line);
        if (parse != PARSE_DONE)
            return parse;
    }
}

struct view imap_parse_item(const struct imap_arguments *a, size_t i, const struct buf *line)
{
    return view_first(view_skip(buf_view(line), a->item[i].at), a->item[i].n);
}
