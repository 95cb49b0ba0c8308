/* command.h: the table of commands and options: the only list of both. --help, the parser and
 * postern(1) are made from it. Read-only data; the functions that run are in main.c.
 * Errors: a wrong command line is reported on standard error and is STATUS_USAGE. */
#ifndef POSTERN_CLI_COMMAND_H
#define POSTERN_CLI_COMMAND_H

#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option {
    OPTION_CONFIG = 0,
    OPTION_CONTROL,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_LABEL,
    OPTION_PROTOCOLS,
    OPTION_EXPIRES,
    OPTION_NETWORK,
    OPTION_SENDER,
    OPTION_NO_CHECK,
    OPTION_DEVICE,
    OPTION_FOR,
    OPTION_ACCOUNT,
    OPTION_LIMIT,
    OPTION_FOLLOW,
    OPTION_COUNT,
};

struct option_row {
    const char *name;     /* "--label" */
    const char *brief;    /* "-c", or NULL */
    const char *argument; /* "TEXT"; NULL: a flag */
    const char *sentence;
};

enum command_id {
    COMMAND_SERVE = 0,
    COMMAND_CHECK,
    COMMAND_VERSION,
    COMMAND_STATUS,
    COMMAND_ACCOUNT_ADD,
    COMMAND_ACCOUNT_INVITE,
    COMMAND_ACCOUNT_LIST,
    COMMAND_ACCOUNT_SHOW,
    COMMAND_ACCOUNT_DISABLE,
    COMMAND_ACCOUNT_ENABLE,
    COMMAND_ACCOUNT_REMOVE,
    COMMAND_APP_PASSWORD_ADD,
    COMMAND_APP_PASSWORD_LIST,
    COMMAND_APP_PASSWORD_REVOKE,
    COMMAND_TOTP_ENROL,
    COMMAND_LEASE_ADD,
    COMMAND_LEASE_LIST,
    COMMAND_LEASE_REVOKE,
    COMMAND_SESSION_LIST,
    COMMAND_SESSION_END,
    COMMAND_EVENTS,
    COMMAND_COUNT,
};

struct command {
    enum command_id id;
    const char *group;    /* "account"; "": none */
    const char *name;     /* "add" */
    const char *operand;  /* "ACCOUNT"; "": none; at most one */
    bool is_optional;     /* the operand */
    uint32_t options;     /* bits 1 << enum option */
    const char *sentence; /* for the list of commands */
    const char *detail;   /* for its own --help; may be "" */
};

struct invocation {
    const struct command *command;
    const char *operand;              /* "": not given; borrowed from argv, as are the values */
    const char *values[OPTION_COUNT]; /* NULL: not given; "" for a flag */
};

const struct command *command_at(size_t index); /* NULL: behind the last */
const struct option_row *command_option(enum option o);
const char *command_group_sentence(const char *group);

/* Takes argv (without the program's name) apart. False: *ret_status is the exit status, and what
 * was to be said (help or what is wrong) was said. */
MUST_USE bool command_parse(int argc, char **argv, struct invocation *ret, int *ret_status);

/* "Usage: postern account add ACCOUNT [OPTION …]" and the rest, for `command`; for all of `group`;
 * for everything (group ""). */
void help_command(const struct command *c, struct buf *out);
void help_group(const char *group, struct buf *out);

/* Says what is wrong with the use of a command, and where its help is. Returns STATUS_USAGE. */
int help_usage(const struct command *c, const char *format, ...) PRINTF(2, 3);

#endif
