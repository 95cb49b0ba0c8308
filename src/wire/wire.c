#include "wire/wire.h"

#define MESSAGE(name, number, sender, state, times, sentence)                                      \
    static const struct wire_field fields_##name[] = {
#define FIELD(message, name, kind, max)                                                            \
    { #name, WIRE_##kind, offsetof(struct wire_##message, name), (max) },
#define END(name)                                                                                  \
    {                                                                                              \
        NULL, WIRE_FLAG, 0, 0                                                                      \
    }                                                                                              \
    }                                                                                              \
    ;
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END

static const struct wire_message messages[] = {
#define MESSAGE(mname, mnumber, msender, mstate, mtimes, msentence)                                \
    { .name = #mname,                                                                              \
      .sentence = (msentence),                                                                     \
      .fields = fields_##mname,                                                                    \
      .count = COUNT_OF(fields_##mname) - 1,                                                       \
      .size = sizeof(struct wire_##mname),                                                         \
      .number = (mnumber),                                                                         \
      .sender = WIRE_##msender,                                                                    \
      .state = WIRE_##mstate,                                                                      \
      .times = WIRE_##mtimes },
#define FIELD(message, name, kind, max)
#define END(name)
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END
};

const struct wire_message *wire_at(size_t index)
{
    return index < COUNT_OF(messages) ? &messages[index] : NULL;
}

const struct wire_message *wire_find(uint8_t number)
{
    for (size_t i = 0; i < COUNT_OF(messages); i++)
        if (messages[i].number == number)
            return &messages[i];
    return NULL;
}

/* ---- encode --------------------------------------------------------------------------- */

static void put_number(struct buf *out, uint64_t v, unsigned octets)
{
    uint8_t raw[8];

    for (unsigned i = 0; i < octets; i++)
        raw[i] = (uint8_t)(v >> (8 * (octets - 1 - i)));
    buf_put(out, view_of(raw, octets));
}

static bool is_text_sound(const struct wire_field *f, struct view v)
{
    return v.n <= f->max && v.n <= UINT16_MAX && (f->kind != WIRE_TEXT || view_find(v, 0) == v.n);
}

static enum err put_field(struct buf *out, const struct wire_field *f, const uint8_t *at)
{
    union {
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        struct view view;
        struct addr addr;
    } v;

    switch (f->kind) {
    case WIRE_FLAG:
        buf_put_octet(out, *at != 0);
        return ERR_OK;
    case WIRE_U8:
        buf_put_octet(out, *at);
        return ERR_OK;
    case WIRE_U16:
        memcpy(&v.u16, at, sizeof(v.u16));
        put_number(out, v.u16, 2);
        return ERR_OK;
    case WIRE_U32:
        memcpy(&v.u32, at, sizeof(v.u32));
        put_number(out, v.u32, 4);
        return ERR_OK;
    case WIRE_U64:
    case WIRE_I64:
        memcpy(&v.u64, at, sizeof(v.u64));
        put_number(out, v.u64, 8);
        return ERR_OK;
    case WIRE_ADDR:
        memcpy(&v.addr, at, sizeof(v.addr));
        if (v.addr.octets != 0 && v.addr.octets != 4 && v.addr.octets != 16)
            return ERR_INVALID;
        buf_put_octet(out, v.addr.octets);
        buf_put(out, view_of(v.addr.ip, v.addr.octets));
        put_number(out, v.addr.port, 2);
        return ERR_OK;
    case WIRE_TEXT:
    case WIRE_OCTETS:
    case WIRE_SECRET:
        memcpy(&v.view, at, sizeof(v.view));
        if (!is_text_sound(f, v.view))
            return v.view.n > f->max ? ERR_TOO_LONG : ERR_INVALID;
        put_number(out, v.view.n, 2);
        buf_put(out, v.view);
        return ERR_OK;
    }
    return ERR_INVALID;
}

enum err wire_encode(enum wire_number number, const void *message, struct buf *out)
{
    const struct wire_message *m = wire_find((uint8_t)number);
    const uint8_t *base = message;

    CHECK(m != NULL);
    buf_put_octet(out, m->number);
    for (size_t i = 0; i < m->count; i++) {
        enum err e = put_field(out, &m->fields[i], base + m->fields[i].offset);
        if (e != ERR_OK)
            return e;
    }
    return buf_is_ok(out) ? ERR_OK : ERR_TOO_LONG;
}

/* ---- decode --------------------------------------------------------------------------- */

/* A cursor with a sticky error: read the whole frame, check once at the end. */
struct cursor {
    struct view rest;
    bool is_bad;
};

static struct view take(struct cursor *c, size_t n)
{
    if (c->is_bad || n > c->rest.n) {
        c->is_bad = true;
        return VIEW_NONE;
    }
    struct view v = view_first(c->rest, n);
    c->rest = view_skip(c->rest, n);
    return v;
}

static uint64_t take_number(struct cursor *c, size_t octets)
{
    struct view v = take(c, octets);
    uint64_t n = 0;

    for (size_t i = 0; i < v.n; i++)
        n = n << 8 | v.p[i];
    return n;
}

static struct addr take_addr(struct cursor *c)
{
    struct addr a = { .octets = (uint8_t)take_number(c, 1) };

    if (a.octets != 0 && a.octets != 4 && a.octets != 16)
        c->is_bad = true;
    struct view ip = take(c, c->is_bad ? 0 : a.octets);
    if (ip.n != 0)
        memcpy(a.ip, ip.p, ip.n);
    a.port = (uint16_t)take_number(c, 2);
    return a;
}

static void take_field(struct cursor *c, const struct wire_field *f, uint8_t *to)
{
    switch (f->kind) {
    case WIRE_FLAG: {
        const uint64_t n = take_number(c, 1);
        const bool flag = n == 1;
        c->is_bad = c->is_bad || n > 1;
        memcpy(to, &flag, sizeof(flag));
        break;
    }
    case WIRE_U8: {
        const uint8_t n = (uint8_t)take_number(c, 1);
        memcpy(to, &n, sizeof(n));
        break;
    }
    case WIRE_U16: {
        const uint16_t n = (uint16_t)take_number(c, 2);
        memcpy(to, &n, sizeof(n));
        break;
    }
    case WIRE_U32: {
        const uint32_t n = (uint32_t)take_number(c, 4);
        memcpy(to, &n, sizeof(n));
        break;
    }
    case WIRE_U64:
    case WIRE_I64: {
        const uint64_t n = take_number(c, 8);
        memcpy(to, &n, sizeof(n));
        break;
    }
    case WIRE_ADDR: {
        const struct addr a = take_addr(c);
        memcpy(to, &a, sizeof(a));
        break;
    }
    case WIRE_TEXT:
    case WIRE_OCTETS:
    case WIRE_SECRET: {
        const struct view v = take(c, (size_t)take_number(c, 2));
        c->is_bad = c->is_bad || !is_text_sound(f, v);
        memcpy(to, &v, sizeof(v));
        break;
    }
    }
}

enum err wire_decode(struct view frame, const struct wire_message **ret_message,
                     union wire_any *ret)
{
    struct cursor c = { .rest = frame };
    const struct wire_message *m = wire_find((uint8_t)take_number(&c, 1));
    union wire_any any;

    if (c.is_bad || m == NULL)
        return ERR_INVALID;
    memset(&any, 0, sizeof(any));
    for (size_t i = 0; i < m->count; i++)
        take_field(&c, &m->fields[i], (uint8_t *)&any + m->fields[i].offset);
    if (c.is_bad || c.rest.n != 0)
        return ERR_INVALID;
    *ret = any;
    *ret_message = m;
    return ERR_OK;
}

bool wire_admit(struct wire_gatekeeper *g, const struct wire_message *m)
{
    const uint8_t bit = (uint8_t)(1U << (m->number % 8));

    if (m->sender != g->peer || (m->state & g->state) == 0)
        return false;
    if (m->times == WIRE_ONCE && (g->seen[m->number / 8] & bit) != 0)
        return false;
    g->seen[m->number / 8] |= bit;
    return true;
}
