#include "test_verdict_rig.h"

#include "warden/account.h"
#include "warden/factor/app_password.h"
#include "warden/factor/totp.h"
#include "warden/route.h"

#include <liboath/oath.h>

#define RIG_PASSWORDS 64

struct rig rig;
static uint64_t now_ms;
static int64_t now_s;
static struct app_password made[RIG_PASSWORDS];
static size_t made_count;

/* bcrypt at its lowest cost, of "right". */
static const char password_file[] =
    "ann@example.org:$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC\n"
    "ann@observe.test:$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC\n"
    "ann@master.test:$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC\n"
    "ann@reuse.test:$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC\n"
    "ann@plain.test:$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC\n";

static const char config_text[] =
    "state = \"%s\"; domain = \"example.org\";\n"
    "tls: { certificate = \"/c\"; key = \"/k\"; };\n"
    "gates: {\n"
    "  imaps: { protocol = \"imap\"; listen = \"127.0.0.1:993\"; };\n"
    "  pop3s: { protocol = \"pop3\"; listen = \"127.0.0.1:995\"; };\n"
    "  submissions: { protocol = \"submission\"; listen = \"127.0.0.1:465\"; };\n"
    "  sieve: { protocol = \"sieve\"; listen = \"127.0.0.1:4190\"; tls = \"starttls\"; };\n"
    "};\n"
    "portal: { url = \"https://mail.example.org\"; };\n"
    "edges: { sessions = 32; };\n"
    "throttle: { per_source = 8; per_account = 4; window = \"600s\"; prefix4 = 32; };\n"
    "password: { %s };\n"
    "aliases: { %s };\n"
    "upstreams: {\n"
    "  master: { imap = \"imaps://10.0.0.6\"; domains = [ \"master.test\" ]; login = \"master\";\n"
    "            master_user = \"gate\"; master_password = \"of-the-gate\"; };\n"
    "  mail: { imap = \"imaps://10.0.0.5\"; pop3 = \"pop3s://10.0.0.5\";\n"
    "          submission = \"submissions://10.0.0.5\"; sieve = \"sieve://10.0.0.5\";\n"
    "          domains = [ \"example.org\", \"observe.test\", \"own.test\", \"some.test\",\n"
    "          \"plain.test\", \"off.test\", \"offseen.test\", \"net.test\", \"reuse.test\",\n"
    "          \"bindnet.test\", \"binddev.test\", \"cap.test\" ]; };\n"
    "  send: { submission = \"submissions://10.0.0.8\"; domains = [ \"send.test\" ]; };\n"
    "  pass: { imap = \"imaps://10.0.0.7\"; domains = [ \"pass.test\" ]; login = \"passthrough\"; "
    "};\n"
    "};\n"
    "policies: {\n"
    "  observe: { accounts = [ \"*@observe.test\" ]; mode = \"observe\"; };\n"
    "  plain: { accounts = [ \"*@plain.test\" ]; require = \"password\"; };\n"
    "  own: { accounts = [ \"*@own.test\" ]; sender = \"own\"; };\n"
    "  some: { accounts = [ \"*@some.test\" ]; legacy = [ \"pop3\", \"sieve\" ]; };\n"
    "  off: { accounts = [ \"*@off.test\" ]; legacy = [ ]; };\n"
    "  offseen: { accounts = [ \"*@offseen.test\" ]; legacy = [ ]; mode = \"warn\"; };\n"
    "  net: { accounts = [ \"*@net.test\" ]; networks = [ \"192.0.2.0/24\" ]; };\n"
    "  reuse: { accounts = [ \"*@reuse.test\" ]; otp_reuse = \"300s\"; };\n"
    "  bindnet: { accounts = [ \"*@bindnet.test\" ]; bind = \"network\"; };\n"
    "  binddev: { accounts = [ \"*@binddev.test\" ]; bind = \"device\"; };\n"
    "  cap: { accounts = [ \"*@cap.test\" ]; sessions = 3; };\n"
    "};\n";

static int64_t wall(void)
{
    return now_s;
}

static uint64_t clock_now(uv_loop_t *loop)
{
    (void)loop;
    return now_ms;
}

void rig_pass_s(uint32_t seconds)
{
    now_s += seconds;
    now_ms += (uint64_t)seconds * 1000;
}

static void load_config(enum rig_source source)
{
    char text[sizeof(config_text) + 1024], password[256] = "source = \"upstream\";";
    char aliases[256] = "";
    struct config_error errors[4];
    size_t n = 0;

    if (source == RIG_FILE)
        (void)snprintf(password, sizeof(password), "source = \"file\"; file = \"%s/passwd\";",
                       rig.scratch.folder);
    if (source == RIG_ALIASES)
        (void)snprintf(aliases, sizeof(aliases), "source = \"file\"; file = \"%s/aliases\";",
                       rig.scratch.folder);
    (void)snprintf(text, sizeof(text), config_text, rig.scratch.folder, password, aliases);
    rig.w.config = config_parse(text, errors, COUNT_OF(errors), &n);
    for (size_t i = 0; i < n && i < COUNT_OF(errors); i++)
        print_error("%s\n", errors[i].text);
    assert_non_null(rig.w.config);
}

static void write_passwords(void)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/passwd", rig.scratch.folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(password_file, 1, sizeof(password_file) - 1, f),
                     sizeof(password_file) - 1);
    assert_int_equal(fclose(f), 0);
}

void rig_open(enum rig_source source)
{
    memset(&rig, 0, sizeof(rig));
    now_s = RIG_NOW;
    now_ms = 5000;
    made_count = 0;
    rig.next_session = 0x1000;
    log_open("test", LOG_FORMAT_TEXT, LOG_ERROR);
    scratch_make(&rig.scratch);
    load_config(source);
    write_passwords();
    assert_int_equal(uv_loop_init(&rig.loop), 0);
    assert_int_equal(keys_load(rig.scratch.key, &rig.w.keys), ERR_OK);
    rig.w.loop = &rig.loop;
    rig.w.store = scratch_open(&rig.scratch, 2);
    rig.w.jobs.is_inline = true;
    rig.w.wall_s = wall;
    rig.w.clock_ms = clock_now;
    assert_int_equal(password_open(rig.w.config, &rig.w.passwords), ERR_OK);
    assert_int_equal(alias_open(rig.w.config, &rig.w.aliases), ERR_OK);
    assert_int_equal(core_open(&rig.w), ERR_OK);
    rig.edge = rig_edge(1);
}

void rig_close(void)
{
    while (rig.w.links != NULL)
        link_close(rig.w.links, "end");
    sessions_tick(&rig.w);
    writer_flush(rig.w.writer);
    core_close(&rig.w);
    (void)uv_run(&rig.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig.loop), 0);
    for (size_t i = 0; i < made_count; i++)
        app_password_done(&made[i]);
    scratch_remove(&rig.scratch);
}

/* ---- edges ---------------------------------------------------------------------------- */

#define TAKE_VIEW(to, v) event_copy((to), sizeof(to), (v))

static void on_send(struct link *l, enum wire_number number, const void *message)
{
    AUTO_BUF(frame, LIMIT_FRAME);
    const struct wire_message *m;
    union wire_any any;

    (void)l;
    mem_fail_at(0); /* the warden's allocations are meant, not the rig's */
    /* Whatever it is, it can be sent and is understood. */
    assert_int_equal(wire_encode(number, message, &frame), ERR_OK);
    assert_int_equal(wire_decode(buf_view(&frame), &m, &any), ERR_OK);
    struct rig_frame *f = &rig.frames[rig.count++ % RIG_FRAMES];
    memset(f, 0, sizeof(*f));
    f->number = number;
    if (number == WIRE_end_session)
        f->session = any.end_session.session;
    if (number == WIRE_shed)
        TAKE_VIEW(f->account, any.shed.account);
    if (number == WIRE_probe) {
        f->session = any.probe.probe;
        f->protocol = any.probe.protocol;
    }
    if (number != WIRE_verdict)
        return;
    f->session = any.verdict.session;
    f->verdict = any.verdict.verdict;
    f->answer = any.verdict.answer;
    f->is_alert = any.verdict.is_alert;
    f->is_sender_held = any.verdict.is_sender_held;
    TAKE_VIEW(f->senders, any.verdict.senders);
    TAKE_VIEW(f->account, any.verdict.account);
    TAKE_VIEW(f->credential, any.verdict.app_password);
    TAKE_VIEW(f->user, any.verdict.upstream_user);
    TAKE_VIEW(f->authorization, any.verdict.upstream_authorization);
    TAKE_VIEW(f->secret, any.verdict.upstream_secret);
}

bool rig_take(struct link *edge, enum wire_number number, const void *message)
{
    AUTO_BUF(frame, LIMIT_FRAME);
    const struct wire_message *m;
    union wire_any any;

    assert_int_equal(wire_encode(number, message, &frame), ERR_OK);
    assert_int_equal(wire_decode(buf_view(&frame), &m, &any), ERR_OK);
    return link_take(edge, m, &any);
}

struct link *rig_edge(uint32_t number)
{
    const struct wire_hello hello = { .edge = number };
    struct link *l = link_new(&rig.w, on_send);

    assert_non_null(l);
    assert_true(rig_take(l, WIRE_hello, &hello));
    return l;
}

struct wire_question rig_question(const struct rig_question *q)
{
    static const char *const gates[] = { "imaps", "imaps", "pop3s", "submissions", "sieve" };
    struct wire_question w = {
        .session = q->session != 0 ? q->session : ++rig.next_session,
        .gate = view_text(gates[q->protocol]),
        .protocol = q->protocol == 0 ? 1 : q->protocol,
        .tls_version = 0x0304,
        .tls_cipher = VIEW_LIT("TLS_AES_128_GCM_SHA256"),
        .user = view_text(q->user),
        .secret = view_text(q->secret),
        .client = view_text(q->client),
        .authorization = view_text(q->authorization),
    };

    assert_true(addr_parse(q->source == NULL ? "192.0.2.7" : q->source, &w.source));
    return w;
}

struct rig_frame rig_ask(struct link *edge, const struct rig_question *q)
{
    const struct wire_question w = rig_question(q);
    const size_t before = rig.count;

    assert_true(rig_take(edge, WIRE_question, &w));
    for (size_t i = before; i < rig.count; i++) {
        const struct rig_frame *f = &rig.frames[i % RIG_FRAMES];
        if (f->number == WIRE_verdict && f->session == w.session)
            return *f;
    }
    fail_msg("no verdict");
    return (struct rig_frame){ 0 };
}

void rig_judge(const char *name, const struct rig_question *q, const struct rig_expected *x)
{
    const struct wire_question w = rig_question(q);
    AUTO(judgement) j = judgement_new();
    enum verdict_next next;

    assert_non_null(j);
    assert_int_equal(verdict_ask(&rig.w.parts, j, &w, core_now_ms(&rig.w), rig.w.wall_s(), &next),
                     ERR_OK);
    if (next == VERDICT_NEEDS_WORK)
        verdict_work(&rig.w.parts, j);
    verdict_settle(&rig.w.parts, j, core_now_ms(&rig.w));
    if (j->is_upstream_judge)
        throttle_leave(rig.w.throttle, &j->ticket, THROTTLE_UNDECIDED, core_now_ms(&rig.w));
    if (j->verdict != x->verdict || j->reason != x->reason || j->observed != x->observed)
        fail_msg("%s: verdict %d reason %s observed %s", name, (int)j->verdict,
                 event_reason(j->reason), event_reason(j->observed));
    if (x->verdict != VERDICT_ALLOW && j->answer != x->answer)
        fail_msg("%s: answer %d", name, (int)j->answer);
    if (x->verdict != VERDICT_ALLOW)
        assert_int_equal(j->upstream_secret.n, 0); /* nothing that could leak */
    if (x->user != NULL)
        assert_true(view_is_equal(j->upstream_user, view_text(x->user)));
    if (x->secret != NULL)
        assert_true(view_is_equal(buf_view(&j->upstream_secret), view_text(x->secret)));
    if (x->authorization != NULL)
        assert_true(view_is_equal(j->upstream_authorization, view_text(x->authorization)));
    if (x->senders != NULL) {
        assert_int_equal(j->is_sender_held, x->senders[0] != '\0');
        assert_true(view_is_equal(buf_view(&j->senders), view_text(x->senders)));
    }
    if (x->credential != NULL)
        assert_string_equal(j->credential, x->credential);
}

void rig_outcome(struct link *edge, uint64_t session, enum outcome result)
{
    const struct wire_outcome o = { .session = session, .result = (uint8_t)result };

    assert_true(rig_take(edge, WIRE_outcome, &o));
}

const struct rig_frame *rig_last(enum wire_number number)
{
    for (size_t i = 0; i < rig.count && i < RIG_FRAMES; i++) {
        const struct rig_frame *f = &rig.frames[(rig.count - 1 - i) % RIG_FRAMES];
        if (f->number == number)
            return f;
    }
    return NULL;
}

size_t rig_sent(enum wire_number number)
{
    size_t n = 0;

    for (size_t i = 0; i < rig.count && i < RIG_FRAMES; i++)
        n += rig.frames[i].number == number;
    return n;
}

/* ---- people --------------------------------------------------------------------------- */

void rig_account(const char *name)
{
    const enum err e = store_account_add(rig.w.store, name, now_s);

    assert_true(e == ERR_OK || e == ERR_EXISTS);
}

const char *rig_app_password(const char *account, const char *mailbox_password,
                             const struct store_app_password *like)
{
    struct store_app_password row = { 0 };
    AUTO_BUF(context, 512);
    AUTO_BUF(sealed, STORE_SEALED);
    struct app_password *p = &made[made_count++];

    assert_true(made_count <= RIG_PASSWORDS);
    if (like != NULL)
        row = *like;
    rig_account(account);
    app_password_make(p);
    COPY(row.id, p->public);
    COPY(row.account, account);
    COPY(row.label, "phone");
    row.created_at = now_s;
    app_password_verifier(&rig.w.keys, p, row.verifier);
    if (mailbox_password != NULL) {
        route_seal_context(account, p->public, &context);
        assert_int_equal(keys_seal(&rig.w.keys, view_text(p->text), buf_view(&context),
                                   view_text(mailbox_password), &sealed),
                         ERR_OK);
        memcpy(row.sealed, sealed.p, sealed.n);
        row.sealed_n = sealed.n;
    }
    assert_int_equal(store_app_password_add(rig.w.store, &row), ERR_OK);
    return p->text;
}

void rig_totp(const char *account, uint8_t seed[20])
{
    AUTO_BUF(context, 512);
    AUTO_BUF(sealed, 128);

    rig_account(account);
    assert_int_equal(totp_make_seed(seed), ERR_OK);
    buf_printf(&context, "totp:%s", account);
    assert_int_equal(
        keys_seal(&rig.w.keys, VIEW_NONE, buf_view(&context), view_of(seed, 20), &sealed), ERR_OK);
    assert_int_equal(store_totp_set(rig.w.store, account, buf_view(&sealed), now_s), ERR_OK);
}

void rig_code(const uint8_t seed[20], int offset, char code[7])
{
    assert_int_equal(
        oath_totp_generate((const char *)seed, 20, (time_t)(now_s + offset * 30), 30, 0, 6, code),
        OATH_OK);
}

uint64_t rig_lease(const char *account, const char *network, const char *device)
{
    struct store_lease l = { .created_at = now_s, .expires_at = now_s + 3600 };
    uint64_t id = 0;

    rig_account(account);
    COPY(l.account, account);
    COPY(l.network, network);
    COPY(l.device, device);
    assert_int_equal(store_lease_add(rig.w.store, &l, &id), ERR_OK);
    return id;
}

/* ---- events --------------------------------------------------------------------------- */

struct counted {
    const char *kind, *reason;
    size_t n;
};

static bool count(void *arg, const struct store_event *e)
{
    struct counted *c = arg;

    c->n +=
        strcmp(e->kind, c->kind) == 0 && (c->reason == NULL || strcmp(e->reason, c->reason) == 0);
    return true;
}

size_t rig_events(const char *kind, const char *reason)
{
    struct counted c = { .kind = kind, .reason = reason };

    writer_flush(rig.w.writer);
    assert_int_equal(store_event_list(rig.w.store, "", 0, 100000, count, &c), ERR_OK);
    return c.n;
}
