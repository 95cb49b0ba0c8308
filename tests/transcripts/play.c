#include "play.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define OUT_MAX (1 << 18)

bool play_fail(struct play *p, const char *format, ...)
{
    va_list args;
    char text[4096];

    if (p->failure != NULL)
        return false;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (asprintf(&p->failure, "%s:%u (piece %zu, cut %zu): %s", p->script->name,
                 p->step == NULL ? 0 : p->step->line, p->piece, p->cut, text) < 0)
        abort();
    return false;
}

static void set_text(char *to, size_t room, struct view from)
{
    (void)snprintf(to, room, "%.*s", (int)from.n, (const char *)from.p);
}

static struct view word_at(const struct step *s, size_t i)
{
    return i < s->count ? s->words[i] : VIEW_NONE;
}

static bool is_asked(const struct play *p, const struct step *s)
{
    const struct front_event *e = &p->front_event;

    return view_is_equal(e->user, word_at(s, 1)) && view_is_equal(e->secret, word_at(s, 2)) &&
           view_is_equal(e->authorization, word_at(s, 3));
}

/* ---- feeding -------------------------------------------------------------------------- */

static bool is_final(const struct play *p)
{
    return p->is_front ? p->front_event.kind == FRONT_CLOSE
                       : p->login_event.kind != LOGIN_MORE && p->login_event.kind != LOGIN_STARTTLS;
}

/* Whatever fails, the only credentials that may come are those that the transcript presents. */
static void check_credential(struct play *p)
{
    const struct step *end = p->script->steps + p->script->count;
    const struct step *s = p->step;

    while (s != NULL && s < end && s->kind != STEP_ASKED)
        s++;
    p->is_forged = s == NULL || s == end || !is_asked(p, s);
}

/* One piece. Octets behind an upstream's STARTTLS reply go in as well: the machine must object. */
static void feed_piece(struct play *p, size_t n)
{
    /* Exactly as large as what it holds, so that reading over the end is seen. */
    uint8_t *exact = malloc(n == 0 ? 1 : n);
    size_t used = 0;

    if (exact == NULL)
        abort();
    memcpy(exact, p->in.p, n);
    const struct view in = view_of(exact, n);
    if (p->is_front) {
        p->front_event = p->protocol->front->feed(p->front, in, &used, &p->out);
        p->is_event = p->front_event.kind != FRONT_MORE;
        CHECK(p->is_event || used == n);
        if (p->front_event.kind == FRONT_CREDENTIAL)
            check_credential(p);
    } else {
        p->login_event = p->protocol->login->feed(p->login, in, &used, &p->out);
        p->is_event = p->login_event.kind != LOGIN_MORE;
    }
    CHECK(used <= n);
    if (n != 0)
        buf_consume(&p->in, used);
    free(exact);
}

static void pump(struct play *p)
{
    bool is_first = true;

    if (p->in.n > p->longest)
        p->longest = p->in.n;
    while (p->in.n != 0 && !(p->is_event && (p->is_front || is_final(p)))) {
        size_t n = p->piece == 0 || p->piece > p->in.n ? p->in.n : p->piece;
        if (p->cut != 0 && is_first && p->cut < p->in.n)
            n = p->cut;
        is_first = false;
        feed_piece(p, n);
    }
}

/* ---- steps ---------------------------------------------------------------------------- */

static bool create(struct play *p)
{
    if (p->front != NULL || p->login != NULL)
        return true;
    if (p->is_front) {
        p->front = p->protocol->front->create(&p->front_conf);
        if (p->front != NULL)
            p->protocol->front->greet(p->front, &p->out);
    } else {
        p->login = p->protocol->login->create(&p->login_conf);
    }
    return (p->front != NULL || p->login != NULL) || play_fail(p, "no machine");
}

static bool set_login(struct play *p, const struct step *s)
{
    char text[64];

    if (script_is_word(s, 0, "user"))
        p->login_conf.user = s->words[1];
    else if (script_is_word(s, 0, "secret"))
        p->login_conf.secret = s->words[1];
    else if (script_is_word(s, 0, "authorization"))
        p->login_conf.authorization = s->words[1];
    else if (script_is_word(s, 0, "look"))
        p->login_conf.is_look = true;
    else if (script_is_word(s, 0, "trusting") && s->count == 4) {
        uint64_t port = 0;
        set_text(text, sizeof(text), s->words[1]);
        p->login_conf.is_trusting =
            addr_parse(text, &p->login_conf.client) && view_number(s->words[2], 65535, &port);
        p->login_conf.client.port = (uint16_t)port;
        set_text(p->session, sizeof(p->session), s->words[3]);
        p->login_conf.session = p->session;
    } else
        script_die(p->script->name, s->line, "no such setting");
    return true;
}

static bool set(struct play *p, const struct step *s)
{
    if (script_is_word(s, 0, "gate")) {
        p->is_front = true;
        p->front_conf.host = "mail.example.org";
        p->front_conf.is_tls = script_is_word(s, 1, "implicit");
    } else if (script_is_word(s, 0, "portal")) {
        set_text(p->url, sizeof(p->url), s->words[1]);
    } else if (script_is_word(s, 0, "offer")) {
        p->front_conf.offer = s->text;
    } else if (script_is_word(s, 0, "upstream")) {
        p->login_conf.host = "gate.example.org";
        p->login_conf.is_tls = script_is_word(s, 1, "tls");
        p->login_conf.is_starttls = script_is_word(s, 1, "starttls");
    } else {
        return set_login(p, s);
    }
    return true;
}

static bool on_expect(struct play *p, const struct step *s)
{
    if (p->out.n < s->text.n || !view_is_equal(view_first(buf_view(&p->out), s->text.n), s->text))
        return play_fail(p, "expected:\n# %.*s# got:\n# %.*s", (int)s->text.n,
                         (const char *)s->text.p, (int)p->out.n, (const char *)p->out.p);
    buf_consume(&p->out, s->text.n);
    return true;
}

static bool on_asked(struct play *p, const struct step *s)
{
    const struct front_event *e = &p->front_event;

    if (!p->is_event || e->kind != FRONT_CREDENTIAL)
        return play_fail(p, "no credential was presented");
    if (!is_asked(p, s))
        return play_fail(p, "another credential: \"%.*s\" \"%.*s\" \"%.*s\"", (int)e->user.n,
                         (const char *)e->user.p, (int)e->secret.n, (const char *)e->secret.p,
                         (int)e->authorization.n, (const char *)e->authorization.p);
    return true;
}

static bool on_answer(struct play *p, const struct step *s)
{
    static const struct {
        const char *word;
        enum front_answer answer;
    } answers[] = {
        { "refuse", ANSWER_REFUSE_PASSWORD },
        { "device", ANSWER_REFUSE_DEVICE },
        { "later", ANSWER_LATER },
        { "off", ANSWER_SWITCHED_OFF },
        { "stale", ANSWER_STALE },
    };

    if (!p->is_event || p->front_event.kind != FRONT_CREDENTIAL)
        return play_fail(p, "no credential to answer");
    p->is_event = false;
    if (script_is_word(s, 0, "allow") || script_is_word(s, 0, "warn")) {
        const bool is_warned = script_is_word(s, 0, "warn");
        const struct view list =
            view_skip(s->text, is_warned ? sizeof("warn ") - 1 : sizeof("allow ") - 1);
        p->protocol->front->accept(p->front, list, is_warned, &p->out);
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        if (script_is_word(s, 0, answers[i].word)) {
            p->protocol->front->answer(p->front, answers[i].answer, script_is_word(s, 1, "alert"),
                                       &p->out);
            return true;
        }
    script_die(p->script->name, s->line, "no such answer");
}

static bool on_starttls(struct play *p)
{
    if (!p->is_front && p->login_event.kind == LOGIN_STARTTLS) {
        p->is_event = false;
        p->protocol->login->tls_started(p->login, &p->out);
        return true;
    }
    if (!p->is_front || p->front_event.kind != FRONT_STARTTLS)
        return play_fail(p, "no STARTTLS");
    p->is_event = false;
    if (p->piece == 1) /* a caller that does not discard: the machine does */
        pump(p);
    buf_clear(&p->in);
    p->protocol->front->tls_started(p->front, &p->out);
    return true;
}

static bool on_event(struct play *p, const struct step *s)
{
    static const struct {
        const char *word;
        enum login_kind kind;
    } ends[] = {
        { "done", LOGIN_DONE },
        { "refused", LOGIN_REFUSED },
        { "unavailable", LOGIN_UNAVAILABLE },
    };

    if (script_is_word(s, 0, "close") && p->is_front && !p->is_event) /* after the last try */
        feed_piece(p, 0);
    if (!p->is_event)
        return play_fail(p, "no event");
    if (script_is_word(s, 0, "starttls"))
        return on_starttls(p);
    if (script_is_word(s, 0, "close"))
        return (p->front_event.kind == FRONT_CLOSE &&
                script_is_word(s, 1, p->front_event.reason)) ||
               play_fail(p, "event %d %s", (int)p->front_event.kind, p->front_event.reason);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        const struct login_event *e = &p->login_event;
        const struct view rest = view_skip(s->text, strlen(ends[i].word) + 1);
        if (!script_is_word(s, 0, ends[i].word))
            continue;
        if (e->kind != ends[i].kind)
            return play_fail(p, "event %d %s", (int)e->kind, e->reason);
        if (e->kind == LOGIN_DONE)
            return view_is_equal(rest, e->capabilities) ||
                   play_fail(p, "capabilities: %.*s", (int)e->capabilities.n,
                             (const char *)e->capabilities.p);
        return rest.n == 0 || view_is_equal(rest, view_text(e->reason)) ||
               play_fail(p, "reason: %s", e->reason);
    }
    script_die(p->script->name, s->line, "no such event");
}

static bool on_label(struct play *p, const struct step *s)
{
    const struct view label = p->protocol->front->client(p->front);

    return view_is_equal(label, s->text) ||
           play_fail(p, "label: %.*s", (int)label.n, (const char *)label.p);
}

static bool do_step(struct play *p, const struct step *s)
{
    p->step = s;
    if (s->kind == STEP_SET)
        return set(p, s);
    if (!create(p))
        return false;
    if (s->kind == STEP_SEND) {
        buf_put(&p->in, s->text);
        return true;
    }
    pump(p);
    if (p->is_memory_short && (!buf_is_ok(&p->out) || (p->is_event && is_final(p))))
        return play_fail(p, "ended early");
    switch (s->kind) {
    case STEP_EXPECT:
        return on_expect(p, s);
    case STEP_ASKED:
        return on_asked(p, s);
    case STEP_ANSWER:
        return on_answer(p, s);
    case STEP_EVENT:
        return on_event(p, s);
    case STEP_LABEL:
        return on_label(p, s);
    case STEP_BYE:
        p->protocol->front->bye(p->front, "Postern says good-bye", &p->out);
        return true;
    case STEP_REST:
        if (!view_is_equal(buf_view(&p->in), s->text))
            return play_fail(p, "%zu octets were left", p->in.n);
        buf_clear(&p->in);
        return true;
    case STEP_SET:
    case STEP_SEND:
        break;
    }
    return true;
}

/* ---- a play --------------------------------------------------------------------------- */

void play_machine(struct play *p)
{
    p->front_conf.portal_url = p->url;
    buf_init(&p->in, OUT_MAX);
    buf_init(&p->out, OUT_MAX);
    for (size_t i = 0; i < p->script->count && p->failure == NULL; i++)
        if (!do_step(p, &p->script->steps[i]) && p->failure == NULL)
            (void)play_fail(p, "failed");
    if (p->failure == NULL) {
        p->step = NULL;
        pump(p);
        if (p->out.n != 0)
            (void)play_fail(p, "unexpected output at the end: %.*s", (int)p->out.n,
                            (const char *)p->out.p);
        if (p->is_event && !is_final(p))
            (void)play_fail(p, "unexpected event at the end");
    }
    p->protocol->front->destroy(p->front);
    p->protocol->login->destroy(p->login);
    buf_done(&p->in);
    buf_done(&p->out);
}
