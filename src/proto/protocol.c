#include "proto/protocol.h"

#include "proto/imap/imap.h"

static const struct protocol protocols[] = {
    {
        .id = PROTOCOL_IMAP,
        .name = "imap",
        .alpn = "imap",
        .scheme_tls = "imaps",
        .scheme_starttls = "imap",
        .scheme_clear = "imap+clear",
        .port_tls = 993,
        .port_starttls = 143,
        .front = &imap_front_ops,
        .login = &imap_login_ops,
        .guard = &imap_guard_ops,
    },
};

const struct protocol *protocol_find(enum protocol_id id)
{
    for (size_t i = 0; i < COUNT_OF(protocols); i++)
        if (protocols[i].id == id)
            return &protocols[i];
    return NULL;
}

const struct protocol *protocol_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(protocols); i++)
        if (strcmp(protocols[i].name, name) == 0)
            return &protocols[i];
    return NULL;
}
