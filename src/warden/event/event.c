#include "warden/event/event.h"

static const char *const kinds[] = {
#define KIND(name, text) [EVENT_##name] = (text),
    EVENT_KINDS(KIND)
#undef KIND
};

static const char *const reasons[] = {
#define REASON(name, text) [REASON_##name] = (text),
    EVENT_REASONS(REASON)
#undef REASON
};

const char *event_text(enum event_kind k)
{
    return kinds[k];
}

const char *event_reason(enum reason r)
{
    return reasons[r];
}

void event_copy(char *to, size_t room, struct view from)
{
    size_t n = from.n < room - 1 ? from.n : room - 1;

    while (n < from.n && n > 0 && (from.p[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        to[i] = from.p[i] < 0x20 || from.p[i] == 0x7f ? '?' : (char)from.p[i];
    to[n] = '\0';
}

void event_source(char to[STORE_NETWORK], const struct addr *source)
{
    struct addr alone = *source;
    char text[ADDR_TEXT_MAX];

    to[0] = '\0';
    if (alone.octets == 0)
        return;
    alone.port = 0;
    event_copy(to, STORE_NETWORK, view_text(addr_text(&alone, text)));
}
