/* link.c: see link.h. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    READ_AHEAD_OCTETS = 64 * 1024, /* four records with one system call */
};

/* Both ends of the rig know one suite and prefer one group, so that no gateway wins by choosing
 * others. TLS 1.2 needs P-256 in the list for the certificate. */
#define SUITE_1_3 "TLS_AES_256_GCM_SHA384"
#define SUITE_1_2 "ECDHE-ECDSA-AES256-GCM-SHA384"
#define GROUPS    "X25519:P-256"

bool link_parse_address(const char *text, struct sockaddr_in *ret_address)
{
    char host[INET_ADDRSTRLEN];
    const char *colon = strchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        return false;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';

    char *end;
    long port = strtol(colon + 1, &end, 10);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (*end != '\0' || port < 1 || port > 65535 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return false;
    *ret_address = address;
    return true;
}

int link_listen(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
        listen(fd, BACKLOG) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Gives the descriptor its TLS object; on failure the link is closed. */
static int link_begin(struct link *l, SSL_CTX *tls, bool is_server)
{
    int on = 1;
    if (setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) {
        link_close(l);
        return LINK_BAD;
    }
    if (tls == NULL)
        return 1;
    l->ssl = SSL_new(tls);
    if (l->ssl == NULL || SSL_set_fd(l->ssl, l->fd) != 1) {
        link_close(l);
        return LINK_BAD;
    }
    if (is_server)
        SSL_set_accept_state(l->ssl);
    else
        SSL_set_connect_state(l->ssl);
    return 1;
}

int link_accept(struct link *l, int listener, SSL_CTX *tls)
{
    *l = (struct link){ .fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) };
    if (l->fd < 0)
        return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR ? LINK_WAIT : LINK_BAD;
    return link_begin(l, tls, true);
}

int link_connect(struct link *l, const struct sockaddr_in *source, const struct sockaddr_in *target,
                 SSL_CTX *tls)
{
    *l = (struct link){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
    if (l->fd < 0)
        return LINK_BAD;
    /* The port is chosen in connect(), per pair of addresses: otherwise 28,000 is the end. */
    int on = 1;
    if (setsockopt(l->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0 ||
        bind(l->fd, (const struct sockaddr *)source, sizeof(*source)) < 0 ||
        (connect(l->fd, (const struct sockaddr *)target, sizeof(*target)) < 0 &&
         errno != EINPROGRESS)) {
        link_close(l);
        return LINK_BAD;
    }
    return link_begin(l, tls, false);
}

static int ssl_result(SSL *ssl, int result)
{
    int why = SSL_get_error(ssl, result);
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return LINK_WAIT;
    return why == SSL_ERROR_ZERO_RETURN ? LINK_END : LINK_BAD;
}

int link_handshake(struct link *l)
{
    if (l->ssl == NULL)
        return 1;
    int result = SSL_do_handshake(l->ssl);
    if (result == 1)
        return 1;
    return ssl_result(l->ssl, result) == LINK_WAIT ? LINK_WAIT : LINK_BAD;
}

ssize_t link_read(struct link *l, void *to, size_t size)
{
    if (l->ssl != NULL) {
        size_t n = 0;
        int result = SSL_read_ex(l->ssl, to, size, &n);
        return result == 1 ? (ssize_t)n : ssl_result(l->ssl, result);
    }
    ssize_t n = read(l->fd, to, size);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? LINK_WAIT : LINK_BAD;
}

ssize_t link_write(struct link *l, const void *from, size_t size)
{
    if (l->ssl != NULL) {
        size_t n = 0;
        int result = SSL_write_ex(l->ssl, from, size, &n);
        return result == 1 ? (ssize_t)n : ssl_result(l->ssl, result);
    }
    ssize_t n = send(l->fd, from, size, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? LINK_WAIT : LINK_BAD;
}

void link_close(struct link *l)
{
    if (l->ssl != NULL) {
        if (SSL_is_init_finished(l->ssl))
            SSL_shutdown(l->ssl);
        ERR_clear_error();
        SSL_free(l->ssl);
        l->ssl = NULL;
    }
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

void link_suite(const struct link *l, char ret_text[LINK_SUITE_OCTETS])
{
    if (l->ssl == NULL) {
        snprintf(ret_text, LINK_SUITE_OCTETS, "plain");
        return;
    }
    const char *group = OBJ_nid2sn((int)SSL_get_negotiated_group(l->ssl));
    snprintf(ret_text, LINK_SUITE_OCTETS, "%s %s %s", SSL_get_version(l->ssl),
             SSL_get_cipher_name(l->ssl), group == NULL ? "" : group);
}

static SSL_CTX *link_context(const SSL_METHOD *method)
{
    SSL_CTX *tls = SSL_CTX_new(method);
    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(tls, SUITE_1_3) != 1 ||
        SSL_CTX_set_cipher_list(tls, SUITE_1_2) != 1 ||
        SSL_CTX_set1_groups_list(tls, GROUPS) != 1) {
        SSL_CTX_free(tls);
        return NULL;
    }
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_default_read_buffer_len(tls, READ_AHEAD_OCTETS);
    return tls;
}

SSL_CTX *link_server_context(const char *certificate, const char *key)
{
    static const unsigned char id[] = "bench";
    SSL_CTX *tls = link_context(TLS_server_method());
    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_set_session_id_context(tls, id, sizeof(id) - 1) != 1) {
        ERR_print_errors_fp(stderr);
        SSL_CTX_free(tls);
        return NULL;
    }
    return tls;
}

SSL_CTX *link_client_context(const char *ca, const char *version)
{
    int only = strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX *tls = link_context(TLS_client_method());
    if (tls == NULL || SSL_CTX_set_max_proto_version(tls, only) != 1 ||
        SSL_CTX_set_min_proto_version(tls, only) != 1 ||
        (ca != NULL && SSL_CTX_load_verify_locations(tls, ca, NULL) != 1)) {
        ERR_print_errors_fp(stderr);
        SSL_CTX_free(tls);
        return NULL;
    }
    if (ca != NULL)
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    return tls;
}

uint64_t link_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

unsigned long link_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}
