#include "warden/source/directory_io.h"

#include <errno.h>
#include <lber.h>
#include <poll.h>
#include <sys/time.h>
#include <time.h>

/* Above the socket, below TLS. */
#define LAYER (LBER_SBIOD_LEVEL_PROVIDER + 5)

static int64_t now_ms(void)
{
    struct timespec t;

    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* false, with errno: the deadline has come, or there is no socket. */
static bool wait_for(Sockbuf_IO_Desc *d, short what)
{
    const struct directory_deadline *deadline = d->sbiod_pvt;
    struct pollfd p = { .fd = -1, .events = what };
    int64_t left = deadline->at_ms - now_ms();

    (void)ber_sockbuf_ctrl(d->sbiod_sb, LBER_SB_OPT_GET_FD, &p.fd);
    int n = left <= 0 || p.fd < 0 ? 0 : poll(&p, 1, (int)left);
    if (n == 0)
        errno = ETIMEDOUT;
    return n > 0 || (n < 0 && errno == EINTR);
}

static bool is_to_be_tried_again(ber_slen_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* Asked before every call: a peer that sends an octet now and then does not get around it. */
static bool is_over(Sockbuf_IO_Desc *d)
{
    const struct directory_deadline *deadline = d->sbiod_pvt;

    if (now_ms() < deadline->at_ms)
        return false;
    errno = ETIMEDOUT;
    return true;
}

static ber_slen_t layer_read(Sockbuf_IO_Desc *d, void *to, ber_len_t n)
{
    while (!is_over(d)) {
        ber_slen_t got = LBER_SBIOD_READ_NEXT(d, to, n);
        if (!is_to_be_tried_again(got))
            return got;
        if (!wait_for(d, POLLIN))
            break;
    }
    return -1;
}

static ber_slen_t layer_write(Sockbuf_IO_Desc *d, void *from, ber_len_t n)
{
    while (!is_over(d)) {
        ber_slen_t put = LBER_SBIOD_WRITE_NEXT(d, from, n);
        if (!is_to_be_tried_again(put))
            return put;
        if (!wait_for(d, POLLOUT))
            break;
    }
    return -1;
}

static int layer_setup(Sockbuf_IO_Desc *d, void *arg)
{
    d->sbiod_pvt = arg;
    return 0;
}

static int layer_control(Sockbuf_IO_Desc *d, int option, void *arg)
{
    return LBER_SBIOD_CTRL_NEXT(d, option, arg);
}

static int layer_end(Sockbuf_IO_Desc *d)
{
    (void)d;
    return 0;
}

/* Called when the socket is connected, before TLS. */
static int add_layer(LDAP *ld, Sockbuf *sb, LDAPURLDesc *server, struct sockaddr *address,
                     struct ldap_conncb *callback)
{
    static Sockbuf_IO layer = {
        .sbi_setup = layer_setup,
        .sbi_remove = layer_end,
        .sbi_ctrl = layer_control,
        .sbi_read = layer_read,
        .sbi_write = layer_write,
        .sbi_close = layer_end,
    };

    (void)ld;
    (void)server;
    (void)address;
    return ber_sockbuf_add_io(sb, &layer, LAYER, callback->lc_arg);
}

static void forget(LDAP *ld, Sockbuf *sb, struct ldap_conncb *callback)
{
    (void)ld;
    (void)sb;
    (void)callback;
}

bool directory_deadline_set(LDAP *ld, struct directory_deadline *d, uint32_t timeout_ms)
{
    *d = (struct directory_deadline){
        .at_ms = now_ms() + timeout_ms,
        .callback = { .lc_add = add_layer, .lc_del = forget, .lc_arg = d },
    };
    return ldap_set_option(ld, LDAP_OPT_CONNECT_CB, &d->callback) == LDAP_OPT_SUCCESS;
}

struct timeval directory_deadline_left(const struct directory_deadline *d)
{
    int64_t left = d->at_ms - now_ms();

    if (left < 1)
        left = 1;
    return (struct timeval){ left / 1000, left % 1000 * 1000 };
}
