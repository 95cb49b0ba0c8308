/* backend.c: the mail server behind the gateways of the benchmark.
 * Speaks just enough of a protocol to log anybody in, stream one message and swallow uploads, so
 * that its own cost is small and the same for every gateway. One process, one thread, epoll,
 * edge-triggered. Knows no password and keeps no mail: loopback only.
 *   backend --protocol imap --plain 127.0.0.1:1143 --implicit 127.0.0.1:1993 --certificate PEM
 *           --key PEM
 * SIGUSR1 prints the counters as one line of JSON, SIGTERM ends. */
#include "backend.h"

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

enum {
    CHUNK_OCTETS = 16 * 1024, /* one full TLS record */
    EVENTS = 256,
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
static const struct dialect *dialect = &backend_imap;

void backend_say(struct session *s, const char *text)
{
    size_t n = strlen(text);
    if (n > sizeof(s->reply) - s->reply_length) {
        s->is_closing = true;
        return;
    }
    memcpy(s->reply + s->reply_length, text, n);
    s->reply_length += n;
}

/* Copies the word at `text` and returns what stands behind it and its space. */
const char *backend_take_word(const char *text, char *to, size_t size)
{
    size_t n = strcspn(text, " ");
    size_t kept = n < size - 1 ? n : size - 1;
    memcpy(to, text, kept);
    to[kept] = '\0';
    return text[n] == ' ' ? text + n + 1 : text + n;
}

void backend_logged_in(void)
{
    counters.logins++;
}

uint64_t backend_message_octets(void)
{
    return message_octets;
}

void backend_stream(struct session *s)
{
    s->stream_left = message_octets;
    s->is_stream_tail = true;
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
    s->dialect->take_line(s, s->in, length);
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
        s->dialect->end_stream(s);
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

/* Takes octets of a message, of which the client sends nothing behind its end. */
static void swallow(struct session *s, const char *octets, size_t n)
{
    const char end[] = { '\n', '.', '\r', '\n' };
    const size_t kept = n < sizeof(s->tail) ? sizeof(s->tail) - n : 0;
    const size_t fresh = sizeof(s->tail) - kept;
    memmove(s->tail, s->tail + fresh, kept);
    memcpy(s->tail + kept, octets + n - fresh, fresh);
    counters.appended_octets += n;
    if (memcmp(s->tail, end, sizeof(end)) == 0) {
        s->is_message = false;
        backend_say(s, "250 2.0.0 taken\r\n");
    }
}

static ssize_t sink_message(struct session *s)
{
    static char waste[4 * CHUNK_OCTETS];
    ssize_t n = (ssize_t)s->in_length;
    if (n > 0) {
        swallow(s, s->in, s->in_length);
        s->in_length = 0;
        return n;
    }
    n = link_read(&s->link, waste, sizeof(waste));
    if (n > 0)
        swallow(s, waste, (size_t)n);
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
    backend_say(s, s->dialect->greeting);
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
        if (s->literal_left == 0 && !s->is_message && next_line(s))
            continue;
        ssize_t n = s->literal_left > 0 ? sink(s) : s->is_message ? sink_message(s) : fill(s);
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
        s->dialect = dialect;
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

static const struct dialect *dialect_named(const char *name)
{
    static const struct dialect *const all[] = { &backend_imap, &backend_pop3, &backend_smtp };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    fprintf(stderr, "backend: no protocol %s\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "protocol", required_argument, NULL, 'P' },
        { "plain", required_argument, NULL, 'p' },
        { "implicit", required_argument, NULL, 's' },
        { "certificate", required_argument, NULL, 'c' },
        { "key", required_argument, NULL, 'k' },
        { "message-octets", required_argument, NULL, 'm' },
        { NULL, 0, NULL, 0 },
    };
    const char *plain = NULL, *implicit = NULL, *certificate = NULL, *key = NULL;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'P':
            dialect = dialect_named(optarg);
            break;
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
            fprintf(stderr, "usage: backend [--protocol imap|pop3|submission]\n"
                            "  [--plain ADDRESS:PORT] [--implicit ADDRESS:PORT "
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
