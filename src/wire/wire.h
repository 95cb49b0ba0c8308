/* wire.h: frames between our processes, one record of a SOCK_SEQPACKET channel each.
 * A frame is: message number (1 octet), then its fields in order; numbers big-endian, TEXT, OCTETS
 * and SECRET as a 16-bit length and the octets, ADDR as length, octets, port. Every frame is
 * decoded to its last octet; a text may not hold a NUL. Source: messages.def. Pure: no I/O, no
 * clock. Runs in: every process. The receiver treats the sender as hostile.
 *
 * Each MESSAGE(x, …) gives struct wire_x and the number WIRE_x. Views in a decoded struct point
 * into the frame. Whoever received a frame with a SECRET wipes the whole frame after use. */
#ifndef POSTERN_WIRE_WIRE_H
#define POSTERN_WIRE_WIRE_H

#include "base/addr.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/view.h"

enum wire_kind {
    WIRE_FLAG,
    WIRE_U8,
    WIRE_U16,
    WIRE_U32,
    WIRE_U64,
    WIRE_I64,
    WIRE_ADDR,
    WIRE_TEXT,
    WIRE_OCTETS,
    WIRE_SECRET,
};
enum wire_sender { WIRE_SUPERVISOR = 1, WIRE_CHILD, WIRE_EDGE, WIRE_WARDEN, WIRE_CLI };
enum wire_state { WIRE_START = 1, WIRE_OPEN = 2, WIRE_ANY = 3 };
enum wire_times { WIRE_ONCE = 1, WIRE_OFTEN = 0 };

/* What the verdict of a question is; the zero value refuses. */
enum verdict { VERDICT_REFUSE = 0, VERDICT_LATER = 1, VERDICT_ALLOW = 2 };
/* In which words a client is answered that is not let in: enum front_answer of proto/protocol.h,
 * value for value (tests compare them); the zero value is the one that says least. */
enum answer {
    WIRE_ANSWER_REFUSE_PASSWORD = 0, /* any refused main password                                 */
    WIRE_ANSWER_REFUSE_DEVICE = 1,   /* refused app password or other device credential           */
    WIRE_ANSWER_LATER = 2,           /* throttled, or warden or upstream out of service           */
    WIRE_ANSWER_SWITCHED_OFF = 3,    /* the protocol is off for this account                      */
    WIRE_ANSWER_STALE = 4,           /* a good app password whose sealed mailbox password is old  */
};
/* What an upstream said to a login. */
enum outcome { OUTCOME_UNAVAILABLE = 0, OUTCOME_REFUSED = 1, OUTCOME_ACCEPTED = 2 };

#define WIRE_TYPE_FLAG   bool
#define WIRE_TYPE_U8     uint8_t
#define WIRE_TYPE_U16    uint16_t
#define WIRE_TYPE_U32    uint32_t
#define WIRE_TYPE_U64    uint64_t
#define WIRE_TYPE_I64    int64_t
#define WIRE_TYPE_ADDR   struct addr
#define WIRE_TYPE_TEXT   struct view
#define WIRE_TYPE_OCTETS struct view
#define WIRE_TYPE_SECRET struct view

#define MESSAGE(name, number, sender, state, times, sentence) struct wire_##name {
#define FIELD(message, name, kind, max)                       WIRE_TYPE_##kind name;
#define END(name)                                                                                  \
    uint8_t none_; /* not on the wire: C17 has no empty struct */                                  \
    }                                                                                              \
    ;
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END

enum wire_number {
    WIRE_none = 0,
#define MESSAGE(name, number, sender, state, times, sentence) WIRE_##name = number,
#define FIELD(message, name, kind, max)
#define END(name)
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END
};

/* Room for any decoded message. */
union wire_any {
#define MESSAGE(name, number, sender, state, times, sentence) struct wire_##name name;
#define FIELD(message, name, kind, max)
#define END(name)
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END
};

struct wire_field {
    const char *name;
    enum wire_kind kind;
    uint16_t offset; /* in the struct */
    uint32_t max;    /* octets, for texts */
};

struct wire_message {
    const char *name;
    const char *sentence;
    const struct wire_field *fields;
    uint16_t count; /* of fields */
    uint16_t size;  /* of the struct */
    uint8_t number;
    uint8_t sender; /* enum wire_sender */
    uint8_t state;  /* enum wire_state, as bits */
    uint8_t times;  /* enum wire_times */
};

const struct wire_message *wire_find(uint8_t number); /* NULL: no such message */
const struct wire_message *wire_at(size_t index);     /* NULL: behind the last */

/* Appends the frame of `message` (a struct wire_<number>) to `out`. A value over its bound, or a
 * NUL in a text, fails: ERR_TOO_LONG, ERR_INVALID. */
MUST_USE enum err wire_encode(enum wire_number number, const void *message, struct buf *out);
/* ERR_INVALID: unknown number, a field cut short or over its bound, octets left over. *ret_message
 * and *ret are only valid after ERR_OK. */
MUST_USE enum err wire_decode(struct view frame, const struct wire_message **ret_message,
                              union wire_any *ret);

/* Which messages a receiver takes from a peer: one row of state a channel. */
struct wire_gatekeeper {
    uint8_t peer;     /* enum wire_sender expected */
    uint8_t state;    /* WIRE_START, later WIRE_OPEN */
    uint8_t seen[32]; /* bits by number, for ONCE */
};

/* May this message come from this peer in this state now? Notes it as seen. */
MUST_USE bool wire_admit(struct wire_gatekeeper *g, const struct wire_message *m);

#endif
