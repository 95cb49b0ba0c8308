/* client.c: see client.h. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_OCTETS = 64 * 1024, COLUMNS = 64 };

/* The message that the backend sends and that uploads carry: 62 letters and CRLF, for ever. */
static const char *pattern(void)
{
    static char text[CHUNK_OCTETS + COLUMNS];
    if (text[0] == '\0') {
        for (size_t i = 0; i < sizeof(text); i++) {
            size_t column = i % COLUMNS;
            text[i] = column == 62 ? '\r' : column == 63 ? '\n' : (char)('A' + column % 26);
        }
    }
    return text;
}

bool client_start(struct client *c, const struct client_conf *conf)
{
    *c = (struct client){
        .link.fd = -1, .speech = conf->speech, .user = conf->user, .password = conf->password
    };
    if (link_connect(&c->link, &conf->source, &conf->target, conf->tls) != 1)
        return false;
    c->stage = CLIENT_HANDSHAKE;
    c->started_ns = link_now_ns();
    return true;
}

void client_send(struct client *c, const char *text)
{
    size_t n = strlen(text);
    if (n > sizeof(c->out) - c->out_length)
        n = sizeof(c->out) - c->out_length; /* the server will say BAD, and the run fails */
    memcpy(c->out + c->out_length, text, n);
    c->out_length += n;
}

void client_upload(struct client *c, uint64_t octets)
{
    c->upload_left = octets + strlen(c->speech->upload_end);
    c->literal_at = 0;
}

void client_close(struct client *c)
{
    if (c->stage == CLIENT_CLOSED)
        return;
    link_close(&c->link);
    c->stage = CLIENT_CLOSED;
}

static int flush(struct client *c)
{
    while (c->out_sent < c->out_length) {
        ssize_t n = link_write(&c->link, c->out + c->out_sent, c->out_length - c->out_sent);
        if (n < 0)
            return (int)n;
        c->out_sent += (size_t)n;
    }
    c->out_sent = c->out_length = 0;
    const size_t end = strlen(c->speech->upload_end);
    while (c->upload_left > 0) {
        const char *from = pattern() + c->literal_at % COLUMNS;
        uint64_t left = c->upload_left - end;
        size_t size = left < CHUNK_OCTETS ? (size_t)left : CHUNK_OCTETS;
        if (c->upload_left <= end) {
            from = c->speech->upload_end + end - c->upload_left;
            size = (size_t)c->upload_left;
        }
        ssize_t n = link_write(&c->link, from, size);
        if (n < 0)
            return (int)n;
        c->upload_left -= (uint64_t)n;
        c->literal_at += (uint64_t)n;
    }
    return 1;
}

/* Reads literal octets and compares them; 0 octets or fewer is a link_result. */
static ssize_t take_literal(struct client *c)
{
    static char got[CHUNK_OCTETS];
    ssize_t n;
    if (c->in_length > 0) {
        n = (ssize_t)(c->in_length < c->literal_left ? c->in_length : c->literal_left);
        memcpy(got, c->in, (size_t)n);
        c->in_length -= (size_t)n;
        memmove(c->in, c->in + n, c->in_length);
    } else {
        size_t size = c->literal_left < sizeof(got) ? (size_t)c->literal_left : sizeof(got);
        n = link_read(&c->link, got, size);
    }
    if (n <= 0)
        return n;
    if (memcmp(got, pattern() + c->literal_at % COLUMNS, (size_t)n) != 0)
        return LINK_BAD;
    c->literal_left -= (uint64_t)n;
    c->literal_at += (uint64_t)n;
    c->fetched_octets += (uint64_t)n;
    return n;
}

/* Takes one complete line, if there is one. */
static bool next_line(struct client *c, enum client_event *ret_event)
{
    char *newline = memchr(c->in, '\n', c->in_length);
    if (newline == NULL)
        return false;
    size_t used = (size_t)(newline - c->in) + 1;
    size_t length = used - 1;
    if (length > 0 && c->in[length - 1] == '\r')
        length--;
    c->in[length] = '\0';
    *ret_event = c->speech->take_line(c, c->in, length);
    c->in_length -= used;
    memmove(c->in, c->in + used, c->in_length);
    return true;
}

static ssize_t fill(struct client *c)
{
    if (c->in_length == sizeof(c->in))
        return LINK_BAD;
    ssize_t n = link_read(&c->link, c->in + c->in_length, sizeof(c->in) - c->in_length);
    if (n > 0)
        c->in_length += (size_t)n;
    return n;
}

enum client_event client_advance(struct client *c)
{
    if (c->stage == CLIENT_HANDSHAKE) {
        int result = link_handshake(&c->link);
        if (result != 1)
            return result == LINK_WAIT ? CLIENT_WAIT : CLIENT_LOST;
        c->stage = CLIENT_GREETING;
    }
    for (;;) {
        int flushed = flush(c);
        if (flushed == LINK_BAD)
            return CLIENT_LOST;
        enum client_event event = CLIENT_WAIT;
        if (c->literal_left == 0 && next_line(c, &event)) {
            if (event != CLIENT_WAIT)
                return event;
            continue;
        }
        ssize_t n = c->literal_left > 0 ? take_literal(c) : fill(c);
        if (n == LINK_WAIT)
            return CLIENT_WAIT;
        if (n <= 0)
            return CLIENT_LOST;
    }
}
