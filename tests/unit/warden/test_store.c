/* The store's round trips: what goes in comes out, once, in order, and nothing else. */
#include "test_store_scratch.h"

struct fixture {
    struct scratch scratch;
    struct store *s;
};

static int set_up(void **state)
{
    struct fixture *f = NEW(fixture);

    assert_non_null(f);
    scratch_make(&f->scratch);
    f->s = scratch_open(&f->scratch, 3);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    store_free(f->s);
    scratch_remove(&f->scratch);
    mem_free(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    store_free(f->s);
    f->s = scratch_open(&f->scratch, 2);
}

/* ---- accounts ---- */

static bool join_names(void *arg, const struct store_account *a)
{
    char *text = arg;
    size_t n = strlen(text);

    (void)snprintf(text + n, 512 - n, "%s:%d:%d:%u:%u ", a->name, a->is_enabled, a->has_totp,
                   a->app_passwords, a->leases);
    return strcmp(a->name, "stop@example.org") != 0;
}

static void accounts(void **state)
{
    struct fixture *f = *state;
    struct store_account a = { .id = 99 };
    char long_name[LIMIT_ACCOUNT + 2] = "";
    char text[512] = "";

    memset(long_name, 'a', LIMIT_ACCOUNT + 1);
    assert_int_equal(store_account_find(f->s, "ann@example.org", &a), ERR_NOT_FOUND);
    assert_int_equal(a.id, 99);
    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_EXISTS);
    assert_int_equal(store_account_add(f->s, "", NOW), ERR_INVALID);
    assert_int_equal(store_account_add(f->s, long_name, NOW), ERR_TOO_LONG);
    long_name[LIMIT_ACCOUNT] = '\0';
    assert_int_equal(store_account_add(f->s, long_name, NOW), ERR_OK);
    assert_int_equal(store_account_find(f->s, long_name, &a), ERR_OK);
    assert_string_equal(a.name, long_name);
    assert_int_equal(store_account_remove(f->s, long_name), ERR_OK);

    assert_int_equal(store_account_find(f->s, "ann@example.org", &a), ERR_OK);
    assert_string_equal(a.name, "ann@example.org");
    assert_true(a.is_enabled);
    assert_false(a.has_totp);
    assert_int_equal(a.created_at, NOW);
    assert_int_equal(store_account_enable(f->s, "ann@example.org", false), ERR_OK);
    assert_int_equal(store_account_enable(f->s, "bob@example.org", false), ERR_NOT_FOUND);
    assert_int_equal(store_totp_set(f->s, "ann@example.org", VIEW_LIT("sealed"), NOW), ERR_OK);
    reopen(f);
    assert_int_equal(store_account_find(f->s, "ann@example.org", &a), ERR_OK);
    assert_false(a.is_enabled);
    assert_true(a.has_totp);

    assert_int_equal(store_account_add(f->s, "stop@example.org", NOW), ERR_OK);
    assert_int_equal(store_account_add(f->s, "zoe@example.org", NOW), ERR_OK);
    assert_int_equal(store_account_list(f->s, NOW, join_names, text), ERR_OK);
    assert_string_equal(text, "ann@example.org:0:1:0:0 stop@example.org:1:0:0:0 ");
}

static void names_are_data(void **state)
{
    struct fixture *f = *state;
    const char *name = "x'; DROP TABLE account; --\n$1?@example.org";
    struct store_account a = { 0 };

    assert_int_equal(store_account_add(f->s, name, NOW), ERR_OK);
    assert_int_equal(store_account_find(f->s, name, &a), ERR_OK);
    assert_string_equal(a.name, name);
}

/* ---- app passwords ---- */

static void assert_same_app_password(const struct store_app_password *a,
                                     const struct store_app_password *b)
{
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->account, b->account);
    assert_string_equal(a->label, b->label);
    assert_string_equal(a->network, b->network);
    assert_string_equal(a->sender, b->sender);
    assert_string_equal(a->bound_network, b->bound_network);
    assert_string_equal(a->bound_device, b->bound_device);
    assert_string_equal(a->last_source, b->last_source);
    assert_string_equal(a->last_client, b->last_client);
    assert_int_equal(a->protocols, b->protocols);
    assert_int_equal(a->created_at, b->created_at);
    assert_int_equal(a->expires_at, b->expires_at);
    assert_int_equal(a->last_used_at, b->last_used_at);
    assert_memory_equal(a->verifier, b->verifier, sizeof(a->verifier));
    assert_int_equal(a->sealed_n, b->sealed_n);
    assert_memory_equal(a->sealed, b->sealed, a->sealed_n);
}

static void app_password_round_trip(void **state)
{
    struct fixture *f = *state;
    struct store_app_password p = scratch_app_password("0123456789", "ann@example.org");
    struct store_app_password q = { 0 };

    assert_int_equal(store_app_password_add(f->s, &p), ERR_NOT_FOUND);
    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_app_password_add(f->s, &p), ERR_OK);
    assert_int_equal(store_app_password_add(f->s, &p), ERR_EXISTS);
    assert_int_equal(store_app_password_find(f->s, "012345678", &q), ERR_NOT_FOUND);
    assert_int_equal(store_app_password_find(f->s, "0123456789", &q), ERR_OK);
    assert_same_app_password(&p, &q);
    assert_true(q.is_account_enabled);

    p.protocols = UINT32_MAX;
    p.expires_at = 0;
    p.sealed_n = sizeof(p.sealed);
    memset(p.sealed, 0xee, sizeof(p.sealed));
    COPY(p.id, "other");
    assert_int_equal(store_app_password_add(f->s, &p), ERR_OK);
    COPY(p.id, "unsealed");
    p.sealed_n = 0;
    assert_int_equal(store_app_password_add(f->s, &p), ERR_OK);
    reopen(f);
    assert_int_equal(store_app_password_find(f->s, "unsealed", &q), ERR_OK);
    assert_same_app_password(&p, &q);
    assert_int_equal(store_app_password_find(f->s, "other", &q), ERR_OK);
    assert_int_equal(q.sealed_n, sizeof(p.sealed));
    assert_int_equal(q.protocols, UINT32_MAX);

    assert_int_equal(store_account_enable(f->s, "ann@example.org", false), ERR_OK);
    assert_int_equal(store_app_password_find(f->s, "other", &q), ERR_OK);
    assert_false(q.is_account_enabled);
    assert_int_equal(store_app_password_revoke(f->s, "other"), ERR_OK);
    assert_int_equal(store_app_password_revoke(f->s, "other"), ERR_NOT_FOUND);
    assert_int_equal(store_app_password_find(f->s, "other", &q), ERR_NOT_FOUND);
}

static void app_password_binds_once(void **state)
{
    struct fixture *f = *state;
    struct store_app_password p = scratch_app_password("one", "ann@example.org");

    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_app_password_add(f->s, &p), ERR_OK);
    assert_int_equal(store_app_password_bind(f->s, "none", "10.0.0.0/24", ""), ERR_NOT_FOUND);
    assert_int_equal(store_app_password_bind(f->s, "one", "", ""), ERR_INVALID);
    assert_int_equal(store_app_password_bind(f->s, "one", "10.0.0.0/24", ""), ERR_OK);
    assert_int_equal(store_app_password_bind(f->s, "one", "10.9.9.0/24", ""), ERR_EXISTS);
    assert_int_equal(store_app_password_bind(f->s, "one", "", "Mail 1"), ERR_EXISTS);
    assert_int_equal(store_app_password_find(f->s, "one", &p), ERR_OK);
    assert_string_equal(p.bound_network, "10.0.0.0/24");
    assert_string_equal(p.bound_device, "");
}

static bool join_ids(void *arg, const struct store_app_password *p)
{
    char *text = arg;
    size_t n = strlen(text);

    assert_int_equal(p->sealed_n, 0);
    (void)snprintf(text + n, 256 - n, "%s/%s ", p->account, p->id);
    return true;
}

static void app_password_lists(void **state)
{
    struct fixture *f = *state;
    char all[256] = "", anns[256] = "", counts[512] = "";
    struct store_app_password p;

    assert_int_equal(store_account_add(f->s, "bob@example.org", NOW), ERR_OK);
    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_OK);
    p = scratch_app_password("b1", "bob@example.org");
    p.expires_at = 0;
    assert_int_equal(store_app_password_add(f->s, &p), ERR_OK);
    p = scratch_app_password("a1", "ann@example.org");
    assert_int_equal(store_app_password_add(f->s, &p), ERR_OK);
    COPY(p.id, "a2");
    p.expires_at = NOW - 1; /* expired: listed, not counted */
    assert_int_equal(store_app_password_add(f->s, &p), ERR_OK);
    assert_int_equal(store_app_password_list(f->s, "", join_ids, all), ERR_OK);
    assert_string_equal(all, "ann@example.org/a1 ann@example.org/a2 bob@example.org/b1 ");
    assert_int_equal(store_app_password_list(f->s, "ann@example.org", join_ids, anns), ERR_OK);
    assert_string_equal(anns, "ann@example.org/a1 ann@example.org/a2 ");
    assert_int_equal(store_account_list(f->s, NOW, join_names, counts), ERR_OK);
    assert_string_equal(counts, "ann@example.org:1:0:1:0 bob@example.org:1:0:1:0 ");
}

/* ---- TOTP, invitations, leases ---- */

static void totp(void **state)
{
    struct fixture *f = *state;
    struct store_totp t = { 0 };
    uint8_t sealed[sizeof(t.sealed) + 1];

    memset(sealed, 0, sizeof(sealed));
    assert_int_equal(store_totp_set(f->s, "ann@example.org", VIEW_LIT("x"), NOW), ERR_NOT_FOUND);
    assert_int_equal(store_totp_claim(f->s, "ann@example.org", 5), ERR_NOT_FOUND);
    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_totp_find(f->s, "ann@example.org", &t), ERR_NOT_FOUND);
    assert_int_equal(store_totp_claim(f->s, "ann@example.org", 5), ERR_NOT_FOUND);
    assert_int_equal(store_totp_set(f->s, "ann@example.org", view_of(sealed, sizeof(sealed)), NOW),
                     ERR_INVALID);
    assert_int_equal(
        store_totp_set(f->s, "ann@example.org", view_of(sealed, sizeof(sealed) - 1), NOW), ERR_OK);
    assert_int_equal(store_totp_find(f->s, "ann@example.org", &t), ERR_OK);
    assert_int_equal(t.sealed_n, sizeof(t.sealed));
    assert_int_equal(t.last_step, 0);

    assert_int_equal(store_totp_claim(f->s, "ann@example.org", 0), ERR_INVALID);
    assert_int_equal(store_totp_claim(f->s, "ann@example.org", UINT64_MAX), ERR_INVALID);
    assert_int_equal(store_totp_claim(f->s, "ann@example.org", 100), ERR_OK);
    assert_int_equal(store_totp_claim(f->s, "ann@example.org", 100), ERR_EXISTS);
    assert_int_equal(store_totp_claim(f->s, "ann@example.org", 99), ERR_EXISTS);
    reopen(f);
    assert_int_equal(store_totp_claim(f->s, "ann@example.org", 100), ERR_EXISTS);
    assert_int_equal(store_totp_claim(f->s, "ann@example.org", 101), ERR_OK);
    assert_int_equal(store_totp_set(f->s, "ann@example.org", VIEW_LIT("new"), NOW), ERR_OK);
    assert_int_equal(store_totp_find(f->s, "ann@example.org", &t), ERR_OK);
    assert_int_equal(t.sealed_n, 3);
    assert_int_equal(t.last_step, 0);
}

static void invitations(void **state)
{
    struct fixture *f = *state;
    uint8_t hash[32] = { 1, 2, 3 };

    assert_int_equal(store_invitation_add(f->s, "ann@example.org", hash, NOW, NOW + 9),
                     ERR_NOT_FOUND);
    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_invitation_add(f->s, "ann@example.org", hash, NOW, NOW + 9), ERR_OK);
    assert_int_equal(store_invitation_add(f->s, "ann@example.org", hash, NOW, NOW + 9), ERR_EXISTS);
}

static bool join_leases(void *arg, const struct store_lease *l)
{
    char *text = arg;
    size_t n = strlen(text);

    (void)snprintf(text + n, 256 - n, "%s[%s|%s] ", l->account, l->network, l->device);
    return true;
}

static void leases(void **state)
{
    struct fixture *f = *state;
    struct store_lease l = { .created_at = NOW, .expires_at = NOW + 60 }, gone = { 0 };
    uint64_t first = 0, second = 0;
    char text[256] = "", anns[256] = "", later[256] = "";

    COPY(l.account, "ann@example.org");
    COPY(l.network, "10.0.0.0/8");
    assert_int_equal(store_lease_add(f->s, &l, &first), ERR_NOT_FOUND);
    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_account_add(f->s, "bob@example.org", NOW), ERR_OK);
    assert_int_equal(store_lease_add(f->s, &l, &first), ERR_OK);
    COPY(l.account, "bob@example.org");
    COPY(l.network, "");
    assert_int_equal(store_lease_add(f->s, &l, &second), ERR_INVALID);
    COPY(l.device, "Mail 1");
    l.expires_at = NOW + 600;
    assert_int_equal(store_lease_add(f->s, &l, &second), ERR_OK);
    assert_true(second > first && first > 0);

    assert_int_equal(store_lease_list(f->s, "", NOW, join_leases, text), ERR_OK);
    assert_string_equal(text, "ann@example.org[10.0.0.0/8|] bob@example.org[|Mail 1] ");
    assert_int_equal(store_lease_list(f->s, "ann@example.org", NOW, join_leases, anns), ERR_OK);
    assert_string_equal(anns, "ann@example.org[10.0.0.0/8|] ");
    assert_int_equal(store_lease_list(f->s, "", NOW + 60, join_leases, later), ERR_OK);
    assert_string_equal(later, "bob@example.org[|Mail 1] ");

    assert_int_equal(store_lease_revoke(f->s, 12345, &gone), ERR_NOT_FOUND);
    assert_int_equal(store_lease_revoke(f->s, UINT64_MAX, &gone), ERR_NOT_FOUND);
    assert_int_equal(store_lease_revoke(f->s, second, &gone), ERR_OK);
    assert_string_equal(gone.account, "bob@example.org");
    assert_string_equal(gone.device, "Mail 1");
    assert_int_equal(store_lease_revoke(f->s, second, &gone), ERR_NOT_FOUND);
}

static void removing_an_account_takes_all_of_it(void **state)
{
    struct fixture *f = *state;
    struct store_app_password p = scratch_app_password("one", "ann@example.org");
    struct store_lease l = { .device = "d", .expires_at = NOW + 60 };
    struct store_totp t;
    uint64_t id = 0;
    const uint8_t hash[32] = { 7 };
    char text[256] = "";

    COPY(l.account, "ann@example.org");
    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_app_password_add(f->s, &p), ERR_OK);
    assert_int_equal(store_lease_add(f->s, &l, &id), ERR_OK);
    assert_int_equal(store_totp_set(f->s, "ann@example.org", VIEW_LIT("x"), NOW), ERR_OK);
    assert_int_equal(store_invitation_add(f->s, "ann@example.org", hash, NOW, NOW + 9), ERR_OK);
    assert_int_equal(store_account_remove(f->s, "ann@example.org"), ERR_OK);
    assert_int_equal(store_account_remove(f->s, "ann@example.org"), ERR_NOT_FOUND);
    /* A new account of that name inherits nothing. */
    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_app_password_find(f->s, "one", &p), ERR_NOT_FOUND);
    assert_int_equal(store_totp_find(f->s, "ann@example.org", &t), ERR_NOT_FOUND);
    assert_int_equal(store_lease_list(f->s, "", NOW, join_leases, text), ERR_OK);
    assert_string_equal(text, "");
    assert_int_equal(store_invitation_add(f->s, "ann@example.org", hash, NOW, NOW + 9), ERR_OK);
}

/* ---- batches ---- */

static struct store_write event_of(const char *account, const char *kind, int64_t at)
{
    struct store_write w = { .kind = STORE_WRITE_EVENT, .event = { .at = at } };

    COPY(w.event.account, account);
    COPY(w.event.kind, kind);
    COPY(w.event.source, "192.0.2.7");
    COPY(w.event.gate, "imaps");
    COPY(w.event.protocol, "imap");
    COPY(w.event.client, "Mail \"1\"");
    COPY(w.event.credential, "abcdefghjk");
    COPY(w.event.reason, "because");
    COPY(w.event.actor, "uid 0");
    return w;
}

struct seen_events {
    uint64_t ids[64];
    struct store_event last;
    size_t n, most;
};

static bool see_event(void *arg, const struct store_event *e)
{
    struct seen_events *seen = arg;

    assert_true(seen->n < COUNT_OF(seen->ids));
    seen->ids[seen->n++] = e->id;
    seen->last = *e;
    return seen->n != seen->most;
}

static void events(void **state)
{
    struct fixture *f = *state;
    struct store_write w[10];
    struct seen_events seen = { 0 };

    for (size_t i = 0; i < COUNT_OF(w); i++)
        w[i] = event_of(i % 2 == 0 ? "ann@example.org" : "", i == 9 ? "refused" : "login",
                        NOW + (int64_t)i);
    assert_int_equal(store_write(f->s, w, 0), ERR_OK);
    assert_int_equal(store_write(f->s, w, COUNT_OF(w)), ERR_OK);
    for (size_t i = 1; i < COUNT_OF(w); i++)
        assert_true(w[i].event.id > w[i - 1].event.id);

    assert_int_equal(store_event_list(f->s, "", 0, 3, see_event, &seen), ERR_OK);
    assert_int_equal(seen.n, 3); /* the newest, oldest first */
    assert_int_equal(seen.ids[0], w[7].event.id);
    assert_int_equal(seen.ids[2], w[9].event.id);
    assert_string_equal(seen.last.kind, "refused");
    assert_string_equal(seen.last.source, "192.0.2.7");
    assert_string_equal(seen.last.gate, "imaps");
    assert_string_equal(seen.last.protocol, "imap");
    assert_string_equal(seen.last.client, "Mail \"1\"");
    assert_string_equal(seen.last.credential, "abcdefghjk");
    assert_string_equal(seen.last.reason, "because");
    assert_string_equal(seen.last.actor, "uid 0");
    assert_int_equal(seen.last.at, NOW + 9);

    seen = (struct seen_events){ 0 };
    assert_int_equal(store_event_list(f->s, "ann@example.org", w[4].event.id, 50, see_event, &seen),
                     ERR_OK);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.ids[0], w[6].event.id);
    seen = (struct seen_events){ .most = 1 };
    assert_int_equal(store_event_list(f->s, "", 0, 50, see_event, &seen), ERR_OK);
    assert_int_equal(seen.n, 1);
}

static void a_batch_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_write w[3] = { event_of("a", "login", NOW), event_of("b", "login", NOW),
                                event_of("c", "login", NOW) };
    struct seen_events seen = { 0 };

    w[2].kind = (enum store_write_kind)77;
    assert_int_equal(store_write(f->s, w, COUNT_OF(w)), ERR_INVALID);
    assert_int_equal(w[0].event.id, 0);
    assert_int_equal(store_event_list(f->s, "", 0, 9, see_event, &seen), ERR_OK);
    assert_int_equal(seen.n, 0);
}

static struct store_write session_of(const char *id, enum store_write_kind kind)
{
    struct store_write w = { .kind = kind, .session = { .opened_at = NOW } };

    COPY(w.session.id, id);
    COPY(w.session.account, "ann@example.org");
    return w;
}

static void last_use_and_sessions(void **state)
{
    struct fixture *f = *state;
    struct store_app_password p = scratch_app_password("one", "ann@example.org");
    struct store_write w[4] = {
        session_of("s1", STORE_WRITE_SESSION_OPENED),
        session_of("s1", STORE_WRITE_SESSION_CLOSED),
        session_of("never opened", STORE_WRITE_SESSION_CLOSED),
        { .kind = STORE_WRITE_APP_PASSWORD_USED, .used = { .at = NOW + 5 } },
    };

    COPY(w[3].used.id, "one");
    COPY(w[3].used.source, "192.0.2.7");
    COPY(w[3].used.client, "Mail 1");
    assert_int_equal(store_account_add(f->s, "ann@example.org", NOW), ERR_OK);
    assert_int_equal(store_app_password_add(f->s, &p), ERR_OK);
    assert_int_equal(store_write(f->s, w, COUNT_OF(w)), ERR_OK);
    assert_int_equal(store_app_password_find(f->s, "one", &p), ERR_OK);
    assert_int_equal(p.last_used_at, NOW + 5);
    assert_string_equal(p.last_source, "192.0.2.7");
    assert_string_equal(p.last_client, "Mail 1");
    /* Batches may overtake each other: an older use does not undo a newer one. */
    w[3].used.at = NOW + 1;
    COPY(w[3].used.source, "198.51.100.1");
    assert_int_equal(store_write(f->s, &w[3], 1), ERR_OK);
    assert_int_equal(store_app_password_find(f->s, "one", &p), ERR_OK);
    assert_int_equal(p.last_used_at, NOW + 5);
    assert_string_equal(p.last_source, "192.0.2.7");
    /* Told again by an edge after a restart of ours. */
    assert_int_equal(store_sessions_close_all(f->s, NOW + 9, "restart"), ERR_OK);
    assert_int_equal(store_write(f->s, w, 1), ERR_OK);
}

static void pruning(void **state)
{
    struct fixture *f = *state;
    struct store_write w[3] = { event_of("a", "login", NOW), event_of("a", "login", NOW + 10),
                                session_of("s", STORE_WRITE_SESSION_OPENED) };
    struct seen_events seen = { 0 };

    assert_int_equal(store_write(f->s, w, COUNT_OF(w)), ERR_OK);
    assert_int_equal(store_prune(f->s, NOW + 10), ERR_OK);
    assert_int_equal(store_event_list(f->s, "", 0, 9, see_event, &seen), ERR_OK);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.ids[0], w[1].event.id);
    /* Numbers are not given twice, though the highest is gone. */
    assert_int_equal(store_prune(f->s, NOW + 99), ERR_OK);
    assert_int_equal(store_write(f->s, w, 1), ERR_OK);
    assert_true(w[0].event.id > w[1].event.id);
}

static void bad_configurations(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;
    struct store_conf conf = { "oracle", f->scratch.db, 2 };
    struct stat st;

    assert_int_equal(store_open(&conf, &s), ERR_INVALID);
    conf = (struct store_conf){ "sqlite", "/nowhere/at/all.db", 2 };
    assert_int_equal(store_open(&conf, &s), ERR_IO);
    conf = (struct store_conf){ "sqlite", f->scratch.folder, 2 };
    assert_int_not_equal(store_open(&conf, &s), ERR_OK);
    assert_null(s);
    assert_int_equal(stat(f->scratch.db, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    store_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accounts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(app_password_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(app_password_binds_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(app_password_lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(totp, set_up, tear_down),
        cmocka_unit_test_setup_teardown(invitations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removing_an_account_takes_all_of_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_is_all_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(last_use_and_sessions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pruning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_configurations, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
