/* command.h: takes one command of a client after the other, octet by octet: its word, its arguments
 * (strings quoted or as literals, numbers) with single spaces between, CRLF. What two servers could
 * read in two ways is none: the caller ends the session.
 * Source: RFC 5804 §4. Literals come as "{n+}" only.
 * Owns:   the strings of the command, decoded; wiped and freed between commands, since they may be
 *         secret, and an idle session owns none.
 * Errors: COMMAND_BROKEN is final. Pure; runs in: edge. Used by the front and the guard. */
#ifndef POSTERN_PROTO_SIEVE_COMMAND_H
#define POSTERN_PROTO_SIEVE_COMMAND_H

#include "base/attr.h"
#include "base/buf.h"

#define SIEVE_ARGUMENTS 2
#define SIEVE_WORD      16 /* octets kept of a word: more than any has, so that none is mistaken */

enum sieve_argument {
    ARGUMENT_NONE = 0,
    ARGUMENT_STRING,
    ARGUMENT_NUMBER, /* 32 bits */
    ARGUMENT_SCRIPT, /* a string whose literal is not kept: see COMMAND_SCRIPT */
};

struct sieve_word {
    const char *name; /* in capitals; NULL: one string alone, the client's answer to a challenge */
    uint8_t id;       /* the caller's */
    uint8_t arguments[SIEVE_ARGUMENTS]; /* enum sieve_argument */
    bool is_last_optional;
};

struct sieve_command_conf {
    const struct sieve_word *words; /* ends in a name that is NULL; borrowed for life */
    uint32_t max;     /* octets of one command with the strings that are kept, without CRLF */
    uint32_t swallow; /* octets of all literals of one command that is not of `words` */
    bool is_strict;   /* a wrong command breaks, else it is read to its end: is_wrong */
};

enum sieve_command_kind {
    COMMAND_MORE = 0, /* all input used, the command goes on */
    COMMAND_WHOLE,    /* `word` and the arguments are set, until sieve_command_reset */
    COMMAND_SCRIPT,   /* the same, up to a script's literal of `script` octets, which come next;
                         then the command's CRLF, which the caller takes as well */
    COMMAND_BROKEN,   /* `reason`, a static word for the log; also for want of memory */
};

struct sieve_command {
    const struct sieve_command_conf *conf; /* borrowed for life */
    const struct sieve_word *word;         /* NULL: none of conf->words */
    const char *reason;
    struct buf strings; /* the decoded arguments, one behind the other */
    struct {
        uint16_t at, n;
    } argument[SIEVE_ARGUMENTS];
    uint32_t number; /* the number argument, or the script's size */
    uint32_t size;   /* digits of a literal or number so far; then octets to come */
    uint32_t octets; /* of this command so far */
    uint32_t swallowed;
    uint16_t quoted; /* octets of a quoted string so far */
    uint8_t state;   /* enum state, in command.c */
    uint8_t argument_count, name_n;
    bool has_digits;
    bool is_wrong;         /* not what the word takes, or no command at all */
    char name[SIEVE_WORD]; /* the word as it came, in capitals; name_n > SIEVE_WORD: longer */
};

/* `c` needs no other initialisation; conf is borrowed. */
void sieve_command_init(struct sieve_command *c, const struct sieve_command_conf *conf);
void sieve_command_done(struct sieve_command *c);
/* The next octet begins a command. */
void sieve_command_reset(struct sieve_command *c);
/* The next octet begins an answer to a challenge: one string and CRLF. */
void sieve_command_expect_answer(struct sieve_command *c);
/* Uses octets up to and with the end of the command. */
MUST_USE enum sieve_command_kind sieve_command_take(struct sieve_command *c, struct view in,
                                                    size_t *ret_used);
/* Is anything of a command there? */
bool sieve_command_is_begun(const struct sieve_command *c);
/* The i-th argument, decoded; views `strings`. */
struct view sieve_command_string(const struct sieve_command *c, size_t i);
/* The word as the client sent it, in capitals, or its beginning where it is longer than any. */
struct view sieve_command_name(const struct sieve_command *c);

#endif
