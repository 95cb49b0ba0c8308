/* load.c: the mail clients of the benchmark, as many as wanted, in one thread.
 *   load MODE --target ADDRESS:PORT [--tls 1.3 --ca FILE] --accounts FILE ...
 * Modes:
 *   login   --count N --concurrency C   connect, full TLS handshake, log in and out, N times
 *   idle    --count N --concurrency C   opens N sessions up to IDLE, then holds them
 *   noop    --count N --sessions S      round trips of NOOP, one at a time per session
 *   fetch   --octets N --sessions S     FETCH of whole messages until N octets were asked for
 *   append  --octets N --sessions S     uploads of --message-octets each until N octets were sent
 * --protocol imap (all modes), pop3 (login), submission (login and append).
 * All modes but login print {"ready": ...} when their sessions are open; noop, fetch and append
 * then wait for a line on standard input, idle for its end (or a line). The result is one line of
 * JSON. Source addresses are spread over 127.64.0.0/10 so that ports never run out and no gateway
 * takes it all for one client. The accounts file has "user password" on each line. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    MAX_ACCOUNTS = 4096,
    MAX_SESSIONS = 20000,
    MAX_SAMPLES = 1 << 22, /* 16 MiB of round trips */
};

struct account {
    char user[128], password[256];
};

struct mode {
    const char *name;
    bool is_one_by_one; /* --count is in all; --concurrency are opened at a time */
    void (*on_event)(struct client *c, enum client_event event);
    void (*on_go)(struct client *c); /* NULL: no waiting for a word on standard input */
};

static struct {
    const struct mode *mode;
    const struct client_speech *speech;
    struct sockaddr_in target;
    SSL_CTX *tls;
    uint64_t count, octets, message_octets;
    unsigned concurrency, sessions, timeout_s;
} conf = { .count = 1000,
           .octets = 1U << 30,
           .message_octets = 64U << 20,
           .concurrency = 16,
           .sessions = 1,
           .timeout_s = 600 };

static struct account accounts[MAX_ACCOUNTS];
static size_t account_count;
static struct client clients[MAX_SESSIONS]; /* pages that are not touched cost nothing */
static uint32_t samples_ns[MAX_SAMPLES];
static int poller;

static struct {
    uint64_t started, opened, finished, lost, refused, samples, octets, begun;
    uint64_t begin_ns, end_ns;
    bool is_holding, is_over;
    char suite[LINK_SUITE_OCTETS]; /* of the first session that got so far */
} run;

static void sample(uint64_t since_ns)
{
    uint64_t took = link_now_ns() - since_ns;
    if (run.samples < MAX_SAMPLES)
        samples_ns[run.samples++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
}

static void end_run(void)
{
    run.end_ns = link_now_ns();
    run.is_over = true;
}

/* Opens the next session in the slot `c`, if one is still wanted. */
static void start_next(struct client *c)
{
    if (run.started >= (conf.mode->is_one_by_one ? conf.count : conf.sessions))
        return;
    uint64_t i = run.started++;
    const struct account *who = &accounts[i % account_count];
    uint32_t source =
        (127U << 24) | ((uint32_t)(64 + i / 250 % 64) << 16) | ((uint32_t)(1 + i % 250) << 8) | 10U;
    struct client_conf wanted = { .source = { .sin_family = AF_INET,
                                              .sin_addr.s_addr = htonl(source) },
                                  .target = conf.target,
                                  .tls = conf.tls,
                                  .speech = conf.speech,
                                  .user = who->user,
                                  .password = who->password };
    struct epoll_event want = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = c };
    if (!client_start(c, &wanted) || epoll_ctl(poller, EPOLL_CTL_ADD, c->link.fd, &want) < 0) {
        fprintf(stderr, "load: cannot open a session: %s\n", strerror(errno));
        run.lost++;
        end_run();
    }
}

/* --- the modes: what to do on each event ------------------------------------------------------ */

static void login_event(struct client *c, enum client_event event)
{
    if (event == CLIENT_LOGGED_IN) {
        sample(c->started_ns);
        client_send(c, conf.speech->logout);
        return;
    }
    client_close(c);
    if (++run.finished == conf.count)
        end_run();
    else
        start_next(c);
}

static void all_open(void)
{
    printf("{\"ready\": %" PRIu64 ", \"seconds\": %.3f}\n", run.opened,
           (double)(link_now_ns() - run.begin_ns) / 1e9);
    fflush(stdout);
    run.is_holding = true;
}

static void idle_event(struct client *c, enum client_event event)
{
    if (event == CLIENT_LOGGED_IN) {
        client_send(c, "a IDLE\r\n");
    } else if (event == CLIENT_CONTINUE) {
        if (++run.opened == conf.count)
            all_open();
        else if (run.started < conf.count)
            start_next(&clients[run.started]);
    } else if (event == CLIENT_LOST || event == CLIENT_REFUSED) {
        client_close(c);
        if (!run.is_holding)
            end_run();
    }
}

/* The sessions of the other three modes wait for each other after logging in. */
static void wait_for_all(void)
{
    if (++run.opened == conf.sessions)
        all_open();
}

static void finish_one(void)
{
    if (++run.finished == conf.sessions)
        end_run();
}

static void noop_go(struct client *c)
{
    if (run.begun++ >= conf.count) {
        finish_one();
        return;
    }
    c->started_ns = link_now_ns();
    client_send(c, "a NOOP\r\n");
}

static void fetch_go(struct client *c)
{
    if (run.octets >= conf.octets) {
        finish_one();
        return;
    }
    run.octets += conf.message_octets;
    client_send(c, "a FETCH 1 BODY[]\r\n");
}

static void append_go(struct client *c)
{
    if (run.octets >= conf.octets) {
        finish_one();
        return;
    }
    run.octets += conf.message_octets;
    conf.speech->begin_upload(c, conf.message_octets);
}

static void work_event(struct client *c, enum client_event event)
{
    if (event == CLIENT_LOGGED_IN) {
        wait_for_all();
    } else if (event == CLIENT_CONTINUE) {
        client_upload(c, conf.message_octets);
    } else if (event == CLIENT_DONE) {
        if (conf.mode->on_go == noop_go)
            sample(c->started_ns);
        conf.mode->on_go(c);
    } else {
        client_close(c);
        end_run();
    }
}

static const struct mode modes[] = {
    { "login", true, login_event, NULL },       { "idle", true, idle_event, NULL },
    { "noop", false, work_event, noop_go },     { "fetch", false, work_event, fetch_go },
    { "append", false, work_event, append_go },
};

/* --- the loop --------------------------------------------------------------------------------- */

static void advance(struct client *c)
{
    while (c->stage != CLIENT_CLOSED && !run.is_over) {
        enum client_event event = client_advance(c);
        if (event == CLIENT_WAIT)
            return;
        if (event == CLIENT_LOGGED_IN && run.suite[0] == '\0')
            link_suite(&c->link, run.suite);
        run.lost += event == CLIENT_LOST;
        run.refused += event == CLIENT_REFUSED;
        conf.mode->on_event(c, event);
    }
}

/* A line, or the end, on standard input: once. */
static void take_word(void)
{
    char word[64];
    ssize_t n = read(STDIN_FILENO, word, sizeof(word));
    epoll_ctl(poller, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    if (!run.is_holding || n <= 0 || conf.mode->on_go == NULL) {
        end_run();
        return;
    }
    run.is_holding = false;
    run.begin_ns = link_now_ns();
    for (unsigned i = 0; i < conf.sessions && !run.is_over; i++) {
        conf.mode->on_go(&clients[i]);
        advance(&clients[i]);
    }
}

static bool loop(void)
{
    struct epoll_event events[EVENTS];
    uint64_t deadline_ns = link_now_ns() + (uint64_t)conf.timeout_s * 1000000000U;
    while (!run.is_over) {
        int n = epoll_wait(poller, events, EVENTS, 1000);
        for (int i = 0; i < n && !run.is_over; i++) {
            if (events[i].data.ptr == NULL)
                take_word();
            else
                advance(events[i].data.ptr);
        }
        if (link_now_ns() > deadline_ns) {
            fprintf(stderr, "load: not done after %u s\n", conf.timeout_s);
            end_run();
            return false;
        }
    }
    return true;
}

static void begin(void)
{
    uint64_t at_once = conf.sessions;
    if (conf.mode->is_one_by_one)
        at_once = conf.concurrency < conf.count ? conf.concurrency : conf.count;
    run.begin_ns = link_now_ns();
    for (uint64_t i = 0; i < at_once && !run.is_over; i++)
        start_next(&clients[i]);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double sample_us(double part)
{
    if (run.samples == 0)
        return 0;
    return samples_ns[(size_t)((double)(run.samples - 1) * part)] / 1e3;
}

static void print_result(void)
{
    uint64_t octets = conf.mode->on_go == append_go ? run.octets : 0;
    for (uint64_t i = 0; i < conf.sessions; i++)
        octets += clients[i].fetched_octets;
    qsort(samples_ns, run.samples, sizeof(*samples_ns), by_size);
    printf("{\"mode\": \"%s\", \"seconds\": %.6f, \"opened\": %" PRIu64 ", \"samples\": %" PRIu64
           ", \"p50_us\": %.1f, \"p99_us\": %.1f, \"octets\": %" PRIu64 ", \"lost\": %" PRIu64
           ", \"refused\": %" PRIu64 ", \"suite\": \"%s\"}\n",
           conf.mode->name, (double)(run.end_ns - run.begin_ns) / 1e9, run.opened, run.samples,
           sample_us(0.5), sample_us(0.99), octets, run.lost, run.refused, run.suite);
    fflush(stdout);
}

/* --- options ---------------------------------------------------------------------------------- */

static bool read_accounts(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
        return false;
    }
    while (account_count < MAX_ACCOUNTS && fscanf(file, "%127s %255s", accounts[account_count].user,
                                                  accounts[account_count].password) == 2)
        account_count++;
    fclose(file);
    return account_count > 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: load login|idle|noop|fetch|append --target ADDRESS:PORT "
                    "--accounts FILE\n"
                    "  [--protocol imap|pop3|submission (login and append only)]\n"
                    "  [--tls 1.2|1.3] [--ca FILE] [--count N] [--concurrency N] [--sessions N]\n"
                    "  [--octets N] [--message-octets N] [--timeout SECONDS]\n");
    return 2;
}

static bool take_options(int argc, char **argv)
{
    static const struct option options[] = {
        { "protocol", required_argument, NULL, 'p' },
        { "target", required_argument, NULL, 't' },
        { "tls", required_argument, NULL, 'v' },
        { "ca", required_argument, NULL, 'a' },
        { "accounts", required_argument, NULL, 'u' },
        { "count", required_argument, NULL, 'n' },
        { "concurrency", required_argument, NULL, 'c' },
        { "sessions", required_argument, NULL, 's' },
        { "octets", required_argument, NULL, 'o' },
        { "timeout", required_argument, NULL, 'w' },
        { "message-octets", required_argument, NULL, 'm' },
        { NULL, 0, NULL, 0 },
    };
    const char *ca = NULL, *version = NULL;
    bool has_target = false;
    conf.speech = client_speech("imap");
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint64_t number = optarg == NULL ? 0 : strtoull(optarg, NULL, 10);
        switch (c) {
        case 'p':
            conf.speech = client_speech(optarg);
            break;
        case 't':
            has_target = link_parse_address(optarg, &conf.target);
            break;
        case 'v':
            version = optarg;
            break;
        case 'a':
            ca = optarg;
            break;
        case 'u':
            read_accounts(optarg);
            break;
        case 'n':
            conf.count = number;
            break;
        case 'c':
            conf.concurrency = (unsigned)number;
            break;
        case 's':
            conf.sessions = (unsigned)number;
            break;
        case 'o':
            conf.octets = number;
            break;
        case 'm':
            conf.message_octets = number;
            break;
        case 'w':
            conf.timeout_s = (unsigned)number;
            break;
        default:
            return false;
        }
    }
    for (size_t i = 0; optind < argc && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].name, argv[optind]) == 0)
            conf.mode = &modes[i];
    }
    if (version != NULL && (conf.tls = link_client_context(ca, version)) == NULL)
        return false;
    return has_target && conf.mode != NULL && conf.speech != NULL &&
           (conf.mode->on_go != append_go || conf.speech->begin_upload != NULL) &&
           account_count > 0 && conf.sessions > 0 && conf.sessions <= MAX_SESSIONS &&
           conf.concurrency > 0 && conf.count > 0 &&
           (conf.count <= MAX_SESSIONS || conf.mode->on_event != idle_event) &&
           conf.concurrency <= MAX_SESSIONS;
}

int main(int argc, char **argv)
{
    if (!take_options(argc, argv))
        return usage();
    signal(SIGPIPE, SIG_IGN);
    link_raise_descriptors();
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event want = { .events = EPOLLIN, .data.ptr = NULL };
    if (poller < 0 || (conf.mode->on_event != login_event &&
                       epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &want) < 0)) {
        perror("load");
        return 1;
    }
    begin();
    bool is_done = loop();
    print_result();
    for (size_t i = 0; i < MAX_SESSIONS; i++)
        client_close(&clients[i]);
    SSL_CTX_free(conf.tls);
    return is_done && run.lost == 0 && run.refused == 0 ? 0 : 1;
}
