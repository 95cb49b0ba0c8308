#include "proto/imap/capability.h"

/* A word that ends in '=' stands for all that begin so. */
static const char *const barred[] = {
    "STARTTLS",       "LOGINDISABLED", "AUTH=",   "SASL-IR",     "LOGIN-REFERRALS",
    "UNAUTHENTICATE", "COMPRESS=",     "XCLIENT", "XFORWARD",    "XPROXYREUSE",
    "X-REPLICATION",  "PROXYAUTH",     "XAUTH=",  "X-PROXYAUTH",
};

/* An atom (RFC 9051 §9): what is not could break out of the response code that it is put into. */
static bool is_atom(struct view word)
{
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] <= ' ' || word.p[i] >= 0x7f ||
            memchr("(){%*\"\\]", word.p[i], sizeof("(){%*\"\\]") - 1) != NULL)
            return false;
    return word.n != 0;
}

bool imap_capability_passes(struct view word)
{
    if (!is_atom(word))
        return false;
    for (size_t i = 0; i < COUNT_OF(barred); i++) {
        const struct view name = view_text(barred[i]);
        if (name.p[name.n - 1] == '=' ? view_starts_nocase(word, name)
                                      : view_is_equal_nocase(word, name))
            return false;
    }
    return true;
}

void imap_capability_filter(struct view list, struct buf *out)
{
    bool is_first = true;

    while (list.n != 0) {
        const struct view word = view_first(list, view_find(list, ' '));
        list = view_skip(list, word.n + 1);
        if (!imap_capability_passes(word))
            continue;
        if (!is_first)
            buf_put_octet(out, ' ');
        buf_put(out, word);
        is_first = false;
    }
}
