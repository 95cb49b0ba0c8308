/* guard_diff: plays dialogues through the guard at a real server and says what each side took for
 * commands. Usage: guard_diff PORT USER PASSWORD [trusting] (loopback, clear text, before any
 * gate); trusting: the guard takes the server for one that believes in ID.
 *
 * Standard input, one dialogue a line: pieces in hexadecimal, separated by spaces; a piece that
 * begins with "w" is sent only when all is quiet, the others at once.
 * Standard output, one line for each: STATUS REASON SEEN ANSWERED
 *   STATUS    clean    the server is at the beginning of a command where the guard says so: it
 *                      answered a last NOOP that was sent behind the guard's back
 *             lost     it did not: they disagree
 *             deaf     it answered only a second one: it threw a line away
 *             closed   the server has closed the connection
 *             silent   the guard waits for a word of the server that does not come
 *             huge     it ends within a literal that is too long to be filled up here
 *   REASON    why the guard ended the session, or "-"
 *   SEEN      what the guard let through as first lines of commands, in hexadecimal, or "-"
 *   ANSWERED  all that the server sent, in hexadecimal, or "-"
 * One connection serves many dialogues, each with a new guard, until it is not clean. */
#include "base/limits.h"
#include "proto/imap/guard_state.h"
#include "proto/imap/imap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct guard_conf conf;

#define WIDE      (1u << 26)
#define QUIET_MS  1500 /* a server on loopback that has said nothing for so long says nothing */
#define ANSWER_MS 2000 /* for the last NOOP, for a login */
#define FILL_MAX  (1u << 20)

struct play {
    int fd; /* -1: none */
    struct guard *g;
    struct buf from_client, from_server, seen, answered; /* owned */
    const char *reason;
    bool is_closed;
    unsigned number; /* of the last NOOP */
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

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
    uint8_t octets[16384];

    if (p->is_closed || poll(&f, 1, ms) <= 0)
        return false;
    ssize_t n = recv(p->fd, octets, sizeof(octets), 0);
    if (n <= 0) {
        p->is_closed = true;
        return false;
    }
    buf_put(&p->from_server, view_of(octets, (size_t)n));
    buf_put(&p->answered, view_of(octets, (size_t)n));
    return true;
}

static bool said(const struct play *p, const char *text)
{
    return p->answered.n > 0 && memmem(p->answered.p, p->answered.n, text, strlen(text)) != NULL;
}

static bool await(struct play *p, const char *text, int64_t ms)
{
    int64_t end = now_ms() + ms;

    while (!said(p, text) && !p->is_closed && now_ms() < end)
        (void)receive(p, (int)(end - now_ms()));
    return said(p, text);
}

static bool client_step(struct play *p)
{
    uint16_t before = p->g->outstanding;
    struct guard_step s = imap_guard_ops.client(p->g, buf_view(&p->from_client));

    if (s.kind == GUARD_END)
        p->reason = s.reason;
    if (s.kind != GUARD_PASS && s.kind != GUARD_PUT)
        return false;
    struct view v = s.kind == GUARD_PASS ? view_first(buf_view(&p->from_client), s.n) : s.put;
    if (p->g->outstanding > before)
        buf_put(&p->seen, v);
    send_all(p, v);
    buf_consume(&p->from_client, s.n);
    return true;
}

static bool server_step(struct play *p)
{
    struct guard_step s = imap_guard_ops.server(p->g, buf_view(&p->from_server));

    if (s.kind == GUARD_END)
        p->reason = s.reason;
    if (s.kind != GUARD_PASS && s.kind != GUARD_PUT)
        return false;
    buf_consume(&p->from_server, s.n);
    return true;
}

static void pump(struct play *p)
{
    bool is_moving = true;

    while (is_moving && p->reason == NULL && !p->is_closed) {
        is_moving = false;
        while (p->reason == NULL && server_step(p))
            is_moving = true;
        while (p->reason == NULL && client_step(p))
            is_moving = true;
        if (receive(p, 0))
            is_moving = true;
    }
}

static bool is_waiting(const struct play *p)
{
    return p->g->outstanding > (p->g->client == GUARD_CLIENT_LITERAL ||
                                p->g->client == GUARD_CLIENT_REST ||
                                p->g->client == GUARD_CLIENT_IDLE) ||
           p->g->client == GUARD_CLIENT_ASKED || p->g->client == GUARD_CLIENT_QUIET;
}

/* Until the guard waits for nothing, or the server says no more. */
static bool settle(struct play *p)
{
    pump(p);
    while (p->reason == NULL && !p->is_closed && is_waiting(p)) {
        if (!receive(p, QUIET_MS))
            return false;
        pump(p);
    }
    return true;
}

/* Brings the server to the beginning of a command if it is where the guard says. */
static void complete(struct play *p)
{
    static const uint8_t filling[4096] = "x";

    if (p->g->client == GUARD_CLIENT_LITERAL)
        for (uint32_t left = p->g->client_left; left > 0 && !p->is_closed;) {
            uint32_t n = left < sizeof(filling) ? left : sizeof(filling);
            send_all(p, view_of(filling, n));
            left -= n;
        }
    if (p->g->client == GUARD_CLIENT_LITERAL || p->g->client == GUARD_CLIENT_REST)
        send_all(p, VIEW_LIT("\r\n"));
    if (p->g->client == GUARD_CLIENT_IDLE)
        send_all(p, VIEW_LIT("DONE\r\n"));
}

static bool is_awake(struct play *p)
{
    char last[64], answer[64];

    (void)snprintf(last, sizeof(last), "last%u NOOP\r\n", ++p->number);
    (void)snprintf(answer, sizeof(answer), "last%u OK", p->number);
    send_all(p, view_text(last));
    return await(p, answer, ANSWER_MS);
}

static const char *verdict(struct play *p)
{
    if (p->is_closed)
        return "closed";
    if (p->g->client == GUARD_CLIENT_LITERAL && p->g->client_left > FILL_MAX)
        return "huge";
    complete(p);
    if (is_awake(p))
        return "clean";
    if (is_awake(p))
        return "deaf";
    return p->is_closed ? "closed" : "lost";
}

static void start(struct play *p, uint16_t port, const char *user, const char *password)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    int yes = 1;
    AUTO_BUF(login, 4096);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->is_closed = p->fd < 0 || connect(p->fd, (struct sockaddr *)&to, sizeof(to)) != 0;
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    buf_clear(&p->answered);
    buf_printf(&login, "in LOGIN \"%s\" \"%s\"\r\n", user, password);
    if (await(p, "\r\n", ANSWER_MS))
        send_all(p, buf_view(&login));
    if (!await(p, "in OK", ANSWER_MS)) {
        fprintf(stderr, "guard_diff: no login: %s\n", buf_cstr(&p->answered));
        exit(1);
    }
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

/* Plays one dialogue on an open connection. */
static void play(struct play *p, char *line)
{
    char *rest = NULL;

    p->g = imap_guard_ops.create(&conf);
    p->reason = NULL;
    buf_clear(&p->from_client);
    buf_clear(&p->from_server);
    buf_clear(&p->seen);
    buf_clear(&p->answered);
    for (char *s = strtok_r(line, " \n", &rest); s != NULL; s = strtok_r(NULL, " \n", &rest))
        send_piece(p, s);
    bool is_settled = settle(p);
    const char *status = is_settled ? verdict(p) : "silent";
    printf("%s %s", status, p->reason == NULL ? "-" : p->reason);
    print_hex(buf_view(&p->seen));
    print_hex(buf_view(&p->answered));
    putchar('\n');
    fflush(stdout);
    imap_guard_ops.destroy(p->g);
    if (strcmp(status, "clean") != 0) {
        close(p->fd);
        p->fd = -1;
    }
}

int main(int argc, char **argv)
{
    struct play p = { .fd = -1 };
    struct buf *bufs[] = { &p.from_client, &p.from_server, &p.seen, &p.answered };
    char *line = NULL;
    size_t size = 0;

    conf.is_trusting = argc == 5 && strcmp(argv[4], "trusting") == 0;
    if (argc != 4 && !conf.is_trusting) {
        fprintf(stderr, "usage: guard_diff PORT USER PASSWORD [trusting]\n");
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
