#include "net/tls.h"

#include "net/tls_common.h"

#include <openssl/err.h>
#include <stdio.h>

#define READ_AHEAD (4 * (16384 + 256)) /* four whole records in one read(2) */

void tls_common_setup(SSL_CTX *ctx)
{
    /* Partial writes from a buffer that may move, since the pipe owns it; 16 KiB buffers only while
     * octets move; one read(2) for several records instead of two for each. */
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    (void)SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT); /* slots are used again by others */
    SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD);
}

const char *tls_failure(const SSL *ssl, char *text, size_t size)
{
    const long verified = ssl == NULL ? X509_V_OK : SSL_get_verify_result(ssl);
    const unsigned long e = ERR_peek_last_error();
    const char *reason = e == 0 ? NULL : ERR_reason_error_string(e);

    if (verified != X509_V_OK)
        (void)snprintf(text, size, "certificate: %s", X509_verify_cert_error_string(verified));
    else
        (void)snprintf(text, size, "%s", reason != NULL ? reason : "the peer closed");
    ERR_clear_error();
    return text;
}
