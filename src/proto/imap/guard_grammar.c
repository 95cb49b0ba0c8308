#include "proto/imap/guard_grammar.h"

struct cursor {
    struct view left; /* without the marker */
    const struct guard_line *line;
    uint8_t place;
};

static bool take(struct cursor *c, char octet)
{
    if (c->left.n == 0 || c->left.p[0] != (uint8_t)octet)
        return false;
    c->left = view_skip(c->left, 1);
    return true;
}

static bool is_next(const struct cursor *c, char octet)
{
    return c->left.n > 0 && c->left.p[0] == (uint8_t)octet;
}

/* The marker stands here; `place` is what it announces. */
static bool take_literal(struct cursor *c, enum guard_place place)
{
    if (c->left.n != 0 || c->line->marker == GUARD_MARKER_NONE)
        return false;
    c->place = (uint8_t)place;
    return true;
}

static struct view take_atom(struct cursor *c)
{
    size_t n = 0;

    while (n < c->left.n && imap_guard_is_atom_octet(c->left.p[n]))
        n++;
    struct view atom = view_first(c->left, n);
    c->left = view_skip(c->left, n);
    return atom;
}

/* The quotes are closed: the line has been scanned. */
static bool take_quoted(struct cursor *c)
{
    if (!take(c, '"'))
        return false;
    while (c->left.n > 0 && !is_next(c, '"'))
        c->left = view_skip(c->left, is_next(c, '\\') ? 2 : 1);
    return take(c, '"');
}

static bool take_astring(struct cursor *c)
{
    return is_next(c, '"') ? take_quoted(c) : take_atom(c).n > 0;
}

static bool take_flags(struct cursor *c)
{
    if (!take(c, '('))
        return false;
    if (take(c, ')'))
        return true;
    do {
        (void)take(c, '\\');
        if (take_atom(c).n == 0)
            return false;
    } while (take(c, ' '));
    return take(c, ')');
}

static bool take_utf8(struct cursor *c, enum guard_place place)
{
    return take(c, ' ') && take(c, '(') && c->line->is_literal8 && take_literal(c, place);
}

static bool take_message(struct cursor *c);

/* Behind a message: the end of the command, or another one. */
static bool take_more(struct cursor *c)
{
    if (c->left.n == 0 && c->line->marker == GUARD_MARKER_NONE)
        return true;
    return take_message(c);
}

/* The parts of a CATENATE up to a literal, or to the end of the list. */
static bool take_parts(struct cursor *c)
{
    do {
        struct view what = take_atom(c);

        if (view_is_equal_nocase(what, VIEW_LIT("TEXT")))
            return take(c, ' ') && take_literal(c, GUARD_PLACE_PART);
        if (view_is_equal_nocase(what, VIEW_LIT("UTF8")))
            return take_utf8(c, GUARD_PLACE_PART_UTF8);
        if (!view_is_equal_nocase(what, VIEW_LIT("URL")) || !take(c, ' '))
            return false;
        if (take_literal(c, GUARD_PLACE_URL))
            return true;
        if (!take_astring(c))
            return false;
    } while (take(c, ' '));
    return take(c, ')') && take_more(c);
}

static bool take_message(struct cursor *c)
{
    if (!take(c, ' '))
        return false;
    if (is_next(c, '(') && !(take_flags(c) && take(c, ' ')))
        return false;
    if (is_next(c, '"') && !(take_quoted(c) && take(c, ' ')))
        return false;
    if (take_literal(c, GUARD_PLACE_MESSAGE))
        return true;
    struct view how = take_atom(c);
    if (view_is_equal_nocase(how, VIEW_LIT("UTF8")))
        return take_utf8(c, GUARD_PLACE_UTF8);
    return view_is_equal_nocase(how, VIEW_LIT("CATENATE")) && take(c, ' ') && take(c, '(') &&
           take_parts(c);
}

/* The entries of SETMETADATA: the first value may be a literal, and is the last one then. */
static bool take_entries(struct cursor *c)
{
    bool is_first = true;

    do {
        if (!take_astring(c) || !take(c, ' '))
            return false;
        if (is_first && take_literal(c, GUARD_PLACE_VALUE))
            return true;
        if (!take_astring(c))
            return false;
        is_first = false;
    } while (take(c, ' '));
    return take(c, ')') && c->left.n == 0 && c->line->marker == GUARD_MARKER_NONE;
}

static bool take_metadata(struct cursor *c)
{
    if (take_literal(c, GUARD_PLACE_ENTRIES))
        return true;
    return take_astring(c) && take(c, ' ') && take(c, '(') && take_entries(c);
}

/* The limits of SETQUOTA: a list. */
static bool take_limits(struct cursor *c)
{
    return take(c, ' ') && is_next(c, '(') && c->line->marker == GUARD_MARKER_NONE;
}

static bool take_quota(struct cursor *c)
{
    if (take_literal(c, GUARD_PLACE_QUOTA))
        return true;
    return take_astring(c) && take_limits(c);
}

/* Behind RETURN, STATUS has a list of its own. */
static bool take_list(struct cursor *c, bool is_return)
{
    while (c->left.n > 0) {
        if (is_next(c, '"')) {
            (void)take_quoted(c);
        } else if (imap_guard_is_atom_octet(c->left.p[0])) {
            struct view word = take_atom(c);
            if (is_return && view_is_equal_nocase(word, VIEW_LIT("STATUS")) &&
                !(take(c, ' ') && is_next(c, '(')))
                return false;
            is_return = is_return || view_is_equal_nocase(word, VIEW_LIT("RETURN"));
        } else {
            c->left = view_skip(c->left, 1);
        }
    }
    c->place = GUARD_PLACE_LIST;
    return true;
}

static bool take_append(struct cursor *c)
{
    if (take_literal(c, GUARD_PLACE_MAILBOX))
        return true;
    return take_astring(c) && take_message(c);
}

bool imap_guard_grammar_first(const struct guard_line *l, uint8_t *place)
{
    struct cursor c = { .left = l->body, .line = l };
    bool is_good = true;

    if (l->class == GUARD_CLASS_REPLACE)
        is_good = take_atom(&c).n > 0 && take(&c, ' ') && take_append(&c);
    else if (l->class == GUARD_CLASS_APPEND)
        is_good = take_append(&c);
    else if (l->class == GUARD_CLASS_METADATA)
        is_good = take_metadata(&c);
    else if (l->class == GUARD_CLASS_QUOTA)
        is_good = take_quota(&c);
    else if (l->class == GUARD_CLASS_LIST)
        is_good = take_list(&c, false);
    *place = c.place;
    return is_good;
}

bool imap_guard_grammar_rest(const struct guard_line *l, uint8_t *place)
{
    enum guard_place before = *place;
    struct cursor c = { .left = l->body, .line = l, .place = *place };
    bool is_good = true;

    switch (before) {
    case GUARD_PLACE_MAILBOX:
        is_good = take_message(&c);
        break;
    case GUARD_PLACE_UTF8:
        is_good = take(&c, ')') && take_more(&c);
        break;
    case GUARD_PLACE_MESSAGE:
        is_good = take_more(&c);
        break;
    case GUARD_PLACE_PART:
    case GUARD_PLACE_URL:
    case GUARD_PLACE_PART_UTF8:
        is_good = before != GUARD_PLACE_PART_UTF8 || take(&c, ')');
        is_good = is_good && (take(&c, ')') ? take_more(&c) : take(&c, ' ') && take_parts(&c));
        break;
    case GUARD_PLACE_ENTRIES:
        is_good = take(&c, ' ') && take(&c, '(') && take_entries(&c);
        break;
    case GUARD_PLACE_VALUE:
        is_good = take(&c, ')') && c.left.n == 0 && l->marker == GUARD_MARKER_NONE;
        break;
    case GUARD_PLACE_QUOTA:
        is_good = take_limits(&c);
        break;
    case GUARD_PLACE_LIST:
        is_good = take_list(&c, true);
        break;
    case GUARD_PLACE_ANY:
        break;
    }
    *place = c.place;
    return is_good;
}

bool imap_guard_grammar_is_utf8(uint8_t place)
{
    return place == GUARD_PLACE_UTF8 || place == GUARD_PLACE_PART_UTF8;
}

/* Dovecot 2.3 does in SETMETADATA. In APPEND's lists no known server does, but for those that do
 * not know UTF8 (, and these are not asked. */
bool imap_guard_grammar_is_lasting(uint8_t place)
{
    return place != GUARD_PLACE_PART && place != GUARD_PLACE_URL &&
           !imap_guard_grammar_is_utf8(place);
}

bool imap_guard_grammar_is_text(uint8_t place)
{
    return place == GUARD_PLACE_MESSAGE || place == GUARD_PLACE_UTF8 || place == GUARD_PLACE_PART ||
           place == GUARD_PLACE_PART_UTF8 || place == GUARD_PLACE_VALUE;
}
