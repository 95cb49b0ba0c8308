/* script.h: a transcript, read into steps. The format is told in README.md.
 * Owns: the steps and their texts. A malformed file ends the program with its name and line. */
#ifndef POSTERN_TESTS_TRANSCRIPTS_SCRIPT_H
#define POSTERN_TESTS_TRANSCRIPTS_SCRIPT_H

#include "proto/protocol.h"

#define SCRIPT_WORDS 6

enum step_kind {
    STEP_SET,    /* a setting: words[0] is its name                                   */
    STEP_SEND,   /* C: C- U< U- octets towards the machine                           */
    STEP_EXPECT, /* S: U> octets from it                                              */
    STEP_ASKED,  /* W? a credential                                                   */
    STEP_ANSWER, /* W: the verdict                                                    */
    STEP_EVENT,  /* E: another event                                                  */
    STEP_LABEL,  /* L: what the client said of itself                                 */
    STEP_BYE,    /* B: the gate closes                                                */
    STEP_REST,   /* R: octets that the machine must have left unused                  */
};

struct step {
    enum step_kind kind;
    char who; /* SEND, EXPECT: C, S or U, as in the file */
    unsigned line;
    struct view text;                /* the whole text, decoded; of a setting behind its name */
    struct view words[SCRIPT_WORDS]; /* split at single spaces, each decoded */
    size_t count;                    /* of words; the last may hold spaces */
};

struct script {
    const char *name;                /* borrowed */
    const struct protocol *protocol; /* set by the caller */
    struct step *steps;
    size_t count;
};

void script_load(struct script *s, const char *path);
void script_free(struct script *s);
/* Is the step's i-th word this one? */
bool script_is_word(const struct step *s, size_t i, const char *word);
_Noreturn void script_die(const char *name, unsigned line, const char *why);

#endif
