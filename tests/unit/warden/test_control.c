/* The control socket with a real client on it: each request, its rows, its `done`, and its event.
 */
#include "test_verdict_rig.h"

#include "warden/control.h"
#include "warden/probe.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

static int client = -1;

/* The answer: how many rows of which kind, the last one, and `done`. */
static struct {
    size_t rows;
    enum wire_number kind;
    struct buf frame; /* of the last row */
    const struct wire_message *m;
    union wire_any last;
    uint8_t status;
    char text[513];
} answer;

static int connect_client(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%.90s/control", rig.scratch.folder);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static int open_control(void **state)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    (void)state;
    rig_open(RIG_UPSTREAM);
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%.90s/control", rig.scratch.folder);
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(control_open(&rig.w, fd), ERR_OK);
    client = connect_client();
    buf_init(&answer.frame, LIMIT_FRAME);
    return 0;
}

static int close_control(void **state)
{
    (void)state;
    (void)close(client);
    control_close(&rig.w);
    buf_done(&answer.frame);
    rig_close();
    return 0;
}

static void turn(void)
{
    (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
    (void)control_tick(&rig.w);
}

/* False: nothing has come. */
static bool receive(int fd)
{
    uint8_t space[LIMIT_FRAME];
    const ssize_t n = recv(fd, space, sizeof(space), 0);

    if (n < 0 && errno == EAGAIN)
        return false;
    assert_true(n > 0);
    buf_clear(&answer.frame);
    buf_put(&answer.frame, view_of(space, (size_t)n));
    assert_int_equal(wire_decode(buf_view(&answer.frame), &answer.m, &answer.last), ERR_OK);
    assert_int_equal(answer.m->sender, WIRE_WARDEN);
    return true;
}

static void send_request(int fd, enum wire_number number, const void *message)
{
    AUTO_BUF(frame, LIMIT_FRAME);

    assert_int_equal(wire_encode(number, message, &frame), ERR_OK);
    assert_int_equal(send(fd, frame.p, frame.n, MSG_NOSIGNAL), (ssize_t)frame.n);
    answer.rows = 0;
    answer.kind = WIRE_none;
    answer.status = 255;
}

/* Takes what has come; keeps the last row decoded. True: `done` was there. */
static bool collect(int fd)
{
    AUTO_BUF(row, LIMIT_FRAME);

    for (int i = 0; i < 1000; i++) {
        turn();
        while (receive(fd)) {
            if (answer.m->number == WIRE_done) {
                answer.status = answer.last.done.status;
                event_copy(answer.text, sizeof(answer.text), answer.last.done.text);
                if (row.n != 0) {
                    buf_clear(&answer.frame);
                    buf_put(&answer.frame, buf_view(&row));
                    assert_int_equal(wire_decode(buf_view(&answer.frame), &answer.m, &answer.last),
                                     ERR_OK);
                }
                return true;
            }
            answer.rows++;
            answer.kind = (enum wire_number)answer.m->number;
            buf_clear(&row);
            buf_put(&row, buf_view(&answer.frame));
        }
    }
    return false;
}

static uint8_t request(enum wire_number number, const void *message)
{
    send_request(client, number, message);
    assert_true(collect(client));
    return answer.status;
}

static uint8_t add_account(const char *name)
{
    const struct wire_account_add m = { .account = view_text(name) };

    return request(WIRE_account_add, &m);
}

/* ---- accounts ------------------------------------------------------------------------- */

static void test_accounts(void **state)
{
    (void)state;
    const struct wire_account_list list = { 0 };
    const struct wire_account_show nobody = { .account = VIEW_LIT("nobody") };
    struct wire_account_enable enable = { .account = VIEW_LIT("ann") };
    const struct wire_account_remove remove_ann = { .account = VIEW_LIT("Ann@Example.org") };

    assert_int_equal(add_account(" Ann"), ERR_OK);
    assert_int_equal(add_account("ann@example.org"), ERR_EXISTS);
    assert_non_null(strstr(answer.text, "postern account show"));
    assert_int_equal(add_account("a b"), ERR_INVALID);
    assert_non_null(strstr(answer.text, "user@example.org"));
    assert_int_equal(add_account("bob@plain.test"), ERR_OK);
    assert_int_equal(request(WIRE_account_list, &list), ERR_OK);
    assert_int_equal(answer.rows, 2);
    assert_int_equal(answer.kind, WIRE_row_account);
    assert_true(view_is_equal(answer.last.row_account.account, VIEW_LIT("bob@plain.test")));
    assert_true(view_is_equal(answer.last.row_account.policy, VIEW_LIT("plain")));
    assert_int_equal(request(WIRE_account_show, &nobody), ERR_NOT_FOUND);
    assert_non_null(strstr(answer.text, "postern account add nobody@example.org"));
    assert_int_equal(request(WIRE_account_enable, &enable), ERR_OK);
    enable.is_enabled = true;
    assert_int_equal(request(WIRE_account_enable, &enable), ERR_OK);
    assert_int_equal(request(WIRE_account_remove, &remove_ann), ERR_OK);
    assert_int_equal(request(WIRE_account_remove, &remove_ann), ERR_NOT_FOUND);
    assert_int_equal(rig_events("account-added", NULL), 2);
    assert_int_equal(rig_events("account-disabled", NULL), 1);
    assert_int_equal(rig_events("account-enabled", NULL), 1);
    assert_int_equal(rig_events("account-removed", NULL), 1);
}

/* ---- app passwords -------------------------------------------------------------------- */

static struct wire_app_password_add new_one(const char *account)
{
    return (struct wire_app_password_add){ .account = view_text(account),
                                           .label = VIEW_LIT("phone"),
                                           .mailbox_password = VIEW_LIT("mailbox") };
}

static void test_app_password_values(void **state)
{
    (void)state;
    struct wire_app_password_add m = new_one("ann");

    assert_int_equal(add_account("ann"), ERR_OK);
    m.is_unchecked = true;
    m.label = VIEW_NONE;
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_INVALID);
    m.label = VIEW_LIT("a\x1b[31mb");
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_INVALID);
    m.label = VIEW_LIT("phone");
    m.protocols = VIEW_LIT("imap,http");
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_INVALID);
    m.protocols = VIEW_LIT("imap, sieve");
    m.sender = VIEW_LIT("ann@example.org");
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_INVALID);
    assert_non_null(strstr(answer.text, "submission"));
    m.sender = VIEW_NONE;
    m.network = VIEW_LIT("10.0.0.0/33");
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_INVALID);
    m.network = VIEW_LIT("10.0.0.7/8");
    m.expires_at = RIG_NOW;
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_INVALID);
    m.expires_at = RIG_NOW + 1;
    m.mailbox_password = VIEW_NONE;
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_INVALID);
    m.mailbox_password = VIEW_LIT("a\r\nb");
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_INVALID);
    m.mailbox_password = VIEW_LIT("mailbox");
    m.account = VIEW_LIT("nobody");
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_NOT_FOUND);
    m.account = VIEW_LIT("ann@nowhere.test");
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_INVALID);
    m.account = VIEW_LIT("ann");
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_OK);
    assert_int_equal(answer.kind, WIRE_row_new_app_password);
    const struct wire_app_password_list list = { .account = VIEW_LIT("ann") };
    assert_int_equal(request(WIRE_app_password_list, &list), ERR_OK);
    assert_int_equal(answer.rows, 1);
    assert_true(view_is_equal(answer.last.row_app_password.network, VIEW_LIT("10.0.0.0/8")));
    assert_int_equal(answer.last.row_app_password.bound_to.n, 0);
    assert_int_equal(answer.last.row_app_password.sender.n, 0);
    assert_true(view_is_equal(answer.last.row_app_password.protocols, VIEW_LIT("imap,sieve")));
}

/* A printer's: submission only, from its network, as one address. */
static void test_app_password_sender(void **state)
{
    (void)state;
    static const char *const bad[] = { "printer",         "@example.org", "printer@",
                                       "a@b@example.org", "a b@c.test",   "*@c.test",
                                       "a@c.test ,",      "<a@c.test>",   "a\r\nb@c.test" };
    struct wire_app_password_add m = new_one("ann");

    assert_int_equal(add_account("ann"), ERR_OK);
    m.is_unchecked = true;
    m.protocols = VIEW_LIT("submission");
    m.network = VIEW_LIT("192.0.2.0/24");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        m.sender = view_text(bad[i]);
        assert_int_equal(request(WIRE_app_password_add, &m), ERR_INVALID);
        assert_non_null(strstr(answer.text, "the sender is no address"));
    }
    m.sender = VIEW_LIT("Printer@Example.org");
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_OK);
    const struct wire_app_password_list list = { .account = VIEW_LIT("ann") };
    assert_int_equal(request(WIRE_app_password_list, &list), ERR_OK);
    const struct wire_row_app_password *row = &answer.last.row_app_password;
    assert_true(view_is_equal(row->sender, VIEW_LIT("printer@example.org")));
    assert_true(view_is_equal(row->network, VIEW_LIT("192.0.2.0/24")));
    assert_true(view_is_equal(row->protocols, VIEW_LIT("submission")));
    m.protocols = VIEW_NONE; /* all, submission among them */
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_OK);
    const struct wire_account_show show = { .account = VIEW_LIT("ann") };
    assert_int_equal(request(WIRE_account_show, &show), ERR_OK);
    assert_int_equal(answer.rows, 3);
}

/* The mailbox password is tried over IMAP where there is IMAP, else over what there is. */
static void test_app_password_probe(void **state)
{
    (void)state;
    static const struct {
        const char *account;
        uint8_t protocol;
    } cases[] = { { "ann@example.org", 1 }, { "ann@send.test", 3 } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct wire_app_password_add m = new_one(cases[i].account);
        assert_int_equal(add_account(cases[i].account), ERR_OK);
        rig.count = 0;
        send_request(client, WIRE_app_password_add, &m);
        for (int n = 0; n < 10 && rig_last(WIRE_probe) == NULL; n++)
            turn();
        assert_int_equal(rig_last(WIRE_probe)->protocol, cases[i].protocol);
        const struct wire_probed p = { .probe = rig_last(WIRE_probe)->session,
                                       .result = OUTCOME_ACCEPTED };
        assert_true(rig_take(rig.edge, WIRE_probed, &p));
        assert_true(collect(client));
        assert_int_equal(answer.status, ERR_OK);
    }
}

/* Asks for one; the edge says what the upstream says of the mailbox password. */
static void add_checked(enum outcome result)
{
    const struct wire_app_password_add m = new_one("ann");

    send_request(client, WIRE_app_password_add, &m);
    for (int i = 0; i < 10 && rig_last(WIRE_probe) == NULL; i++)
        turn();
    const struct wire_probed p = { .probe = rig_last(WIRE_probe)->session,
                                   .result = (uint8_t)result };
    rig.count = 0;
    assert_true(rig_take(rig.edge, WIRE_probed, &p));
    assert_true(collect(client));
}

static void test_app_password_checked(void **state)
{
    (void)state;
    char secret[64];

    assert_int_equal(add_account("ann"), ERR_OK);
    add_checked(OUTCOME_REFUSED);
    assert_int_equal(answer.status, ERR_DENIED);
    assert_non_null(strstr(answer.text, "does not take this mailbox password"));
    add_checked(OUTCOME_UNAVAILABLE);
    assert_int_equal(answer.status, ERR_BUSY);
    assert_non_null(strstr(answer.text, "--no-check"));
    assert_int_equal(rig_events("app-password-added", NULL), 0);
    add_checked(OUTCOME_ACCEPTED);
    assert_int_equal(answer.status, ERR_OK);
    event_copy(secret, sizeof(secret), answer.last.row_new_app_password.app_password);
    const struct rig_frame f =
        rig_ask(rig.edge, &(struct rig_question){ .user = "ann", .secret = secret });
    assert_int_equal(f.verdict, VERDICT_ALLOW);
    assert_string_equal(f.secret, "mailbox");
    rig_outcome(rig.edge, f.session, OUTCOME_ACCEPTED);
    const struct wire_app_password_revoke revoke = { .id = view_text(f.credential) };
    assert_int_equal(request(WIRE_app_password_revoke, &revoke), ERR_OK);
    assert_string_equal(answer.text, "1 live session ended");
    assert_int_equal(rig_last(WIRE_end_session)->session, f.session);
    assert_int_equal(request(WIRE_app_password_revoke, &revoke), ERR_NOT_FOUND);
    assert_int_equal(
        rig_ask(rig.edge, &(struct rig_question){ .user = "ann", .secret = secret }).verdict,
        VERDICT_REFUSE);
    assert_int_equal(rig_events("app-password-added", NULL), 1);
    assert_int_equal(rig_events("app-password-revoked", NULL), 1);
}

/* Where the client's own password goes upstream an app password opens nothing: said at once. */
static void test_app_password_passthrough(void **state)
{
    (void)state;
    struct wire_app_password_add m = new_one("ann@pass.test");

    m.is_unchecked = true;
    assert_int_equal(add_account("ann@pass.test"), ERR_OK);
    assert_int_equal(request(WIRE_app_password_add, &m), ERR_DENIED);
    assert_non_null(strstr(answer.text, "set login = \"sealed\" or \"master\""));
    assert_int_equal(answer.rows, 0);
    assert_int_equal(rig_events("app-password-added", NULL), 0);
}

/* What an administrator does may have mended a stale app password. */
static void test_stale_is_forgotten(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "old", NULL);
    const struct rig_question phone = { .user = "ann", .secret = good };
    const struct rig_frame f = rig_ask(rig.edge, &phone);

    rig_outcome(rig.edge, f.session, OUTCOME_REFUSED);
    assert_int_equal(rig_ask(rig.edge, &phone).answer, WIRE_ANSWER_STALE);
    assert_int_equal(add_account("bob"), ERR_OK);
    assert_int_equal(rig_ask(rig.edge, &phone).verdict, VERDICT_ALLOW);
}

/* Who hangs up while the upstream is asked gets nothing made. */
static void test_hangs_up(void **state)
{
    (void)state;
    const struct wire_app_password_add m = new_one("ann");

    assert_int_equal(add_account("ann"), ERR_OK);
    send_request(client, WIRE_app_password_add, &m);
    for (int i = 0; i < 10 && rig_last(WIRE_probe) == NULL; i++)
        turn();
    const struct wire_probed p = { .probe = rig_last(WIRE_probe)->session,
                                   .result = OUTCOME_ACCEPTED };
    (void)close(client);
    turn();
    assert_true(rig_take(rig.edge, WIRE_probed, &p));
    turn();
    assert_int_equal(rig_events("app-password-added", NULL), 0);
    client = connect_client();
}

/* ---- factors -------------------------------------------------------------------------- */

static void test_totp_and_lease(void **state)
{
    (void)state;
    const struct wire_totp_enrol enrol = { .account = VIEW_LIT("ann") };
    struct wire_lease_add lease = { .account = VIEW_LIT("ann"), .expires_at = RIG_NOW + 60 };
    const struct rig_question q = { .user = "ann", .secret = "right" };

    assert_int_equal(request(WIRE_totp_enrol, &enrol), ERR_NOT_FOUND);
    assert_int_equal(add_account("ann"), ERR_OK);
    assert_int_equal(request(WIRE_totp_enrol, &enrol), ERR_OK);
    assert_int_equal(answer.kind, WIRE_row_totp);
    assert_int_equal(answer.last.row_totp.secret.n, 32);
    assert_int_equal(rig_ask(rig.edge, &q).verdict, VERDICT_REFUSE);
    assert_int_equal(request(WIRE_lease_add, &lease), ERR_INVALID);
    lease.network = VIEW_LIT("192.0.2.9/24");
    lease.expires_at = RIG_NOW;
    assert_int_equal(request(WIRE_lease_add, &lease), ERR_INVALID);
    lease.expires_at = RIG_NOW + 60;
    assert_int_equal(request(WIRE_lease_add, &lease), ERR_OK);
    assert_true(view_is_equal(answer.last.row_lease.network, VIEW_LIT("192.0.2.0/24")));
    /* What was refused a moment ago is right now. */
    const struct rig_frame f = rig_ask(rig.edge, &q);
    assert_int_equal(f.verdict, VERDICT_ALLOW);
    rig_outcome(rig.edge, f.session, OUTCOME_ACCEPTED);
    const struct wire_lease_revoke revoke = { .id = answer.last.row_lease.id };
    assert_int_equal(request(WIRE_lease_revoke, &revoke), ERR_OK);
    assert_int_equal(rig_last(WIRE_end_session)->session, f.session);
    assert_int_equal(rig_ask(rig.edge, &q).verdict, VERDICT_REFUSE);
    assert_int_equal(request(WIRE_lease_revoke, &revoke), ERR_NOT_FOUND);
}

static void test_invitation(void **state)
{
    (void)state;
    struct wire_account_invite m = { .account = VIEW_LIT("ann"), .valid_s = 60 };
    char first[256];

    assert_int_equal(request(WIRE_account_invite, &m), ERR_NOT_FOUND);
    assert_int_equal(add_account("ann"), ERR_OK);
    assert_int_equal(request(WIRE_account_invite, &m), ERR_OK);
    event_copy(first, sizeof(first), answer.last.row_invitation.link);
    assert_memory_equal(first, "https://mail.example.org/invite#", 32);
    assert_int_equal(strlen(first), 32 + 43);
    assert_int_equal(answer.last.row_invitation.expires_at, RIG_NOW + 60);
    assert_int_equal(request(WIRE_account_invite, &m), ERR_OK);
    assert_false(view_is_equal(answer.last.row_invitation.link, view_text(first)));
    m.valid_s = UINT32_MAX;
    assert_int_equal(request(WIRE_account_invite, &m), ERR_INVALID);
    rig.w.config->portal.url[0] = '\0';
    m.valid_s = 0;
    assert_int_equal(request(WIRE_account_invite, &m), ERR_INVALID);
    assert_non_null(strstr(answer.text, "portal.url"));
}

/* ---- sessions, events, status --------------------------------------------------------- */

static void test_sessions(void **state)
{
    (void)state;
    const char *good = rig_app_password("ann@example.org", "m", NULL);
    const struct wire_session_list list = { 0 };
    const struct rig_question q = { .user = "ann", .secret = good, .client = "K-9" };
    struct wire_session_end end = { 0 };
    char id[32];

    for (int i = 0; i < 3; i++)
        rig_outcome(rig.edge, rig_ask(rig.edge, &q).session, OUTCOME_ACCEPTED);
    (void)rig_ask(rig.edge, &q); /* not live: the upstream has not answered */
    assert_int_equal(request(WIRE_session_list, &list), ERR_OK);
    assert_int_equal(answer.rows, 3);
    assert_true(view_is_equal(answer.last.row_session.client, VIEW_LIT("K-9")));
    assert_true(view_is_equal(answer.last.row_session.tls_version, VIEW_LIT("1.3")));
    event_copy(id, sizeof(id), answer.last.row_session.session);
    assert_int_equal(request(WIRE_session_end, &end), ERR_INVALID);
    end.session = VIEW_LIT("not hexadecimal");
    assert_int_equal(request(WIRE_session_end, &end), ERR_INVALID);
    end.session = VIEW_LIT("dead");
    assert_int_equal(request(WIRE_session_end, &end), ERR_NOT_FOUND);
    end.session = view_text(id);
    assert_int_equal(request(WIRE_session_end, &end), ERR_OK);
    assert_int_equal(request(WIRE_session_end, &end), ERR_NOT_FOUND);
    end = (struct wire_session_end){ .account = VIEW_LIT("ann") };
    assert_int_equal(request(WIRE_session_end, &end), ERR_OK);
    assert_string_equal(answer.text, "3 live sessions ended");
    assert_int_equal(rig_events("session-ended", NULL), 2);
}

static void test_events_follow(void **state)
{
    (void)state;
    const struct wire_event_list list = { .limit = 2, .is_following = true };
    const int second = connect_client();

    for (const char *name = "abcd"; *name != '\0'; name++)
        assert_int_equal(add_account((char[]){ *name, '\0' }), ERR_OK);
    send_request(second, WIRE_event_list, &list);
    assert_false(collect(second)); /* no `done`: it goes on */
    assert_int_equal(answer.rows, 2);
    const struct wire_account_add more = { .account = VIEW_LIT("e") };
    assert_int_equal(request(WIRE_account_add, &more), ERR_OK);
    (void)rig_ask(rig.edge, &(struct rig_question){ .user = "nobody", .secret = "x" });
    writer_flush(rig.w.writer);
    answer.rows = 0;
    assert_false(collect(second));
    assert_int_equal(answer.rows, 2);
    assert_int_equal(answer.m->number, WIRE_row_event);
    assert_true(view_is_equal(answer.last.row_event.kind, VIEW_LIT("refused")));
    (void)close(second);
}

/* More rows than the socket takes: they come as fast as they are read, the rest of the warden goes
 * on. */
static void test_long_answer(void **state)
{
    (void)state;
    char name[32];
    const struct wire_account_list list = { 0 };

    for (int i = 0; i < 3000; i++) {
        (void)snprintf(name, sizeof(name), "user%04d@example.org", i);
        rig_account(name);
    }
    send_request(client, WIRE_account_list, &list);
    for (int i = 0; i < 50; i++)
        turn();
    assert_true(collect(client));
    assert_int_equal(answer.status, ERR_OK);
    assert_int_equal(answer.rows, 3000);
}

static void test_status(void **state)
{
    (void)state;
    const struct wire_status m = { 0 };

    assert_int_equal(add_account("ann"), ERR_OK);
    assert_int_equal(request(WIRE_status, &m), ERR_OK);
    assert_int_equal(answer.last.row_status.accounts, 1);
    assert_int_equal(answer.last.row_status.edges, 1);
    assert_true(view_is_equal(answer.last.row_status.store, VIEW_LIT("sqlite")));
}

/* ---- who misbehaves ------------------------------------------------------------------- */

static void test_misbehaviour(void **state)
{
    (void)state;
    const struct wire_done not_yours = { 0 };
    const struct wire_status m = { 0 };
    AUTO_BUF(frame, LIMIT_FRAME);
    uint8_t octet;
    const int second = connect_client(), third = connect_client();

    assert_int_equal(wire_encode(WIRE_done, &not_yours, &frame), ERR_OK);
    assert_int_equal(send(second, frame.p, frame.n, MSG_NOSIGNAL), (ssize_t)frame.n);
    assert_int_equal(send(third, "\xff\xff", 2, MSG_NOSIGNAL), 2);
    for (int i = 0; i < 10; i++)
        turn();
    assert_int_equal(recv(second, &octet, 1, 0), 0);
    assert_int_equal(recv(third, &octet, 1, 0), 0);
    assert_int_equal(request(WIRE_status, &m), ERR_OK); /* the others go on */
    (void)close(second);
    (void)close(third);
}

static void test_too_many_clients(void **state)
{
    (void)state;
    int fds[CONTROL_CLIENTS + 4];
    size_t open_count = 0;
    uint8_t octet;

    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = connect_client();
        for (int k = 0; k < 4; k++)
            turn();
    }
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        open_count += recv(fds[i], &octet, 1, 0) < 0;
        (void)close(fds[i]);
    }
    assert_int_equal(open_count, CONTROL_CLIENTS - 1); /* and `client` */
    for (int k = 0; k < 4; k++)
        turn();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_control, close_control)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accounts),
        TEST(test_app_password_values),
        TEST(test_app_password_sender),
        TEST(test_app_password_probe),
        TEST(test_app_password_checked),
        TEST(test_app_password_passthrough),
        TEST(test_stale_is_forgotten),
        TEST(test_hangs_up),
        TEST(test_totp_and_lease),
        TEST(test_invitation),
        TEST(test_sessions),
        TEST(test_events_follow),
        TEST(test_long_answer),
        TEST(test_status),
        TEST(test_misbehaviour),
        TEST(test_too_many_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
