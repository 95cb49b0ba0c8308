/* play.h: one performance of a transcript: its input cut in one way, its machine's words compared.
 * Owns: `failure`. Used by runner.c, play.c (front and login) and play_guard.c. */
#ifndef POSTERN_TESTS_TRANSCRIPTS_PLAY_H
#define POSTERN_TESTS_TRANSCRIPTS_PLAY_H

#include "proto/protocol.h"
#include "base/mem.h"
#include "base/limits.h"
#include "script.h"

struct play {
    const struct script *script;
    const struct protocol *protocol;
    const struct step *step;
    struct front *front;
    struct login *login;
    struct guard *guard;
    struct buf in, out; /* towards the machine; from it */
    struct front_event front_event;
    struct login_event login_event;
    struct front_conf front_conf;
    struct login_conf login_conf;
    bool is_front, is_event;
    bool is_forged;       /* a credential that the transcript does not hold */
    bool is_memory_short; /* deviations end the play, silently */
    size_t piece;         /* octets fed at once; 0: all */
    size_t cut;           /* first piece of a run of input; 0: none */
    size_t longest;       /* run of input seen */
    char *failure;        /* owned; NULL: none */
    char url[128], session[32];
};

/* Both perform p->script; p->failure says what went otherwise. */
void play_machine(struct play *p); /* a front or a login */
void play_guard(struct play *p);
/* The first failure stays. Returns false. */
PRINTF(2, 3) bool play_fail(struct play *p, const char *format, ...);

#endif
