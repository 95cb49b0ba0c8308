#include "proto/pop3/guard_line.h"

#include "base/attr.h"

#define NUMBER_DIGITS 10
#define TAG_OCTETS    64 /* RFC 5646 §4.4.1 asks for 35 */

/* Arguments; a question mark is one that may be missing, and then the reply is of many lines. */
enum arguments { NONE = 0, NUMBER, NUMBERS, OPTIONAL_NUMBER, OPTIONAL_TAG };

static const struct {
    const char *word;
    enum arguments arguments;
    enum pop3_reply reply; /* with an argument, where that is optional */
} commands[] = {
    { "STAT", NONE, POP3_REPLY_LINE },
    { "LIST", OPTIONAL_NUMBER, POP3_REPLY_LINE },
    { "RETR", NUMBER, POP3_REPLY_TEXT },
    { "DELE", NUMBER, POP3_REPLY_LINE },
    { "NOOP", NONE, POP3_REPLY_LINE },
    { "RSET", NONE, POP3_REPLY_LINE },
    { "QUIT", NONE, POP3_REPLY_LINE },
    { "TOP", NUMBERS, POP3_REPLY_TEXT },
    { "UIDL", OPTIONAL_NUMBER, POP3_REPLY_LINE },
    { "CAPA", NONE, POP3_REPLY_CAPA },
    { "LANG", OPTIONAL_TAG, POP3_REPLY_LINE },
    { "UTF8", NONE, POP3_REPLY_LINE },
};

static bool is_number(struct view v)
{
    uint64_t n;

    return v.n <= NUMBER_DIGITS && view_number(v, UINT32_MAX, &n);
}

/* RFC 5646, or "*": what the server itself prefers. */
static bool is_tag(struct view v)
{
    for (size_t i = 0; i < v.n; i++) {
        const uint8_t c = v.p[i];
        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            (c != '-' || i == 0))
            return view_is_equal(v, VIEW_LIT("*"));
    }
    return v.n != 0 && v.n <= TAG_OCTETS;
}

static bool are_numbers(struct view v)
{
    const size_t at = view_find(v, ' ');

    return is_number(view_first(v, at)) && at < v.n && is_number(view_skip(v, at + 1));
}

/* `rest` is empty, or a space and what follows it. */
static bool is_fit(enum arguments arguments, struct view rest)
{
    const struct view argument = view_skip(rest, 1);

    switch (arguments) {
    case NONE:
        return rest.n == 0;
    case NUMBER:
        return is_number(argument);
    case NUMBERS:
        return are_numbers(argument);
    case OPTIONAL_NUMBER:
        return rest.n == 0 || is_number(argument);
    case OPTIONAL_TAG:
        return rest.n == 0 || is_tag(argument);
    }
    return false;
}

enum pop3_reply pop3_guard_line(struct view line)
{
    const struct view word = view_first(line, view_find(line, ' '));
    const struct view rest = view_skip(line, word.n);

    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const enum arguments arguments = commands[i].arguments;
        const bool is_optional = arguments == OPTIONAL_NUMBER || arguments == OPTIONAL_TAG;
        if (!view_is_equal_nocase(word, view_text(commands[i].word)))
            continue;
        if (!is_fit(arguments, rest))
            return POP3_REPLY_OWN;
        return is_optional && rest.n == 0 ? POP3_REPLY_TEXT : commands[i].reply;
    }
    return POP3_REPLY_OWN;
}
