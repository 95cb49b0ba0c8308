/* wire_doc.c: prints docs/wire.md from the descriptors of the frames, so that the page cannot
 * differ from the code. A test compares the two. */
#include "wire/wire.h"

#include <stdio.h>

static const char *sender_name(uint8_t sender)
{
    static const char *const names[] = {
        "", "supervisor", "child", "edge", "warden", "command line"
    };

    return names[sender];
}

static void print_kind(const struct wire_field *f)
{
    static const char *const kinds[] = { "flag",    "8 bits",          "16 bits", "32 bits",
                                         "64 bits", "64 bits, signed", "address", "text",
                                         "octets",  "secret" };

    (void)printf("%s", kinds[f->kind]);
    if (f->kind == WIRE_TEXT || f->kind == WIRE_OCTETS || f->kind == WIRE_SECRET)
        (void)printf(", at most %u octets", (unsigned)f->max);
}

static void print_message(const struct wire_message *m)
{
    const char *when = m->state == WIRE_START  ? "before the channel is open"
                       : m->state == WIRE_OPEN ? "on an open channel"
                                               : "at any time";

    (void)printf("\n## %u `%s`\n\nFrom the %s, %s%s: %s.\n", (unsigned)m->number, m->name,
                 sender_name(m->sender), when, m->times == WIRE_ONCE ? ", once" : "", m->sentence);
    if (m->count != 0)
        (void)printf("\n| field | kind |\n|---|---|\n");
    for (size_t i = 0; i < m->count; i++) {
        (void)printf("| `%s` | ", m->fields[i].name);
        print_kind(&m->fields[i]);
        (void)printf(" |\n");
    }
}

int main(void)
{
    const struct wire_message *m;

    (void)printf(
        "# Frames between the processes\n\n"
        "Made from `src/wire/messages.def` by `tools/wire_doc.c`; do not edit.\n\n"
        "A frame is one record of a `SOCK_SEQPACKET` channel: the message's number (one octet), "
        "then its fields in\nthis order. Numbers are big-endian; text, octets and secret have a "
        "16-bit length before them; an address is\nits length (0, 4 or 16), its octets and a "
        "16-bit port. A frame that is cut short, has octets left over, breaks a\nbound or is not "
        "legal in the channel's state ends the channel.\n");
    for (size_t i = 0; (m = wire_at(i)) != NULL; i++)
        print_message(m);
    return 0;
}
