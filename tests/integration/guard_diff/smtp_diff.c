/* smtp_diff: plays dialogues through the submission guard at a real server and says what each side
 * made of them. Usage: smtp_diff PORT MODE (loopback, clear text, no login; MODE: "refuse" or
 * "normalise").
 *
 * Standard input, one dialogue a line: pieces in hexadecimal, separated by spaces; a piece that
 * begins with "w" is sent only when all is quiet, the others at once.
 * Standard output, one line for each: STATUS REASON SENT ANSWERED SEEN
 *   STATUS    clean    each command, message and chunk that went up has had its reply, and the next
 *                      ones were those to three commands that were sent behind the guard's back
 *             lost     they were not: the server has executed something else
 *             closed   the server has closed the connection
 *             silent   a reply does not come
 *             huge     it ends within a chunk that is too long to be filled up here
 *   REASON    why the guard ended the session, or "-"
 *   SENT      what went to the server, in hexadecimal, each run behind a letter for what the guard
 *             took it for: "l" lines of commands, "m" message, "k" chunk; "." where a message
 *             ended, "!" where one was ended behind the guard's back; or "-"
 *   ANSWERED  all that the server said to it
 *   SEEN      all that went on to the client
 * One connection serves many dialogues, each with a new guard, until it is not clean. */
#include "base/attr.h"
#include "proto/smtp/guard_state.h"
#include "proto/smtp/smtp.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WIDE     (1u << 24)
#define QUIET_MS 2000  /* a server on loopback that has said nothing for so long says nothing */
#define START_MS 20000 /* until a server has started that nobody has asked yet */
#define FILL_MAX (1u << 20)

struct play {
    int fd; /* -1: none */
    struct guard_conf conf;
    struct guard *g;
    struct buf from_client, from_server, sent, answered, seen; /* owned; `sent` as it is printed */
    const char *reason;
    size_t due;          /* replies that the server owes, by what the guard takes for commands */
    uint32_t chunk_left; /* octets that the server still waits for: it was told of them in a BDAT */
    bool is_line_end;    /* what went up ends in CRLF */
    bool is_closed;
    unsigned number; /* of the last VRFY */
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
        const ssize_t n = send(p->fd, v.p, v.n, MSG_NOSIGNAL);
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

    if (p->is_closed || poll(&f, 1, ms) <= 0)
        return false;
    const ssize_t n = recv(p->fd, octets, sizeof(octets), 0);
    if (n <= 0) {
        p->is_closed = true;
        return false;
    }
    buf_put(&p->from_server, view_of(octets, (size_t)n));
    buf_put(&p->answered, view_of(octets, (size_t)n));
    return true;
}

static size_t count_replies(struct view v)
{
    size_t count = 0;

    while (v.n > 0) {
        const size_t at = view_find(v, '\n');
        count += at < v.n && (at < 4 || v.p[3] != '-');
        v = view_skip(v, at + 1);
    }
    return count;
}

static bool await(struct play *p, size_t replies, int64_t ms)
{
    const int64_t end = now_ms() + ms;

    while (count_replies(buf_view(&p->answered)) < replies) {
        const int64_t left = end - now_ms();
        if (p->is_closed || left <= 0)
            return false;
        (void)receive(p, (int)left);
    }
    return true;
}

/* ---- the guard ------------------------------------------------------------------------ */

static void put_hex(struct buf *out, char what, struct view v)
{
    buf_put_octet(out, (uint8_t)what);
    for (size_t i = 0; i < v.n; i++)
        buf_printf(out, "%02x", v.p[i]);
}

static void send_up(struct play *p, struct view v, enum smtp_client state)
{
    const char what = state == SMTP_CLIENT_MESSAGE ? 'm' : state == SMTP_CLIENT_CHUNK ? 'k' : 'l';

    if (v.n == 0)
        return;
    put_hex(&p->sent, what, v);
    for (size_t i = 0; what == 'l' && i < v.n; i++)
        p->due += v.p[i] == '\n';
    if (what == 'k')
        p->chunk_left -= (uint32_t)v.n;
    if (view_starts_nocase(v, VIEW_LIT("BDAT ")) && what == 'l') /* it goes up alone */
        p->chunk_left = (uint32_t)strtoul((const char *)v.p + 5, NULL, 10);
    p->is_line_end = v.p[v.n - 1] == '\n';
    send_all(p, v);
    if (state == SMTP_CLIENT_MESSAGE && p->g->client != SMTP_CLIENT_MESSAGE) {
        buf_put_octet(&p->sent, '.');
        p->due++;
    }
}

static bool client_step(struct play *p)
{
    const enum smtp_client state = p->g->client;
    const struct guard_step s = smtp_guard_ops.client(p->g, buf_view(&p->from_client));

    if (s.kind == GUARD_END)
        p->reason = s.reason;
    if (s.kind != GUARD_PASS && s.kind != GUARD_PUT)
        return false;
    send_up(p, s.kind == GUARD_PASS ? view_first(buf_view(&p->from_client), s.n) : s.put, state);
    buf_consume(&p->from_client, s.n);
    return true;
}

static bool server_step(struct play *p)
{
    const struct guard_step s = smtp_guard_ops.server(p->g, buf_view(&p->from_server));

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

/* The reply to a BDAT comes behind its chunk. */
static size_t due_now(const struct play *p)
{
    return p->due - (p->chunk_left > 0);
}

/* Until all that went up has been answered, and the client is held no more. */
static bool settle(struct play *p)
{
    size_t due;

    do {
        pump(p);
        due = p->due;
        if (!await(p, due_now(p), QUIET_MS))
            return false;
        pump(p);
    } while (!p->is_closed && p->due != due);
    return true;
}

/* ---- behind the guard's back ---------------------------------------------------------- */

/* Brings the server to the beginning of a command if it is where the guard says. */
static void complete(struct play *p)
{
    static const uint8_t filling[4096] = "x";

    if (p->g->client == SMTP_CLIENT_MESSAGE || p->g->client == SMTP_CLIENT_SWALLOW) {
        send_all(p, p->is_line_end ? VIEW_LIT(".\r\n") : VIEW_LIT("\r\n.\r\n"));
        buf_put_octet(&p->sent, '!');
        p->due++;
    }
    while (p->chunk_left > 0 && !p->is_closed) {
        const uint32_t n = p->chunk_left < sizeof(filling) ? p->chunk_left : sizeof(filling);
        send_all(p, view_of(filling, n));
        p->chunk_left -= n;
    }
}

/* The last line of the server's words. */
static bool ends_in(struct view v, const char *line)
{
    const size_t n = strlen(line);

    return v.n >= n && memcmp(v.p + v.n - n, line, n) == 0;
}

/* Three words that leave no trace in `answered`: the transaction is over, CHUNKING is offered. */
static bool is_awake(struct play *p)
{
    char words[128], answer[128];

    (void)snprintf(words, sizeof(words), "RSET\r\nEHLO differ\r\nVRFY last%u@example.org\r\n",
                   ++p->number);
    (void)snprintf(answer, sizeof(answer), "252 2.0.0 last%u@example.org\r\n", p->number);
    send_all(p, view_text(words));
    if (!await(p, p->due + 3, QUIET_MS))
        return false;
    (void)receive(p, 0);
    return count_replies(buf_view(&p->answered)) == p->due + 3 &&
           ends_in(buf_view(&p->answered), answer);
}

static const char *verdict(struct play *p)
{
    if (p->is_closed)
        return "closed";
    if (p->chunk_left > FILL_MAX)
        return "huge";
    complete(p);
    if (!await(p, p->due, QUIET_MS))
        return p->is_closed ? "closed" : "silent";
    const size_t answered = p->answered.n;
    const bool is_clean = is_awake(p);
    if (is_clean)
        p->answered.n = answered;
    return is_clean ? "clean" : p->is_closed ? "closed" : "lost";
}

/* ---- a dialogue ----------------------------------------------------------------------- */

static void start(struct play *p, uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    const int yes = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->is_closed = p->fd < 0 || connect(p->fd, (struct sockaddr *)&to, sizeof(to)) != 0;
    (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    buf_clear(&p->answered);
    p->due = 1; /* the greeting */
    if (!await(p, 1, START_MS) || !is_awake(p) ||
        memmem(p->answered.p, p->answered.n, "CHUNKING", 8) == NULL) {
        fprintf(stderr, "smtp_diff: no server: %s\n", buf_cstr(&p->answered));
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

static void play(struct play *p, char *line)
{
    struct buf *bufs[] = { &p->from_client, &p->from_server, &p->sent, &p->answered, &p->seen };
    char *rest = NULL;

    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_clear(bufs[i]);
    p->g = smtp_guard_ops.create(&p->conf);
    p->reason = NULL;
    p->due = 0;
    p->chunk_left = 0;
    p->is_line_end = true;
    for (char *s = strtok_r(line, " \n", &rest); s != NULL; s = strtok_r(NULL, " \n", &rest))
        send_piece(p, s);
    const bool is_settled = settle(p);
    const char *status = is_settled || p->is_closed ? verdict(p) : "silent";
    printf("%s %s %s", status, p->reason == NULL ? "-" : p->reason,
           p->sent.n == 0 ? "-" : buf_cstr(&p->sent));
    print_hex(buf_view(&p->answered));
    print_hex(buf_view(&p->seen));
    putchar('\n');
    fflush(stdout);
    smtp_guard_ops.destroy(p->g);
    if (strcmp(status, "clean") != 0) {
        close(p->fd);
        p->fd = -1;
    }
}

int main(int argc, char **argv)
{
    struct play p = { .fd = -1, .conf.capabilities = VIEW_LIT("PIPELINING\r\nCHUNKING\r\n") };
    struct buf *bufs[] = { &p.from_client, &p.from_server, &p.sent, &p.answered, &p.seen };
    char *line = NULL;
    size_t size = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: smtp_diff PORT MODE\n");
        return 2;
    }
    p.conf.is_newline_normalised = strcmp(argv[2], "normalise") == 0;
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_init(bufs[i], WIDE);
    while (getline(&line, &size, stdin) > 0) {
        if (p.fd < 0)
            start(&p, (uint16_t)strtoul(argv[1], NULL, 10));
        play(&p, line);
    }
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_done(bufs[i]);
    free(line);
    return 0;
}
