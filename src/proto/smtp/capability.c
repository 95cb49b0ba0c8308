#include "proto/smtp/capability.h"

static const char *const passing[] = {
    "PIPELINING",
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "CHUNKING",
    "BINARYMIME",
    "DSN",
    "LIMITS",
    "DELIVERBY",
    "FUTURERELEASE",
    "MT-PRIORITY",
    "REQUIRETLS",
    "ENHANCEDSTATUSCODES",
};

/* Printable words with single spaces between. */
static bool is_grammatical(struct view line)
{
    bool is_word = false;

    for (size_t i = 0; i < line.n; i++) {
        const uint8_t c = line.p[i];
        if (c < ' ' || c > '~' || (c == ' ' && !is_word))
            return false;
        is_word = c != ' ';
    }
    return is_word;
}

struct view smtp_capability_keyword(struct view line)
{
    return view_first(line, view_find(line, ' '));
}

bool smtp_capability_passes(struct view line)
{
    const struct view keyword = smtp_capability_keyword(line);

    if (!is_grammatical(line))
        return false;
    for (size_t i = 0; i < COUNT_OF(passing); i++)
        if (view_is_equal_nocase(keyword, view_text(passing[i])))
            return true;
    return false;
}

struct view smtp_capability_take(struct view *lines)
{
    struct view line = view_first(*lines, view_find(*lines, '\n'));

    *lines = view_skip(*lines, line.n + 1);
    if (line.n != 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}
