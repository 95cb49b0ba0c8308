#include "proto/protocol.h"

#include "proto/imap/imap.h"
#include "proto/pop3/pop3.h"
#include "proto/sieve/sieve.h"
#include "proto/smtp/smtp.h"

static const struct protocol protocols[] = {
    {
        .id = PROTOCOL_IMAP,
        .name = "imap",
        .alpn = "imap",
        .scheme_tls = "imaps",
        .scheme_starttls = "imap",
        .scheme_clear = "imap+clear",
        .front = &imap_front_ops,
        .login = &imap_login_ops,
        .guard = &imap_guard_ops,
    },
    {
        .id = PROTOCOL_POP3,
        .name = "pop3",
        .alpn = "pop3",
        .scheme_tls = "pop3s",
        .scheme_starttls = "pop3",
        .scheme_clear = "pop3+clear",
        .has_offer = true,
        .front = &pop3_front_ops,
        .login = &pop3_login_ops,
        .guard = &pop3_guard_ops,
    },
    {
        .id = PROTOCOL_SUBMISSION,
        .name = "submission",
        .scheme_tls = "submissions",
        .scheme_starttls = "submission",
        .scheme_clear = "submission+clear",
        .has_offer = true,
        .front = &smtp_front_ops,
        .login = &smtp_login_ops,
        .guard = &smtp_guard_ops,
    },
    {
        .id = PROTOCOL_SIEVE,
        .name = "sieve",
        .alpn = "managesieve",
        .scheme_tls = "sieves",
        .scheme_starttls = "sieve",
        .scheme_clear = "sieve+clear",
        .has_offer = true,
        .front = &sieve_front_ops,
        .login = &sieve_login_ops,
        .guard = &sieve_guard_ops,
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
