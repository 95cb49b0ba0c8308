/* What a hostile edge may say: any octets on the verdict channels of a whole warden with a store.
 * The input is records: channel (one octet), length (two), octets. Asserted: the warden lives; what
 * it sends is well-formed; an allow holds a session, and only a good credential gets one; after the
 * channels are closed nothing of them is left. */
#include "base/mem.h"
#include "warden/core.h"
#include "warden/link.h"
#include "warden/probe.h"
#include "warden/route.h"
#include "warden/sessions.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#define EDGES        2
#define NOW          1800000000
#define APP_PASSWORD "pst_argd2c31b9cj8wsnv8m2ma68yzsk33c75mq8k"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct hostile {
    struct link *link;
    struct wire_gatekeeper gatekeeper;
};

static struct warden w;
static uv_loop_t loop;
static uint64_t now_ms = 1000;
static char folder[] = "/tmp/postern-fuzz-XXXXXX";

static const char config_text[] =
    "state = \"/x\"; domain = \"example.org\"; tls: { certificate = \"/c\"; key = \"/k\"; };\n"
    "gates: { imaps: { protocol = \"imap\"; listen = \"127.0.0.1:993\"; };\n"
    "         pop3s: { protocol = \"pop3\"; listen = \"127.0.0.1:995\"; };\n"
    "         submissions: { protocol = \"submission\"; listen = \"127.0.0.1:465\"; }; };\n"
    "portal: { url = \"https://mail.example.org\"; }; edges: { sessions = 8; };\n"
    "upstreams: { mail: { imap = \"imaps://10.0.0.5\"; pop3 = \"pop3s://10.0.0.5\";\n"
    "                      submission = \"submissions://10.0.0.5\"; }; };\n"
    "policies: { own: { accounts = [ \"*@example.org\" ]; sender = \"own\"; };\n"
    "            seen: { accounts = [ \"*@seen.test\" ]; mode = \"observe\"; };\n"
    "            near: { accounts = [ \"*@near.test\" ]; bind = \"network\"; sessions = 2; }; };\n";

static int64_t wall(void)
{
    return NOW + (int64_t)(now_ms / 1000);
}

static uint64_t clock_now(uv_loop_t *l)
{
    (void)l;
    return now_ms;
}

static void remove_folder(void)
{
    DIR *d = opendir(folder);

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.')
            (void)unlinkat(dirfd(d), e->d_name, 0);
    (void)closedir(d);
    (void)rmdir(folder);
}

static void fill_store(void)
{
    struct app_password p;
    struct store_app_password row = { .created_at = NOW };
    AUTO_BUF(context, 512);
    AUTO_BUF(sealed, STORE_SEALED);
    struct store_lease lease = { .account = "ann@example.org",
                                 .network = "192.0.2.0/24",
                                 .created_at = NOW,
                                 .expires_at = INT64_MAX };

    CHECK(app_password_parse(VIEW_LIT(APP_PASSWORD), &p));
    CHECK(store_account_add(w.store, "ann@example.org", NOW) == ERR_OK);
    event_copy(row.id, sizeof(row.id), view_text(p.public));
    event_copy(row.account, sizeof(row.account), VIEW_LIT("ann@example.org"));
    event_copy(row.label, sizeof(row.label), VIEW_LIT("phone"));
    app_password_verifier(&w.keys, &p, row.verifier);
    route_seal_context("ann@example.org", p.public, &context);
    CHECK(keys_seal(&w.keys, view_text(p.text), buf_view(&context), VIEW_LIT("mailbox"), &sealed) ==
          ERR_OK);
    memcpy(row.sealed, sealed.p, sealed.n);
    row.sealed_n = sealed.n;
    CHECK(store_app_password_add(w.store, &row) == ERR_OK);
    CHECK(store_lease_add(w.store, &lease, &lease.id) == ERR_OK);
}

static void open_warden(void)
{
    struct config_error error;
    size_t n = 0;
    char path[64];
    const struct store_conf store = { .driver = "sqlite", .path = path, .connections = 1 };

    log_open("fuzz", LOG_FORMAT_TEXT, LOG_ERROR);
    CHECK(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    (void)snprintf(path, sizeof(path), "%s/key", folder);
    CHECK(keys_load(path, &w.keys) == ERR_OK);
    (void)snprintf(path, sizeof(path), "%s/db", folder);
    CHECK(store_open(&store, &w.store) == ERR_OK);
    w.config = config_parse(config_text, &error, 1, &n);
    CHECK(w.config != NULL && uv_loop_init(&loop) == 0);
    w.loop = &loop;
    w.jobs.is_inline = true;
    w.wall_s = wall;
    w.clock_ms = clock_now;
    CHECK(core_open(&w) == ERR_OK);
    fill_store();
}

/* Over submission those of example.org are held to themselves; nobody else is, to anything. */
static void check_senders(const struct session *s, const struct wire_verdict *v)
{
    static const char domain[] = "@example.org";
    const size_t n = sizeof(domain) - 1;
    const bool is_of_it =
        v->account.n > n && memcmp(v->account.p + v->account.n - n, domain, n) == 0;

    CHECK(v->is_sender_held == (s->protocol == 3 && is_of_it));
    CHECK(view_is_equal(v->senders, v->is_sender_held ? v->account : VIEW_NONE));
}

static void on_send(struct link *l, enum wire_number number, const void *message)
{
    AUTO_BUF(frame, LIMIT_FRAME);
    const struct wire_verdict *v = message;

    CHECK(wire_encode(number, message, &frame) == ERR_OK);
    if (number != WIRE_verdict)
        return;
    const struct session *s = registry_find(w.registry, v->session);
    CHECK(v->verdict <= VERDICT_ALLOW && v->answer <= WIRE_ANSWER_STALE);
    if (v->verdict != VERDICT_ALLOW) {
        CHECK(v->account.n == 0 && v->upstream_secret.n == 0 && v->upstream_user.n == 0);
        CHECK(!v->is_sender_held && v->senders.n == 0);
        return;
    }
    CHECK(s != NULL && s->holder == &l->holder && s->state == SESSION_PENDING &&
          v->upstream_secret.n != 0);
    check_senders(s, v);
}

static void open_edge(struct hostile *h)
{
    h->link = link_new(&w, on_send);
    CHECK(h->link != NULL);
    h->gatekeeper = (struct wire_gatekeeper){ .peer = WIRE_EDGE, .state = WIRE_START };
}

/* As channel.c does it. */
static void take(struct hostile *h, struct view frame)
{
    const struct wire_message *m;
    union wire_any any;

    const bool is_sound = wire_decode(frame, &m, &any) == ERR_OK && wire_admit(&h->gatekeeper, m) &&
                          link_take(h->link, m, &any);
    if (is_sound && m->number == WIRE_hello)
        h->gatekeeper.state = WIRE_OPEN;
    if (is_sound)
        return;
    link_close(h->link, "edge-lost");
    open_edge(h);
}

static void check(const struct hostile *edges)
{
    size_t n = 0;

    for (size_t i = 0; i < EDGES; i++) {
        CHECK(edges[i].link->holder.count <= w.config->edges.sessions);
        CHECK(edges[i].link->asked_count == 0); /* jobs run at once */
        n += edges[i].link->holder.count;
    }
    CHECK(registry_count(w.registry) == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_of(data, size);
    struct hostile edges[EDGES];

    if (w.store == NULL)
        open_warden();
    for (size_t i = 0; i < EDGES; i++)
        open_edge(&edges[i]);
    while (in.n >= 3) {
        const uint8_t which = in.p[0];
        const size_t n = (size_t)in.p[1] << 8 | in.p[2];
        in = view_skip(in, 3);
        /* Exactly as large as what it holds, so that reading over the end is seen. */
        const struct view record = view_first(in, n);
        uint8_t *copy = mem_alloc(record.n);
        CHECK(copy != NULL);
        if (record.n != 0)
            memcpy(copy, record.p, record.n);
        take(&edges[which % EDGES], view_of(copy, record.n));
        mem_free(copy);
        in = view_skip(in, record.n);
        now_ms += which;
        sessions_tick(&w);
        check(edges);
    }
    for (size_t i = 0; i < EDGES; i++)
        link_close(edges[i].link, "edge-lost");
    probe_tick(&w);
    CHECK(registry_count(w.registry) == 0 && w.links == NULL && w.probes == NULL);
    writer_flush(w.writer);
    now_ms += 600000; /* the throttle forgets */
    return 0;
}
