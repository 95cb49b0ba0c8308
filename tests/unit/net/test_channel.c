/* A channel with a peer that means harm: it ends, and nothing else does. */
#include "net/channel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct seen {
    unsigned messages, ends;
    int fd;
    const char *reason;
    char account[LIMIT_ACCOUNT + 1];
    struct channel *channel;
    uv_loop_t loop;
    int peer;
};

static void on_message(void *owner, struct channel *c, const struct wire_message *m,
                       const union wire_any *any, int fd)
{
    struct seen *s = owner;

    (void)c;
    s->messages++;
    s->fd = fd;
    if (m->number == WIRE_account_add) {
        memcpy(s->account, any->account_add.account.p, any->account_add.account.n);
        s->account[any->account_add.account.n] = 0;
    }
}

static void on_end(void *owner, struct channel *c, const char *reason)
{
    struct seen *s = owner;

    s->ends++;
    s->reason = reason;
    channel_close(c);
    s->channel = NULL;
}

static void open_channel(struct seen *s, enum wire_sender peer, bool is_open)
{
    int fds[2];

    *s = (struct seen){ .fd = -1 };
    assert_int_equal(uv_loop_init(&s->loop), 0);
    assert_int_equal(channel_pair(fds), ERR_OK);
    const struct channel_conf conf = { .loop = &s->loop,
                                       .fd = fds[0],
                                       .peer = peer,
                                       .is_open = is_open,
                                       .owner = s,
                                       .on_message = on_message,
                                       .on_end = on_end };
    s->channel = channel_open(&conf);
    assert_non_null(s->channel);
    s->peer = fds[1];
}

static void turn(struct seen *s)
{
    for (int i = 0; i < 4; i++)
        (void)uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void done(struct seen *s)
{
    channel_close(s->channel);
    turn(s);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    (void)close(s->peer);
}

static void a_frame_arrives(void **state)
{
    (void)state;
    struct seen s;
    const struct wire_account_add add = { .account = VIEW_LIT("alice@example.org") };

    open_channel(&s, WIRE_CLI, true);
    assert_int_equal(channel_send_wait(s.peer, WIRE_account_add, &add), ERR_OK);
    turn(&s);
    assert_int_equal(s.messages, 1);
    assert_string_equal(s.account, "alice@example.org");
    assert_int_equal(s.ends, 0);
    done(&s);
}

static void hostile_octets_end_the_channel(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t n;
    } cases[] = {
        { "\xff", 1 },     /* unknown message          */
        { "\x15", 1 },     /* a question cut short     */
        { "\x16\0\0", 3 }, /* what only a warden says  */
        { "\x28\0\x05"
          "alice",
          8 },                           /* what only the CLI says   */
        { "\x14\0\0\0\1\0\0\0\1x", 10 }, /* hello with octets behind */
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct seen s;
        open_channel(&s, WIRE_EDGE, false);
        assert_int_equal(send(s.peer, cases[i].octets, cases[i].n, 0), (ssize_t)cases[i].n);
        turn(&s);
        assert_int_equal(s.messages, 0);
        assert_int_equal(s.ends, 1);
        done(&s);
    }
}

static void a_record_over_the_bound_ends_it(void **state)
{
    (void)state;
    static uint8_t much[LIMIT_FRAME + 1];
    struct seen s;

    open_channel(&s, WIRE_EDGE, true);
    memset(much, WIRE_question, sizeof(much));
    assert_int_equal(send(s.peer, much, sizeof(much), 0), sizeof(much));
    turn(&s);
    assert_int_equal(s.ends, 1);
    done(&s);
}

static void send_with_descriptor(int socket, const void *octets, size_t n)
{
    union {
        struct cmsghdr header;
        uint8_t space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    uint8_t copy[64];
    struct iovec iov = { .iov_base = copy, .iov_len = n };
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space) };
    const int fd = STDERR_FILENO;

    memcpy(copy, octets, n);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    assert_int_equal(sendmsg(socket, &message, 0), (ssize_t)n);
}

static void only_the_supervisor_passes_descriptors(void **state)
{
    (void)state;
    struct seen s;

    open_channel(&s, WIRE_EDGE, false);
    send_with_descriptor(s.peer, "\x14\0\0\0\1\0\0\0\1", 9); /* hello */
    turn(&s);
    assert_int_equal(s.messages, 0);
    assert_int_equal(s.ends, 1);
    done(&s);

    open_channel(&s, WIRE_SUPERVISOR, false);
    send_with_descriptor(s.peer, "\x02\0\x05imaps", 8); /* boot_gate */
    turn(&s);
    assert_int_equal(s.messages, 1);
    assert_true(s.fd >= 0);
    (void)close(s.fd);
    done(&s);
}

static void a_peer_that_does_not_read_is_cut_off(void **state)
{
    (void)state;
    struct seen s;
    char text[LIMIT_ACCOUNT] = { 0 };
    const struct wire_account_add add = { .account = view_of(text, sizeof(text)) };

    memset(text, 'a', sizeof(text));
    open_channel(&s, WIRE_WARDEN, true);
    for (size_t i = 0; i < 8 * LIMIT_FRAME_QUEUE; i++)
        channel_send(s.channel, WIRE_account_add, &add, -1);
    assert_true(channel_queued(s.channel) <= LIMIT_FRAME_QUEUE);
    assert_int_equal(s.ends, 0); /* never from inside channel_send */
    turn(&s);
    assert_int_equal(s.ends, 1);
    done(&s);
}

static void queued_frames_arrive_in_order(void **state)
{
    (void)state;
    struct seen s;
    const unsigned count = 2000;
    AUTO_BUF(frame, LIMIT_FRAME);

    open_channel(&s, WIRE_WARDEN, true);
    for (unsigned i = 0; i < count; i++) {
        const struct wire_lease_revoke revoke = { .id = i };
        channel_send(s.channel, WIRE_lease_revoke, &revoke, -1);
    }
    for (unsigned i = 0; i < count; i++) {
        const struct wire_message *m;
        union wire_any any;
        int fd;
        turn(&s);
        assert_int_equal(channel_receive_wait(s.peer, &frame, &m, &any, &fd), ERR_OK);
        assert_int_equal(any.lease_revoke.id, i);
    }
    done(&s);
}

static void its_end_is_told_once(void **state)
{
    (void)state;
    struct seen s;

    open_channel(&s, WIRE_EDGE, false);
    (void)shutdown(s.peer, SHUT_RDWR);
    turn(&s);
    assert_int_equal(s.ends, 1);
    done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_arrives),
        cmocka_unit_test(hostile_octets_end_the_channel),
        cmocka_unit_test(a_record_over_the_bound_ends_it),
        cmocka_unit_test(only_the_supervisor_passes_descriptors),
        cmocka_unit_test(a_peer_that_does_not_read_is_cut_off),
        cmocka_unit_test(queued_frames_arrive_in_order),
        cmocka_unit_test(its_end_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
