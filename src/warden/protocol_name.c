#include "warden/protocol_name.h"

static const char *const names[] = { NULL, "imap", "pop3", "submission", "sieve" };

const char *protocol_name_of(uint8_t protocol)
{
    return protocol < COUNT_OF(names) ? names[protocol] : NULL;
}

bool protocol_name_tells_client(uint8_t protocol)
{
    return protocol == PROTOCOL_NAME_IMAP;
}

static uint32_t bit_named(struct view word)
{
    while (word.n > 0 && word.p[0] == ' ')
        word = view_skip(word, 1);
    while (word.n > 0 && word.p[word.n - 1] == ' ')
        word.n--;
    for (size_t i = 1; i < COUNT_OF(names); i++)
        if (view_is_equal_nocase(word, view_text(names[i])))
            return 1U << i;
    return 0;
}

bool protocol_name_bits(struct view text, uint32_t *ret)
{
    uint32_t bits = 0;

    while (text.n > 0) {
        const size_t comma = view_find(text, ',');
        const uint32_t bit = bit_named(view_first(text, comma));
        if (bit == 0)
            return false;
        bits |= bit;
        text = view_skip(text, comma + 1);
    }
    *ret = bits;
    return true;
}

void protocol_name_text(uint32_t bits, struct buf *out)
{
    const char *before = "";

    for (size_t i = 1; i < COUNT_OF(names); i++) {
        if ((bits & 1U << i) == 0)
            continue;
        buf_printf(out, "%s%s", before, names[i]);
        before = ",";
    }
}
