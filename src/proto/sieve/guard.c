#include "base/limits.h"
#include "base/mem.h"
#include "proto/sieve/guard_state.h"
#include "proto/sieve/sieve.h"
#include "proto/sieve/text.h"

#define BLANK_MAX 2048 /* octets at once */

static const char refusal[] = "NO \"This command does not pass the gate\"\r\n";

static struct guard_step more(void)
{
    return (struct guard_step){ .kind = GUARD_MORE };
}

static struct guard_step hold(void)
{
    return (struct guard_step){ .kind = GUARD_HOLD };
}

static struct guard_step pass(size_t n)
{
    return (struct guard_step){ .kind = GUARD_PASS, .n = n };
}

static struct guard_step put(size_t n, struct view v)
{
    return (struct guard_step){ .kind = GUARD_PUT, .n = n, .put = v };
}

struct guard_step sieve_guard_end(struct guard *g, const char *reason)
{
    if (g->reason == NULL)
        g->reason = reason;
    return (struct guard_step){ .kind = GUARD_END, .reason = g->reason };
}

/* ---- the commands that pass ----------------------------------------------------------- */

enum { WORD_PLAIN, WORD_CAPABILITY, WORD_LISTSCRIPTS, WORD_GETSCRIPT, WORD_LOGOUT };

static const struct sieve_word words[] = {
    { "PUTSCRIPT", WORD_PLAIN, { ARGUMENT_STRING, ARGUMENT_SCRIPT }, false },
    { "CHECKSCRIPT", WORD_PLAIN, { ARGUMENT_SCRIPT }, false },
    { "SETACTIVE", WORD_PLAIN, { ARGUMENT_STRING }, false },
    { "LISTSCRIPTS", WORD_LISTSCRIPTS, { ARGUMENT_NONE }, false },
    { "GETSCRIPT", WORD_GETSCRIPT, { ARGUMENT_STRING }, false },
    { "DELETESCRIPT", WORD_PLAIN, { ARGUMENT_STRING }, false },
    { "RENAMESCRIPT", WORD_PLAIN, { ARGUMENT_STRING, ARGUMENT_STRING }, false },
    { "HAVESPACE", WORD_PLAIN, { ARGUMENT_STRING, ARGUMENT_NUMBER }, false },
    { "NOOP", WORD_PLAIN, { ARGUMENT_STRING }, true },
    { "CAPABILITY", WORD_CAPABILITY, { ARGUMENT_NONE }, false },
    { "LOGOUT", WORD_LOGOUT, { ARGUMENT_NONE }, false },
    { NULL, 0, { ARGUMENT_NONE }, false },
};
static const struct sieve_command_conf commands = {
    .words = words,
    .max = LIMIT_SIEVE_GUARD_LINE,
    .swallow = LIMIT_SIEVE_SCRIPT,
    .is_strict = true,
};

static enum guard_answer answer_of(const struct sieve_word *word)
{
    switch (word->id) {
    case WORD_CAPABILITY:
        return GUARD_ANSWER_CAPABILITY;
    case WORD_LISTSCRIPTS:
        return GUARD_ANSWER_LIST;
    case WORD_GETSCRIPT:
        return GUARD_ANSWER_SCRIPT;
    default:
        return GUARD_ANSWER_STATUS;
    }
}

/* ---- life ----------------------------------------------------------------------------- */

static struct guard *create(const struct guard_conf *conf)
{
    struct guard *g = NEW(guard);

    (void)conf; /* nothing of it concerns ManageSieve */
    if (g == NULL)
        return NULL;
    sieve_command_init(&g->command, &commands);
    buf_init(&g->put, LIMIT_SIEVE_GUARD_LINE + LIMIT_CAPABILITIES);
    buf_init(&g->held, LIMIT_CAPABILITIES);
    return g;
}

static void destroy(struct guard *g)
{
    if (g == NULL)
        return;
    sieve_command_done(&g->command);
    buf_done(&g->put);
    buf_done(&g->held);
    mem_free(g);
}

/* ---- what is outstanding -------------------------------------------------------------- */

enum guard_answer sieve_guard_awaited(const struct guard *g)
{
    return (enum guard_answer)g->answers[g->first];
}

static void expect(struct guard *g, enum guard_answer answer)
{
    g->answers[(g->first + g->outstanding) % GUARD_OUTSTANDING] = (uint8_t)answer;
    g->outstanding++;
}

void sieve_guard_answered(struct guard *g, enum sieve_status status)
{
    const bool is_sent = g->client != GUARD_CLIENT_SCRIPT || g->outstanding > 1;

    if (status == SIEVE_BYE) {
        g->is_bye = true;
        return;
    }
    g->first = (uint8_t)((g->first + 1) % GUARD_OUTSTANDING);
    g->outstanding--;
    g->is_script_seen = g->is_listed = false;
    if (g->held.p != NULL)
        buf_done(&g->held);
    if (is_sent)
        return;
    g->is_blank = true;
    if (status == SIEVE_OK)
        (void)sieve_guard_end(g, "answered-early");
}

/* ---- the client's commands ------------------------------------------------------------ */

/* Names and tags must be what every server takes: behind one that it does not take, the literal
 * that follows would be read as commands. */
static bool are_strings_good(const struct sieve_command *c)
{
    for (size_t i = 0; i < c->argument_count; i++) {
        const struct view text = sieve_command_string(c, i);
        const bool is_script = c->word->arguments[i] == ARGUMENT_SCRIPT;
        if (!is_script && (text.n > LIMIT_SIEVE_NAME || !sieve_is_text(text)))
            return false;
    }
    return true;
}

/* The command in our own words, up to its script's octets or its CRLF. */
static bool build(struct guard *g)
{
    const struct sieve_command *c = &g->command;

    buf_put_text(&g->put, c->word->name);
    for (size_t i = 0; i < c->argument_count; i++) {
        const struct view text = sieve_command_string(c, i);
        buf_put_octet(&g->put, ' ');
        if (c->word->arguments[i] == ARGUMENT_NUMBER) {
            buf_printf(&g->put, "%u", c->number);
        } else if (c->word->arguments[i] == ARGUMENT_STRING) {
            sieve_put_string(text, SIEVE_TO_SERVER, &g->put);
        } else { /* as most clients send it: what a server makes of a quoted one is less tried */
            buf_printf(&g->put, "{%zu+}\r\n", text.n);
            buf_put(&g->put, text);
        }
    }
    return buf_is_ok(&g->put);
}

static struct guard_step on_whole(struct guard *g, size_t used)
{
    const struct sieve_word *word = g->command.word;

    if (word == NULL) {
        sieve_command_reset(&g->command);
        g->is_answer_due = true;
        return put(used, VIEW_NONE);
    }
    if (!are_strings_good(&g->command))
        return sieve_guard_end(g, "bad-string");
    (void)build(g);
    buf_put_text(&g->put, "\r\n");
    if (!buf_is_ok(&g->put))
        return sieve_guard_end(g, "no-memory");
    expect(g, answer_of(word));
    sieve_command_reset(&g->command);
    if (word->id == WORD_LOGOUT)
        g->client = GUARD_CLIENT_OVER;
    return put(used, buf_view(&g->put));
}

/* The head of a command with a script has come. */
static struct guard_step on_script(struct guard *g, size_t used)
{
    const uint32_t size = g->command.number;

    if (!are_strings_good(&g->command))
        return sieve_guard_end(g, "bad-string");
    if (size > LIMIT_SIEVE_SCRIPT)
        return sieve_guard_end(g, "script-too-long");
    if (!build(g))
        return sieve_guard_end(g, "no-memory");
    buf_printf(&g->put, " {%u+}\r\n", size);
    if (!buf_is_ok(&g->put))
        return sieve_guard_end(g, "no-memory");
    expect(g, GUARD_ANSWER_STATUS);
    sieve_command_reset(&g->command);
    g->script_left = size;
    g->client = size == 0 ? GUARD_CLIENT_TAIL : GUARD_CLIENT_SCRIPT;
    return put(used, buf_view(&g->put));
}

static struct guard_step command_step(struct guard *g, struct view in)
{
    size_t used;

    switch (sieve_command_take(&g->command, in, &used)) {
    case COMMAND_WHOLE:
        return on_whole(g, used);
    case COMMAND_SCRIPT:
        return on_script(g, used);
    case COMMAND_BROKEN:
        return sieve_guard_end(g, g->command.reason);
    case COMMAND_MORE:
        break;
    }
    return put(used, VIEW_NONE);
}

/* Spaces for as many octets of a script that the upstream has refused already. */
static struct guard_step blank_step(struct guard *g, size_t n)
{
    uint8_t blank[BLANK_MAX];

    n = n < sizeof(blank) ? n : sizeof(blank);
    memset(blank, ' ', n);
    buf_put(&g->put, view_of(blank, n));
    return buf_is_ok(&g->put) ? put(n, buf_view(&g->put)) : sieve_guard_end(g, "no-memory");
}

static struct guard_step script_step(struct guard *g, struct view in)
{
    const size_t n = view_first(in, g->script_left).n;
    const struct guard_step step = g->is_blank ? blank_step(g, n) : pass(n);

    g->script_left -= (uint32_t)step.n;
    if (g->script_left == 0)
        g->client = GUARD_CLIENT_TAIL;
    return step;
}

static struct guard_step tail_step(struct guard *g, uint8_t octet)
{
    if (octet != (g->client == GUARD_CLIENT_TAIL ? '\r' : '\n'))
        return sieve_guard_end(g, g->client == GUARD_CLIENT_TAIL ? "behind-script" : "bare-cr");
    g->client = g->client == GUARD_CLIENT_TAIL ? GUARD_CLIENT_TAIL_CR : GUARD_CLIENT_COMMAND;
    g->is_blank = false;
    return pass(1);
}

/* ---- the interface -------------------------------------------------------------------- */

/* What the last step handed out has been used. */
static void release(struct guard *g)
{
    if (g->put.p != NULL)
        buf_done(&g->put);
}

static struct guard_step client(struct guard *g, struct view in)
{
    release(g);
    if (g->reason != NULL)
        return sieve_guard_end(g, g->reason);
    if (g->is_answer_due)
        return hold();
    if (in.n == 0)
        return more();
    switch ((enum guard_client)g->client) {
    case GUARD_CLIENT_COMMAND:
        break;
    case GUARD_CLIENT_SCRIPT:
        return script_step(g, in);
    case GUARD_CLIENT_TAIL:
    case GUARD_CLIENT_TAIL_CR:
        return tail_step(g, in.p[0]);
    case GUARD_CLIENT_OVER:
        return put(in.n, VIEW_NONE);
    }
    if (g->outstanding == GUARD_OUTSTANDING && !sieve_command_is_begun(&g->command))
        return hold();
    return command_step(g, in);
}

bool sieve_guard_is_own_turn(const struct guard *g)
{
    return g->is_answer_due && g->outstanding == 0 && !g->is_bye &&
           sieve_response_is_start(&g->response);
}

static struct guard_step server(struct guard *g, struct view in)
{
    release(g);
    if (g->reason != NULL)
        return sieve_guard_end(g, g->reason);
    if (sieve_guard_is_own_turn(g)) {
        g->is_answer_due = false;
        return put(0, view_text(refusal));
    }
    return in.n == 0 ? more() : sieve_guard_server_step(g, in);
}

static void bye(struct guard *g, const char *text, struct buf *out)
{
    if (!sieve_response_is_start(&g->response) || g->is_bye)
        return;
    buf_put_text(out, "BYE ");
    sieve_put_quoted(view_text(text), out);
    buf_put_text(out, "\r\n");
}

const struct guard_ops sieve_guard_ops = {
    .create = create,
    .destroy = destroy,
    .client = client,
    .server = server,
    .bye = bye,
};
