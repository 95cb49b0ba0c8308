#include "proto/imap/guard_line.h"

#include "base/attr.h"
#include "base/limits.h"

#define NOWHERE  SIZE_MAX
#define WORD_MAX 64 /* no command has a longer name */

static const struct {
    const char *word;
    enum guard_class class;
} words[] = {
    { "IDLE", GUARD_CLASS_IDLE },
    { "ID", GUARD_CLASS_ID },
    { "APPEND", GUARD_CLASS_APPEND },
    { "REPLACE", GUARD_CLASS_REPLACE },
    { "SETMETADATA", GUARD_CLASS_METADATA },
    { "SETQUOTA", GUARD_CLASS_QUOTA },
    { "LIST", GUARD_CLASS_LIST },
    { "XLIST", GUARD_CLASS_LIST },
    { "LSUB", GUARD_CLASS_LIST },
    { "RLIST", GUARD_CLASS_LIST },
    { "RLSUB", GUARD_CLASS_LIST },
    { "SEARCH", GUARD_CLASS_SEARCH },
    { "SORT", GUARD_CLASS_SEARCH },
    { "THREAD", GUARD_CLASS_SEARCH },
    { "UID", GUARD_CLASS_SEARCH },
    { "CAPABILITY", GUARD_CLASS_BARE },
    { "NOOP", GUARD_CLASS_BARE },
    { "LOGOUT", GUARD_CLASS_BARE },
    { "CHECK", GUARD_CLASS_BARE },
    { "CLOSE", GUARD_CLASS_BARE },
    { "UNSELECT", GUARD_CLASS_BARE },
    { "EXPUNGE", GUARD_CLASS_BARE },
    { "NAMESPACE", GUARD_CLASS_BARE },
    { "DONE", GUARD_CLASS_BARE },
    { "GENURLAUTH", GUARD_CLASS_URL },
    { "URLFETCH", GUARD_CLASS_URL },
    { "SYNCAPPLY", GUARD_CLASS_REFUSED }, /* these of Cyrus speak a grammar with literals of */
    { "SYNCGET", GUARD_CLASS_REFUSED },   /* its own */
    { "SYNCRESTART", GUARD_CLASS_REFUSED },
    { "SYNCRESTORE", GUARD_CLASS_REFUSED },
    { "DUMP", GUARD_CLASS_REFUSED },
    { "UNDUMP", GUARD_CLASS_REFUSED },
    { "XWARMUP", GUARD_CLASS_REFUSED }, /* leaves the rest of its line; for operators of Cyrus */
};

/* Whatever word holds one of these changes the identity or hides what follows: AUTHENTICATE,
 * UNAUTHENTICATE, PROXYAUTH (iPlanet and successors), XPROXYAUTH, XCLIENT and what else a server
 * may call it. */
static const char *const barred[] = {
    "AUTH", "LOGIN", "PROXY", "TLS", "COMPRESS", "XCLIENT", "XFORWARD",
};

bool imap_guard_is_atom_octet(uint8_t c)
{
    return c > ' ' && c < 0x7f && strchr("(){%*\"\\", c) == NULL;
}

bool imap_guard_is_tag_octet(uint8_t c)
{
    return imap_guard_is_atom_octet(c) && strchr("+]:<>}", c) == NULL;
}

bool imap_guard_is_word_octet(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

static enum guard_class class_of(struct view word)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (view_is_equal_nocase(word, view_text(words[i].word)))
            return words[i].class;
    for (size_t at = 0; at < word.n; at++)
        for (size_t i = 0; i < COUNT_OF(barred); i++)
            if (view_starts_nocase(view_skip(word, at), view_text(barred[i])))
                return GUARD_CLASS_REFUSED;
    return GUARD_CLASS_PLAIN;
}

/* Octets, quotes and depth; *ret_brace is the first unquoted '{', or NOWHERE. */
static const char *scan(struct view line, size_t *ret_brace, int32_t *ret_depth)
{
    bool is_quoted = false;

    *ret_brace = NOWHERE;
    for (size_t i = 0; i < line.n; i++) {
        uint8_t c = line.p[i];

        if (c == '\0')
            return "nul";
        if (c == '\r')
            return "bare-cr";
        if (is_quoted) {
            if (c == '"')
                is_quoted = false;
            else if (c == '\\' && i + 1 < line.n && (line.p[i + 1] == '"' || line.p[i + 1] == '\\'))
                i++;
        } else if (c == '"') {
            is_quoted = true;
        } else if (c == '(' || c == ')') {
            *ret_depth += c == '(' ? 1 : -1;
        } else if (c == '{' && *ret_brace == NOWHERE) {
            *ret_brace = i;
        } else if (c < ' ' || c == 0x7f) {
            return "control-octet";
        }
    }
    return is_quoted ? "open-quote" : NULL;
}

/* The digits of a marker; a leading zero is how "{00005+}" is told from "{5+}". */
static bool read_size(struct view digits, uint32_t *ret)
{
    uint64_t n;

    if (digits.n > 1 && digits.p[0] == '0')
        return false;
    if (!view_number(digits, UINT32_MAX, &n))
        return false;
    *ret = (uint32_t)n;
    return true;
}

/* An unquoted '{' begins the marker that ends the line, or the line is bad: nothing else in a
 * command may hold one, and servers differ in what they make of it. */
static const char *read_marker(struct view line, size_t brace, struct guard_line *ret)
{
    if (brace == NOWHERE)
        return NULL;
    ret->is_literal8 = brace > 0 && line.p[brace - 1] == '~';
    size_t start = brace - (ret->is_literal8 ? 1 : 0);
    if (start == 0 || (line.p[start - 1] != ' ' && line.p[start - 1] != '('))
        return "bad-literal";
    struct view digits = view_skip(line, brace + 1);
    if (digits.n == 0 || digits.p[digits.n - 1] != '}')
        return "bad-literal";
    digits.n--;
    bool is_nonsync = digits.n > 0 && digits.p[digits.n - 1] == '+';
    if (is_nonsync)
        digits.n--;
    if (!read_size(digits, &ret->size))
        return "bad-literal";
    ret->marker = is_nonsync ? GUARD_MARKER_NONSYNC : GUARD_MARKER_SYNC;
    ret->body = view_first(line, start);
    return NULL;
}

/* Takes a command word and the space behind it off the front of *v; empty: there is none. */
static struct view take_word(struct view *v)
{
    size_t n = 0;

    while (n < v->n && imap_guard_is_word_octet(v->p[n]))
        n++;
    if (n < v->n && v->p[n] != ' ')
        return VIEW_NONE;
    struct view word = view_first(*v, n);
    *v = view_skip(*v, n + 1);
    return word;
}

const char *imap_guard_line_rest(struct view line, struct guard_line *ret)
{
    size_t brace;

    *ret = (struct guard_line){ .body = line };
    const char *bad = scan(line, &brace, &ret->depth);
    return bad != NULL ? bad : read_marker(line, brace, ret);
}

const char *imap_guard_line_first(struct view line, struct guard_line *ret)
{
    const char *bad = imap_guard_line_rest(line, ret);
    size_t tag = 0;

    if (bad != NULL)
        return bad;
    while (tag < line.n && imap_guard_is_tag_octet(line.p[tag]))
        tag++;
    if (tag == 0 || tag > LIMIT_IMAP_GUARD_TAG || tag == line.n || line.p[tag] != ' ')
        return "bad-tag";
    ret->tag = view_first(line, tag);
    ret->body = view_skip(ret->body, tag + 1);
    bool is_bare = ret->body.n == 0 || view_find(ret->body, ' ') == ret->body.n;
    struct view word = take_word(&ret->body);
    if (word.n == 0 || word.n > WORD_MAX)
        return "bad-command";
    ret->class = class_of(word);
    if (view_is_equal_nocase(word, VIEW_LIT("UID")) &&
        view_starts_nocase(ret->body, VIEW_LIT("REPLACE ")))
        ret->class = class_of(take_word(&ret->body));
    if (ret->class == GUARD_CLASS_BARE && ret->marker != GUARD_MARKER_NONE)
        return "needless-literal";
    if (ret->class == GUARD_CLASS_IDLE && (!is_bare || ret->marker != GUARD_MARKER_NONE))
        return "idle-arguments";
    return NULL;
}
