/* response.h: follows what a server says: where a line of a response ends, with the literals in it,
 * and whether it is data or the status that ends the response. Nothing is kept: who wants the
 * contents collects the octets and takes them apart with the second half.
 * Source: RFC 5804 §1.3 (status, response codes), §4 (response). Strict but for what the strings
 * hold. Pure; runs in: edge. Used by the login and the guard. */
#ifndef POSTERN_PROTO_SIEVE_RESPONSE_H
#define POSTERN_PROTO_SIEVE_RESPONSE_H

#include "base/attr.h"
#include "base/buf.h"

enum sieve_status { SIEVE_NO = 0, SIEVE_OK, SIEVE_BYE };

enum sieve_response_kind {
    RESPONSE_MORE = 0, /* all input used, the line goes on */
    RESPONSE_DATA,     /* a line of data is whole: a string, and perhaps one more or an atom */
    RESPONSE_STATUS,   /* OK, NO or BYE with all that belongs to it: see `status` */
    RESPONSE_BAD,      /* what comes next is no ManageSieve; final */
};

/* Zero is the start. */
struct sieve_response {
    uint32_t left; /* digits of a literal so far, then its octets to come */
    uint8_t state; /* enum state, in response.c */
    uint8_t depth; /* of parentheses: a response code is in them */
    uint8_t
        items; /* of the line so far: strings and atoms of data; the code and text of a status */
    uint8_t word_n;
    uint8_t status;  /* enum sieve_status; of the line so far, or of the last one */
    bool is_listing; /* the caller's: lines of data are those of LISTSCRIPTS */
    bool is_data;
    bool has_digits;
    bool has_code;
    char word[3];
};

/* Uses octets up to and with the end of a line; before RESPONSE_BAD those that were good. */
MUST_USE enum sieve_response_kind sieve_response_take(struct sieve_response *r, struct view in,
                                                      size_t *ret_used);
/* Between two lines? */
bool sieve_response_is_start(const struct sieve_response *r);
/* Does a line of data begin with this octet? */
bool sieve_response_is_data(uint8_t octet);

/* ---- the contents of one whole line that was found good ------------------------------------ */

/* Takes the string at the front of *line, and a space behind it, and appends what it says. false:
 * no string there. */
bool sieve_line_take_string(struct view *line, struct buf *out);
/* The word of a status line's response code ("QUOTA/MAXSIZE"), or empty. */
struct view sieve_line_code(struct view line);

#endif
