/* backend.c: the mail server behind the gateways of the benchmark.
 * Speaks just enough IMAP (RFC 3501) to log anybody in, stream one message and swallow uploads,
 * so that its own cost is small and the same for every gateway. One process, one thread, epoll,
 * edge-triggered. Knows no password and keeps no mail: loopback only.
 *   backend --imap 127.0.0.1:1143 --imaps 127.0.0.1:1993 --certificate PEM --key PEM
 * SIGUSR1 prints the counters as one line of JSON, SIGTERM ends. */
#include "link.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CAPABILITIES "IMAP4rev1 SASL-IR LITERAL+ ID IDLE UIDPLUS NAMESPACE AUTH=PLAIN"

enum {
    LINE_OCTETS = 4096,       /* longest command line; a SASL response is below 1 KiB */
    REPLY_OCTETS = 1024,      /* the longest reply is the one to SELECT */
    TAG_OCTETS = 64,          /* clients use about five */
    CHUNK_OCTETS = 16 * 1024, /* one full TLS record */
    EVENTS = 256,
};

enum expect { EXPECT_COMMAND, EXPECT_SASL, EXPECT_DONE };

struct session {
    struct link link;
    bool is_ready;         /* the TLS handshake is over and the greeting is out */
    bool is_closing;       /* close when `reply` is out */
    enum expect expect;    /* what the next line is */
    bool is_rest;          /* the next line is what follows a literal */
    uint64_t literal_left; /* octets of a literal still to swallow */
    uint64_t stream_left;  /* octets of the message still to send */
    bool is_stream_tail;   /* ")" and the tagged reply follow the message */
    char tag[TAG_OCTETS];
    char verb[16];
    size_t in_length, reply_length, reply_sent;
    char in[LINE_OCTETS];
    char reply[REPLY_OCTETS];
};

struct listener {
    int fd;
    SSL_CTX *tls;
};

static struct {
    uint64_t connections, handshakes, resumed, logins, fetched_octets, appended_octets;
} counters;

static char suite[LINK_SUITE_OCTETS]; /* of the last handshake */
static uint64_t message_octets = 64U << 20;
static char message[CHUNK_OCTETS]; /* lines of 62 letters and CRLF, repeated */
static int poller;

static void say(struct session *s, const char *text)
{
    size_t n = strlen(text);
    if (n > sizeof(s->reply) - s->reply_length) {
        s->is_closing = true;
        return;
    }
    memcpy(s->reply + s->reply_length, text, n);
    s->reply_length += n;
}

static void say_tagged(struct session *s, const char *text)
{
    say(s, s->tag);
    say(s, " ");
    say(s, text);
    say(s, "\r\n");
}

static void say_logged_in(struct session *s)
{
    counters.logins++;
    say_tagged(s, "OK [CAPABILITY " CAPABILITIES "] Logged in");
}

static void do_authenticate(struct session *s, const char *rest)
{
    if (strncasecmp(rest, "PLAIN", 5) != 0) {
        say_tagged(s, "NO PLAIN only");
    } else if (rest[5] == ' ') {
        say_logged_in(s);
    } else {
        s->expect = EXPECT_SASL;
        say(s, "+ \r\n");
    }
}

static void do_login(struct session *s, const char *rest)
{
    (void)rest;
    say_logged_in(s);
}

static void do_capability(struct session *s, const char *rest)
{
    (void)rest;
    say(s, "* CAPABILITY " CAPABILITIES "\r\n");
    say_tagged(s, "OK done");
}

static void do_id(struct session *s, const char *rest)
{
    (void)rest;
    say(s, "* ID (\"name\" \"backend\")\r\n");
    say_tagged(s, "OK done");
}

static void do_nothing(struct session *s, const char *rest)
{
    (void)rest;
    say_tagged(s, "OK done");
}

static void do_select(struct session *s, const char *rest)
{
    (void)rest;
    say(s, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* 1 EXISTS\r\n* 0 RECENT\r\n"
           "* OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 2] next\r\n");
    say_tagged(s, "OK [READ-WRITE] done");
}

static void do_idle(struct session *s, const char *rest)
{
    (void)rest;
    s->expect = EXPECT_DONE;
    say(s, "+ idling\r\n");
}

static void do_fetch(struct session *s, const char *rest)
{
    (void)rest;
    char head[80];
    snprintf(head, sizeof(head), "* 1 FETCH (BODY[] {%" PRIu64 "}\r\n", message_octets);
    say(s, head);
    s->stream_left = message_octets;
    s->is_stream_tail = true;
}

static void do_logout(struct session *s, const char *rest)
{
    (void)rest;
    say(s, "* BYE\r\n");
    say_tagged(s, "OK done");
    s->is_closing = true;
}

static const struct command {
    const char *verb;
    void (*run)(struct session *s, const char *rest);
} commands[] = {
    { "NOOP", do_nothing },
    { "CAPABILITY", do_capability },
    { "LOGIN", do_login },
    { "AUTHENTICATE", do_authenticate },
    { "ID", do_id },
    { "SELECT", do_select },
    { "FETCH", do_fetch },
    { "APPEND", do_nothing },
    { "IDLE", do_idle },
    { "LOGOUT", do_logout },
    { "NAMESPACE", do_nothing },
    { "LIST", do_nothing },
};

static void run_command(struct session *s, const char *rest)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcasecmp(commands[i].verb, s->verb) == 0) {
            commands[i].run(s, rest);
            return;
        }
    }
    say_tagged(s, "BAD unknown command");
}

/* Copies the word at `text` and returns what stands behind it and its space. */
static const char *take_word(const char *text, char *to, size_t size)
{
    size_t n = strcspn(text, " ");
    size_t kept = n < size - 1 ? n : size - 1;
    memcpy(to, text, kept);
    to[kept] = '\0';
    return text[n] == ' ' ? text + n + 1 : text + n;
}

/* True when the line ends in a literal, which is then awaited (and asked for, unless "+"). */
static bool begin_literal(struct session *s, const char *line, size_t length)
{
    const char *open = strrchr(line, '{');
    if (open == NULL || length < 3 || line[length - 1] != '}')
        return false;
    char *end;
    s->literal_left = strtoull(open + 1, &end, 10);
    if (*end == '}')
        say(s, "+ OK\r\n");
    else if (strcmp(end, "+}") != 0)
        return false;
    s->is_rest = true;
    return true;
}

/* One line without its CRLF, NUL-terminated. */
static void take_line(struct session *s, const char *line, size_t length)
{
    if (s->expect == EXPECT_SASL) {
        s->expect = EXPECT_COMMAND;
        say_logged_in(s);
        return;
    }
    if (s->expect == EXPECT_DONE) {
        s->expect = EXPECT_COMMAND;
        say_tagged(s, "OK done");
        return;
    }
    const char *rest = "";
    if (!s->is_rest) {
        rest = take_word(line, s->tag, sizeof(s->tag));
        rest = take_word(rest, s->verb, sizeof(s->verb));
    }
    s->is_rest = false;
    if (!begin_literal(s, line, length))
        run_command(s, rest);
}

/* Takes the first complete line out of `in`; false when there is none. */
static bool next_line(struct session *s)
{
    char *newline = memchr(s->in, '\n', s->in_length);
    if (newline == NULL)
        return false;
    size_t used = (size_t)(newline - s->in) + 1;
    size_t length = used - 1;
    if (length > 0 && s->in[length - 1] == '\r')
        length--;
    s->in[length] = '\0';
    take_line(s, s->in, length);
    s->in_length -= used;
    memmove(s->in, s->in + used, s->in_length);
    return true;
}

/* Sends what is due: 1 when nothing is left, else LINK_WAIT or LINK_BAD. */
static int flush(struct session *s)
{
    while (s->reply_sent < s->reply_length) {
        ssize_t n = link_write(&s->link, s->reply + s->reply_sent, s->reply_length - s->reply_sent);
        if (n < 0)
            return (int)n;
        s->reply_sent += (size_t)n;
    }
    s->reply_sent = s->reply_length = 0;
    while (s->stream_left > 0) {
        size_t from = (size_t)((message_octets - s->stream_left) % sizeof(message));
        size_t size = sizeof(message) - from;
        if (size > s->stream_left)
            size = (size_t)s->stream_left;
        ssize_t n = link_write(&s->link, message + from, size);
        if (n < 0)
            return (int)n;
        s->stream_left -= (uint64_t)n;
        counters.fetched_octets += (uint64_t)n;
    }
    if (s->is_stream_tail) {
        s->is_stream_tail = false;
        say(s, ")\r\n");
        say_tagged(s, "OK done");
        return flush(s);
    }
    return 1;
}

/* Swallows literal octets: first what is buffered, then straight from the socket. */
static ssize_t sink(struct session *s)
{
    static char waste[4 * CHUNK_OCTETS];
    if (s->in_length > 0) {
        size_t n = s->in_length < s->literal_left ? s->in_length : (size_t)s->literal_left;
        s->in_length -= n;
        memmove(s->in, s->in + n, s->in_length);
        s->literal_left -= n;
        counters.appended_octets += n;
        return (ssize_t)n;
    }
    size_t size = s->literal_left < sizeof(waste) ? (size_t)s->literal_left : sizeof(waste);
    ssize_t n = link_read(&s->link, waste, size);
    if (n > 0) {
        s->literal_left -= (uint64_t)n;
        counters.appended_octets += (uint64_t)n;
    }
    return n;
}

static ssize_t fill(struct session *s)
{
    if (s->in_length == sizeof(s->in))
        return LINK_BAD;
    ssize_t n = link_read(&s->link, s->in + s->in_length, sizeof(s->in) - s->in_length);
    if (n > 0)
        s->in_length += (size_t)n;
    return n;
}

static int greet(struct session *s)
{
    int result = link_handshake(&s->link);
    if (result != 1)
        return result;
    s->is_ready = true;
    if (s->link.ssl != NULL) {
        counters.handshakes++;
        counters.resumed += (uint64_t)SSL_session_reused(s->link.ssl);
        link_suite(&s->link, suite);
    }
    say(s, "* OK [CAPABILITY " CAPABILITIES "] ready\r\n");
    return 1;
}

/* Does all that can be done now; LINK_WAIT, or LINK_END/LINK_BAD when the session is over. */
static int advance(struct session *s)
{
    if (!s->is_ready) {
        int result = greet(s);
        if (result != 1)
            return result;
    }
    for (;;) {
        int flushed = flush(s);
        if (flushed != 1)
            return flushed;
        if (s->is_closing)
            return LINK_END;
        if (s->literal_left == 0 && next_line(s))
            continue;
        ssize_t n = s->literal_left > 0 ? sink(s) : fill(s);
        if (n <= 0)
            return (int)n;
    }
}

static void serve(struct session *s)
{
    if (advance(s) == LINK_WAIT)
        return;
    link_close(&s->link);
    OPENSSL_free(s);
}

static void welcome(const struct listener *from)
{
    for (;;) {
        struct link l;
        int result = link_accept(&l, from->fd, from->tls);
        if (result == LINK_WAIT)
            return;
        if (result == LINK_BAD) {
            fprintf(stderr, "backend: accept: %s\n", strerror(errno));
            return;
        }
        struct session *s = OPENSSL_zalloc(sizeof(*s));
        if (s == NULL) {
            link_close(&l);
            return;
        }
        s->link = l;
        counters.connections++;
        struct epoll_event want = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = s };
        if (epoll_ctl(poller, EPOLL_CTL_ADD, l.fd, &want) < 0) {
            link_close(&s->link);
            OPENSSL_free(s);
        }
    }
}

static void print_counters(void)
{
    printf("{\"connections\": %" PRIu64 ", \"handshakes\": %" PRIu64 ", \"resumed\": %" PRIu64
           ", \"logins\": %" PRIu64 ", \"fetched_octets\": %" PRIu64
           ", \"appended_octets\": %" PRIu64 ", \"suite\": \"%s\"}\n",
           counters.connections, counters.handshakes, counters.resumed, counters.logins,
           counters.fetched_octets, counters.appended_octets, suite);
    fflush(stdout);
}

/* False on SIGTERM or SIGINT. */
static bool take_signal(int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return true;
    if (info.ssi_signo != SIGUSR1)
        return false;
    print_counters();
    return true;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static void loop(struct listener listeners[2], int signals)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            void *what = events[i].data.ptr;
            if (what == NULL) {
                if (!take_signal(signals))
                    return;
            } else if (what == &listeners[0] || what == &listeners[1]) {
                welcome(what);
            } else {
                serve(what);
            }
        }
    }
}

static bool watch(int fd, void *what)
{
    struct epoll_event want = { .events = EPOLLIN, .data.ptr = what };
    return fd >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, fd, &want) == 0;
}

static void fill_message(void)
{
    for (size_t i = 0; i < sizeof(message); i++) {
        size_t column = i % 64;
        message[i] = column == 62 ? '\r' : column == 63 ? '\n' : (char)('A' + column % 26);
    }
}

static bool open_listener(struct listener *l, const char *where)
{
    struct sockaddr_in address;
    if (where == NULL)
        return true;
    if (!link_parse_address(where, &address) || !watch(l->fd = link_listen(&address), l)) {
        fprintf(stderr, "backend: cannot listen on %s: %s\n", where, strerror(errno));
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "imap", required_argument, NULL, 'p' },
        { "imaps", required_argument, NULL, 's' },
        { "certificate", required_argument, NULL, 'c' },
        { "key", required_argument, NULL, 'k' },
        { "message-octets", required_argument, NULL, 'm' },
        { NULL, 0, NULL, 0 },
    };
    const char *plain = NULL, *implicit = NULL, *certificate = NULL, *key = NULL;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'p':
            plain = optarg;
            break;
        case 's':
            implicit = optarg;
            break;
        case 'c':
            certificate = optarg;
            break;
        case 'k':
            key = optarg;
            break;
        case 'm':
            message_octets = strtoull(optarg, NULL, 10);
            break;
        default:
            fprintf(stderr, "usage: backend [--imap ADDRESS:PORT] [--imaps ADDRESS:PORT "
                            "--certificate FILE --key FILE] [--message-octets N]\n");
            return 2;
        }
    }
    struct listener listeners[2] = { { .fd = -1 }, { .fd = -1 } };
    if (implicit != NULL && (certificate == NULL || key == NULL ||
                             (listeners[1].tls = link_server_context(certificate, key)) == NULL))
        return 2;
    poller = epoll_create1(EPOLL_CLOEXEC);
    link_raise_descriptors();
    fill_message();
    int signals = open_signals();
    if (!watch(signals, NULL) || !open_listener(&listeners[0], plain) ||
        !open_listener(&listeners[1], implicit))
        return 1;
    puts("ready");
    fflush(stdout);
    loop(listeners, signals);
    print_counters();
    SSL_CTX_free(listeners[1].tls);
    return 0;
}
