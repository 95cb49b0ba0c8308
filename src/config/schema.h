/* schema.h: the table of settings as the rest of src/config sees it: where a setting lives in
 * struct config, of what kind it is, and who may see it. Internal to src/config.
 * Pure, read-only data; any thread. */
#ifndef POSTERN_CONFIG_SCHEMA_H
#define POSTERN_CONFIG_SCHEMA_H

#include "config/config.h"

#define SCHEMA_ONE_OF        "one of " /* what the type of a choice begins with */
#define SCHEMA_ALL_PROTOCOLS "all"     /* a default: every protocol of the table */
/* The names of the table, for messages. */
#define SCHEMA_PROTOCOL_WORDS "\"imap\", \"pop3\", \"submission\" or \"sieve\""
#define SCHEMA_STATE          "<state>" /* begins a default: the folder of the setting `state` */

/* What a setting's value is in the file and in the struct. */
enum schema_kind {
    KIND_TEXT = 0, /* char *                                                    */
    KIND_PATH,     /* char *, made absolute against the configuration file      */
    KIND_SECRET,   /* char *, wiped, masked                                     */
    KIND_TEXTS,    /* struct text_list, from a text or a list                   */
    KIND_PATHS,    /* struct text_list                                          */
    KIND_NETWORKS, /* struct network_list                                       */
    KIND_URLS,     /* struct conf_urls                                          */
    KIND_FLAG,     /* bool                                                      */
    KIND_NUMBER,   /* uint8_t to uint32_t                                       */
    KIND_DURATION, /* uint32_t in units of `stored_ms`                          */
    KIND_CHOICE,   /* an enum; the words are in the order of its values         */
};

/* To which struct the offsets belong. */
enum schema_scope { SCOPE_TOP = 0, SCOPE_GATE, SCOPE_UPSTREAM, SCOPE_POLICY };

struct schema_row {
    struct config_setting shown;
    enum schema_kind kind;
    enum schema_scope scope;
    bool is_edge_blind; /* an edge has no business with it */
    uint16_t offset;    /* in the scope's struct */
    uint16_t size;      /* of the field */
    uint32_t unit_ms;   /* KIND_DURATION: of a bare number */
    uint32_t stored_ms; /* KIND_DURATION: of the struct's field */
};

/* A group whose members are named by the administrator: gates, upstreams, policies. */
struct schema_family {
    enum schema_scope scope;
    const char *group; /* "gates" */
    const char *noun;  /* "gate" */
    size_t size;       /* of one member's struct; its name is the first field */
    size_t offset;     /* of the array in struct config */
    size_t offset_count;
};

/* A protocol, as far as the configuration needs to know it (proto/ has the rest). */
struct schema_protocol {
    const char *name;
    const char *scheme_tls, *scheme_starttls, *scheme_clear;
    uint16_t port_tls, port_starttls;
};

const struct schema_row *schema_at(size_t index);           /* NULL: behind the last */
const struct schema_row *schema_find(const char *path);     /* with '*' for names; NULL: none */
bool schema_is_group(const char *path);                     /* of at least one setting */
const struct schema_family *schema_family_at(size_t index); /* NULL: behind the last */
const struct schema_family *schema_family(enum schema_scope scope); /* NULL: SCOPE_TOP */
const struct schema_protocol *schema_protocol_at(size_t index);
const struct schema_protocol *schema_protocol(const char *name); /* NULL: unknown */

/* The array of a family and its length. */
void *schema_members(const struct config *c, const struct schema_family *f, size_t *ret_count);
/* The name that all members begin with. */
const char *schema_member_name(const void *member);

#endif
