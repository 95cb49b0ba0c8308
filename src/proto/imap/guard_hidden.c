#include "proto/imap/guard_hidden.h"

#include "base/attr.h"

/* What must stand behind the word, so that it is more than somebody's mailbox or search word. */
enum need {
    NEED_END = 0,  /* the end of the line */
    NEED_ARGUMENT, /* one at least */
    NEED_NOTHING,  /* the end, where no word is searched for */
    NEED_TWO,      /* two, and the end, where none is */
    NEED_LIST,     /* a list of strings */
    NEED_LITERAL,  /* the line ends in one */
    NEED_NAME,     /* it does, and what stands behind the word is no list (of NOTIFY, of LIST) */
};

struct word {
    const char *word;
    size_t n;
    enum need need;
};

#define WORD(text, need)                                                                           \
    {                                                                                              \
        text, sizeof(text) - 1, need                                                               \
    }

static const struct word words[] = {
    WORD("UNAUTHENTICATE", NEED_END),
    WORD("STARTTLS", NEED_END),
    WORD("IDLE", NEED_NOTHING),
    WORD("AUTHENTICATE", NEED_ARGUMENT),
    WORD("COMPRESS", NEED_ARGUMENT),
    WORD("PROXYAUTH", NEED_ARGUMENT),
    WORD("XPROXYAUTH", NEED_ARGUMENT),
    WORD("XCLIENT", NEED_ARGUMENT),
    WORD("XFORWARD", NEED_ARGUMENT),
    WORD("SYNCAPPLY", NEED_ARGUMENT),
    WORD("SYNCGET", NEED_ARGUMENT),
    WORD("SYNCRESTORE", NEED_ARGUMENT),
    WORD("LOGIN", NEED_TWO),
    WORD("ID", NEED_LIST),
    WORD("APPEND", NEED_LITERAL),
    WORD("COPY", NEED_LITERAL),
    WORD("CREATE", NEED_LITERAL),
    WORD("DELETE", NEED_LITERAL),
    WORD("DELETEACL", NEED_LITERAL),
    WORD("EXAMINE", NEED_LITERAL),
    WORD("FETCH", NEED_LITERAL),
    WORD("GENURLAUTH", NEED_LITERAL),
    WORD("GETACL", NEED_LITERAL),
    WORD("GETANNOTATION", NEED_LITERAL),
    WORD("GETMETADATA", NEED_LITERAL),
    WORD("GETQUOTA", NEED_LITERAL),
    WORD("GETQUOTAROOT", NEED_LITERAL),
    WORD("LIST", NEED_LITERAL),
    WORD("LISTRIGHTS", NEED_LITERAL),
    WORD("LOCALAPPEND", NEED_LITERAL),
    WORD("LSUB", NEED_LITERAL),
    WORD("MOVE", NEED_LITERAL),
    WORD("MYRIGHTS", NEED_LITERAL),
    WORD("NOTIFY", NEED_LITERAL),
    WORD("RENAME", NEED_LITERAL),
    WORD("REPLACE", NEED_LITERAL),
    WORD("RESETKEY", NEED_LITERAL),
    WORD("SEARCH", NEED_LITERAL),
    WORD("SELECT", NEED_LITERAL),
    WORD("SETACL", NEED_LITERAL),
    WORD("SETANNOTATION", NEED_LITERAL),
    WORD("SETMETADATA", NEED_LITERAL),
    WORD("SETQUOTA", NEED_LITERAL),
    WORD("SORT", NEED_LITERAL),
    WORD("STATUS", NEED_NAME),
    WORD("STORE", NEED_LITERAL),
    WORD("SUBSCRIBE", NEED_LITERAL),
    WORD("THREAD", NEED_LITERAL),
    WORD("UNSUBSCRIBE", NEED_LITERAL),
    WORD("URLFETCH", NEED_LITERAL),
    WORD("XLIST", NEED_LITERAL),
};

static struct view skip_spaces(struct view v)
{
    while (v.n > 0 && v.p[0] == ' ')
        v = view_skip(v, 1);
    return v;
}

static bool is_literal_next(const struct guard_line *l, struct view rest)
{
    return rest.n == 0 && l->marker != GUARD_MARKER_NONE;
}

/* Takes an argument of LOGIN and the spaces behind it off the front. */
static bool take_argument(struct view *rest)
{
    size_t n = 0;
    bool is_quoted = rest->n > 0 && rest->p[0] == '"';

    if (is_quoted)
        for (n = 1; n < rest->n && rest->p[n] != '"';)
            n += rest->p[n] == '\\' ? 2 : 1;
    while (n < rest->n && rest->p[n] != ' ') {
        if (rest->p[n] == '(' || rest->p[n] == ')')
            return false;
        n++;
    }
    *rest = skip_spaces(view_skip(*rest, n));
    return n > 0;
}

/* Two arguments and the end, or a literal for one of them. */
static bool is_login(const struct guard_line *l, struct view rest)
{
    for (int i = 0; i < 2; i++) {
        if (is_literal_next(l, rest))
            return true;
        if (!take_argument(&rest))
            return false;
    }
    return rest.n == 0 && l->marker == GUARD_MARKER_NONE;
}

static bool is_list(const struct guard_line *l, struct view rest)
{
    if (rest.n == 0 || rest.p[0] != '(')
        return false;
    rest = skip_spaces(view_skip(rest, 1));
    return is_literal_next(l, rest) || (rest.n > 0 && rest.p[0] == '"');
}

/* `rest` is what stands behind the word and its spaces, without the marker. */
static bool is_needed(const struct guard_line *l, enum need need, struct view rest)
{
    /* "SEARCH SUBJECT login SINCE 1-Jan-2024", "UID SEARCH TEXT idle": people look for these words,
     * and no server that reads such lines carelessly is known. */
    if (l->class == GUARD_CLASS_SEARCH && (need == NEED_NOTHING || need == NEED_TWO))
        return false;
    switch (need) {
    case NEED_END:
    case NEED_NOTHING:
        return rest.n == 0 && l->marker == GUARD_MARKER_NONE;
    case NEED_ARGUMENT:
        return rest.n > 0 || is_literal_next(l, rest);
    case NEED_TWO:
        return is_login(l, rest);
    case NEED_LIST:
        return is_list(l, rest);
    case NEED_LITERAL:
        return l->marker != GUARD_MARKER_NONE;
    case NEED_NAME:
        return l->marker != GUARD_MARKER_NONE && (rest.n == 0 || rest.p[0] != '(');
    }
    return true;
}

/* `tail` begins behind a space. Where a bracket closes, nobody begins a command. */
static bool is_command(const struct guard_line *l, struct view tail)
{
    size_t n = 0;

    while (n < tail.n && imap_guard_is_word_octet(tail.p[n]))
        n++;
    if (n < tail.n && tail.p[n] == ')')
        return false;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (n == words[i].n && view_is_equal_nocase(view_first(tail, n), view_text(words[i].word)))
            return is_needed(l, words[i].need, skip_spaces(view_skip(tail, n)));
    return false;
}

bool imap_guard_hidden_is(const struct guard_line *l)
{
    bool is_quoted = false;

    for (size_t i = 0; i < l->body.n; i++) {
        const uint8_t c = l->body.p[i];
        if (c == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && c == '\\')
            i++;
        else if (!is_quoted && c == ' ' && is_command(l, view_skip(l->body, i + 1)))
            return true;
    }
    return false;
}
