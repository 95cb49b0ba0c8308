/* pop3_diff: plays dialogues through the POP3 guard at a real server and says what each side made
 * of them. Usage: pop3_diff PORT USER PASSWORD (loopback, clear text, before any gate).
 *
 * Standard input, one dialogue a line: pieces in hexadecimal, separated by spaces; a piece that
 * begins with "w" is sent only when all is quiet, the others at once.
 * Standard output, one line for each: STATUS REASON SENT ANSWERED SEEN
 *   STATUS    clean    each command that went up has had its reply, and the next ones were those to
 *                      a STAT and a NOOP that were sent behind the guard's back: no more came
 *             lost     they were not: the server has executed something else
 *             closed   the server has closed the connection
 *             silent   a reply does not come
 *   REASON    why the guard ended the session, or "-"
 *   SENT      what went to the server, in hexadecimal, or "-"
 *   ANSWERED  all that the server said to it
 *   SEEN      all that went on to the client
 * How replies are counted here owes nothing to the guard. One connection serves many dialogues,
 * each with a new guard, until it is not clean. */
#include "base/attr.h"
#include "proto/pop3/pop3.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const struct guard_conf plain;

#define WIDE      (1u << 26)
#define QUIET_MS  2000 /* a server on loopback that has said nothing for so long says nothing */
#define LOGIN_MS  10   /* until the mailbox is tried again that is still locked */
#define LOGIN_MAX 800

struct play {
    int fd; /* -1: none */
    struct guard *g;
    struct buf from_client, from_server, sent, answered, seen; /* owned */
    const char *reason;
    bool is_closed;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the connection ------------------------------------------------------------------- */

static void send_all(struct play *p, struct view v)
{
    while (v.n > 0 && !p->is_closed) {
        ssize_t n = send(p->fd, v.p, v.n, MSG_NOSIGNAL);
        if (n <= 0)
            p->is_closed = true;
        else
            v = view_skip(v, (size_t)n);
    }
}

/* Waits up to `ms` for octets of the server; false: none came. */
static bool receive(struct play *p, int ms)
{
    struct pollfd f = { .fd = p->fd, .events = POLLIN };
    uint8_t octets[65536];
    const int yes = 1;

    if (p->is_closed || poll(&f, 1, ms) <= 0)
        return false;
    /* Cyrus writes in small pieces, and each would wait for what is acknowledged late. */
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof(yes));
    ssize_t n = recv(p->fd, octets, sizeof(octets), 0);
    if (n <= 0) {
        p->is_closed = true;
        return false;
    }
    buf_put(&p->from_server, view_of(octets, (size_t)n));
    buf_put(&p->answered, view_of(octets, (size_t)n));
    return true;
}

/* ---- replies, counted without the guard ----------------------------------------------- */

static struct view take_line(struct view *v)
{
    const struct view line = view_first(*v, view_find(*v, '\n') + 1);

    *v = view_skip(*v, line.n);
    return line;
}

static bool is_whole(struct view line)
{
    return line.n > 0 && line.p[line.n - 1] == '\n';
}

static bool has_text(struct view command)
{
    static const char *const words[] = { "RETR", "TOP", "CAPA" };
    static const char *const bare[] = { "LIST", "UIDL", "LANG" };

    while (command.n > 0 && (command.p[command.n - 1] == '\n' || command.p[command.n - 1] == '\r'))
        command.n--;
    const struct view word = view_first(command, view_find(command, ' '));
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (view_is_equal_nocase(word, view_text(words[i])) ||
            view_is_equal_nocase(command, view_text(bare[i])))
            return true;
    return false;
}

/* Takes one whole reply off *v. */
static bool take_reply(struct view *v, struct view command)
{
    struct view rest = *v;
    struct view line = take_line(&rest);
    const bool is_long = has_text(command) && view_starts_nocase(line, VIEW_LIT("+OK"));

    while (is_long && is_whole(line) && !view_is_equal(line, VIEW_LIT(".\r\n")))
        line = take_line(&rest);
    if (is_whole(line))
        *v = rest;
    return is_whole(line);
}

/* Have all commands had their replies? *ret_more: what came besides. */
static bool are_answered(const struct play *p, struct view *ret_more)
{
    struct view commands = buf_view(&p->sent);

    *ret_more = buf_view(&p->answered);
    while (commands.n > 0)
        if (!take_reply(ret_more, take_line(&commands)))
            return false;
    return true;
}

static bool await(struct play *p)
{
    const int64_t end = now_ms() + QUIET_MS;
    struct view more;

    while (!are_answered(p, &more)) {
        const int64_t left = end - now_ms();
        if (p->is_closed || left <= 0)
            return false;
        (void)receive(p, (int)left);
    }
    return true;
}

/* ---- the guard ------------------------------------------------------------------------ */

static bool client_step(struct play *p)
{
    struct guard_step s = pop3_guard_ops.client(p->g, buf_view(&p->from_client));

    if (s.kind == GUARD_END)
        p->reason = s.reason;
    if (s.kind != GUARD_PASS && s.kind != GUARD_PUT)
        return false;
    struct view v = s.kind == GUARD_PASS ? view_first(buf_view(&p->from_client), s.n) : s.put;
    buf_put(&p->sent, v);
    send_all(p, v);
    buf_consume(&p->from_client, s.n);
    return true;
}

static bool server_step(struct play *p)
{
    struct guard_step s = pop3_guard_ops.server(p->g, buf_view(&p->from_server));

    if (s.kind == GUARD_END)
        p->reason = s.reason;
    if (s.kind != GUARD_PASS && s.kind != GUARD_PUT)
        return false;
    buf_put(&p->seen, s.kind == GUARD_PASS ? view_first(buf_view(&p->from_server), s.n) : s.put);
    buf_consume(&p->from_server, s.n);
    return true;
}

static void pump(struct play *p)
{
    bool is_moving = true;

    while (is_moving && p->reason == NULL) {
        is_moving = false;
        while (p->reason == NULL && server_step(p))
            is_moving = true;
        while (p->reason == NULL && client_step(p))
            is_moving = true;
        if (receive(p, 0))
            is_moving = true;
    }
}

/* Until all that went up has been answered, and the client is held no more. */
static bool settle(struct play *p)
{
    struct view more;

    do {
        pump(p);
        if (!await(p))
            return false;
        pump(p);
    } while (!p->is_closed && !are_answered(p, &more));
    return true;
}

static bool is_stat(struct view line)
{
    unsigned long a, b;
    char text[128];

    (void)snprintf(text, sizeof(text), "%.*s", (int)line.n, (const char *)line.p);
    return sscanf(text, "+OK %lu %lu", &a, &b) == 2;
}

/* The two words behind the guard's back, which leave no trace in SENT and ANSWERED. */
static const char *verdict(struct play *p)
{
    const size_t sent = p->sent.n, answered = p->answered.n;
    struct view more;

    if (p->is_closed || !are_answered(p, &more))
        return "closed";
    const struct view words = VIEW_LIT("STAT\r\nNOOP\r\n");
    buf_put(&p->sent, words);
    send_all(p, words);
    const bool is_awake = await(p);
    (void)receive(p, 0);
    more = view_skip(buf_view(&p->answered), answered);
    const struct view first = take_line(&more), second = take_line(&more);
    const bool is_clean = is_awake && is_stat(first) && !is_stat(second) &&
                          view_starts_nocase(second, VIEW_LIT("+OK")) && more.n == 0;
    if (is_clean)
        p->answered.n = answered;
    p->sent.n = sent;
    return is_clean ? "clean" : p->is_closed ? "closed" : "lost";
}

/* ---- a dialogue ----------------------------------------------------------------------- */

static bool log_in(struct play *p, uint16_t port, const char *user, const char *password)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    int yes = 1;
    struct view more;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->is_closed = p->fd < 0 || connect(p->fd, (struct sockaddr *)&to, sizeof(to)) != 0;
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    buf_clear(&p->answered);
    buf_clear(&p->sent);
    buf_put_text(&p->sent, "greeting\n");
    (void)await(p);
    const size_t before = p->sent.n;
    buf_printf(&p->sent, "USER %s\r\nPASS %s\r\n", user, password);
    send_all(p, view_skip(buf_view(&p->sent), before));
    (void)await(p);
    more = buf_view(&p->answered);
    for (int i = 0; i < 3; i++)
        if (!view_starts_nocase(take_line(&more), VIEW_LIT("+OK")))
            return false;
    return true;
}

static void start(struct play *p, uint16_t port, const char *user, const char *password)
{
    for (int i = 0; i < LOGIN_MAX; i++) {
        if (log_in(p, port, user, password))
            return;
        close(p->fd);
        (void)poll(NULL, 0, LOGIN_MS);
    }
    fprintf(stderr, "pop3_diff: no login: %s\n", buf_cstr(&p->answered));
    exit(1);
}

static void print_hex(struct view v)
{
    putchar(' ');
    for (size_t i = 0; i < v.n; i++)
        printf("%02x", v.p[i]);
    if (v.n == 0)
        putchar('-');
}

static void send_piece(struct play *p, const char *hex)
{
    unsigned octet;

    if (*hex == 'w') {
        (void)settle(p);
        hex++;
    }
    for (; sscanf(hex, "%2x", &octet) == 1 && hex[1] != '\0'; hex += 2)
        buf_put_octet(&p->from_client, (uint8_t)octet);
    pump(p);
}

static void play(struct play *p, char *line)
{
    struct buf *bufs[] = { &p->from_client, &p->from_server, &p->sent, &p->answered, &p->seen };
    char *rest = NULL;

    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_clear(bufs[i]);
    p->g = pop3_guard_ops.create(&plain);
    p->reason = NULL;
    for (char *s = strtok_r(line, " \n", &rest); s != NULL; s = strtok_r(NULL, " \n", &rest))
        send_piece(p, s);
    const bool is_settled = settle(p);
    const char *status = is_settled || p->is_closed ? verdict(p) : "silent";
    printf("%s %s", status, p->reason == NULL ? "-" : p->reason);
    print_hex(buf_view(&p->sent));
    print_hex(buf_view(&p->answered));
    print_hex(buf_view(&p->seen));
    putchar('\n');
    fflush(stdout);
    pop3_guard_ops.destroy(p->g);
    if (strcmp(status, "clean") != 0) {
        close(p->fd);
        p->fd = -1;
    }
}

int main(int argc, char **argv)
{
    struct play p = { .fd = -1 };
    struct buf *bufs[] = { &p.from_client, &p.from_server, &p.sent, &p.answered, &p.seen };
    char *line = NULL;
    size_t size = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: pop3_diff PORT USER PASSWORD\n");
        return 2;
    }
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_init(bufs[i], WIDE);
    while (getline(&line, &size, stdin) > 0) {
        if (p.fd < 0)
            start(&p, (uint16_t)strtoul(argv[1], NULL, 10), argv[2], argv[3]);
        play(&p, line);
    }
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_done(bufs[i]);
    free(line);
    return 0;
}
