/* guard_dialogue.h: a dialogue with the IMAP guard as a row of a table. It runs whole, octet by
 * octet, and with every single split of every piece of input, in both directions; what comes out
 * must be the same. */
#ifndef POSTERN_TESTS_GUARD_DIALOGUE_H
#define POSTERN_TESTS_GUARD_DIALOGUE_H

#include "base/attr.h"
#include "proto/protocol.h"

/* A step of a dialogue is a letter, a colon and octets; '\x01' stands for NUL.
 *   C  the client sends          U  this has gone upstream since the last U
 *   S  the upstream sends        D  this has gone down to the client since the last D
 *   H  the guard holds the client ("H:1") or does not ("H:0")
 *   T  first: the upstream believes in ID
 *   X  the session has ended for this reason; every dialogue without an X has not ended
 * At the end everything that went anywhere must have been said by a U or a D. */
#define STEPS 24

struct dialogue {
    const char *name;
    const char *steps[STEPS];
};

/* Fails the test that calls it. */
void play_all_ways(const struct dialogue *d);

#define PLAY_ALL(table)                                                                            \
    static void table##_dialogues(void **state)                                                    \
    {                                                                                              \
        (void)state;                                                                               \
        for (size_t i = 0; i < COUNT_OF(table); i++)                                               \
            play_all_ways(&(table)[i]);                                                            \
    }

#endif
