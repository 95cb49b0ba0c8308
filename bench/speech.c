/* speech.c: what the clients of the benchmark say in each protocol. See client.h. */
#include "client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum client_event refused(const char *line)
{
    fprintf(stderr, "load: %.200s\n", line);
    return CLIENT_REFUSED;
}

static void say(struct client *c, const char *before, const char *value, const char *after)
{
    client_send(c, before);
    client_send(c, value);
    client_send(c, after);
}

/* --- IMAP ------------------------------------------------------------------------------------- */

static enum client_event imap_greeting(struct client *c, const char *line)
{
    if (strncmp(line, "* OK", 4) != 0)
        return CLIENT_REFUSED;
    client_send(c, "a LOGIN \"");
    client_send(c, c->user);
    client_send(c, "\" \"");
    client_send(c, c->password);
    client_send(c, "\"\r\n");
    c->stage = CLIENT_LOGIN;
    return CLIENT_WAIT;
}

static enum client_event imap_line(struct client *c, const char *line, size_t length)
{
    if (c->stage == CLIENT_GREETING)
        return imap_greeting(c, line);
    if (line[0] == '+')
        return CLIENT_CONTINUE;
    const char *open = strrchr(line, '{');
    if (line[0] == '*' && open != NULL && line[length - 1] == '}') {
        c->literal_left = strtoull(open + 1, NULL, 10);
        c->literal_at = 0;
        return CLIENT_WAIT;
    }
    if (strncmp(line, "a ", 2) != 0)
        return CLIENT_WAIT;
    if (strncmp(line, "a OK", 4) != 0)
        return refused(line);
    if (c->stage != CLIENT_LOGIN)
        return CLIENT_DONE;
    c->stage = CLIENT_OPEN;
    return CLIENT_LOGGED_IN;
}

static void imap_upload(struct client *c, uint64_t octets)
{
    char command[64];
    snprintf(command, sizeof(command), "a APPEND INBOX {%" PRIu64 "}\r\n", octets);
    client_send(c, command);
}

/* --- POP3 ------------------------------------------------------------------------------------- */

static enum client_event pop3_line(struct client *c, const char *line, size_t length)
{
    (void)length;
    if (strncmp(line, "+OK", 3) != 0)
        return refused(line);
    if (c->stage == CLIENT_OPEN)
        return CLIENT_DONE;
    if (c->stage == CLIENT_GREETING)
        say(c, "USER ", c->user, "\r\n");
    else if (c->stage == CLIENT_HELLO)
        say(c, "PASS ", c->password, "\r\n");
    return ++c->stage == CLIENT_OPEN ? CLIENT_LOGGED_IN : CLIENT_WAIT;
}

/* --- submission ------------------------------------------------------------------------------- */

static void smtp_authenticate(struct client *c)
{
    unsigned char plain[CLIENT_COMMAND_OCTETS / 2] = { 0 }, base64[CLIENT_COMMAND_OCTETS];
    size_t user = strlen(c->user), password = strlen(c->password);
    if (user + password + 2 > sizeof(plain))
        return; /* the run ends with its timeout */
    memcpy(plain + 1, c->user, user);
    memcpy(plain + user + 2, c->password, password);
    EVP_EncodeBlock(base64, plain, (int)(user + password + 2));
    say(c, "AUTH PLAIN ", (char *)base64, "\r\n");
}

static enum client_event smtp_line(struct client *c, const char *line, size_t length)
{
    if (length > 3 && line[3] == '-')
        return CLIENT_WAIT;
    if (line[0] == '3')
        return CLIENT_CONTINUE;
    if (line[0] != '2')
        return refused(line);
    if (c->stage == CLIENT_OPEN && c->replies_ahead == 0)
        return CLIENT_DONE;
    if (c->stage == CLIENT_OPEN) {
        c->replies_ahead--;
        return CLIENT_WAIT;
    }
    if (c->stage == CLIENT_GREETING)
        client_send(c, "EHLO bench.example\r\n");
    else if (c->stage == CLIENT_HELLO)
        smtp_authenticate(c);
    return ++c->stage == CLIENT_OPEN ? CLIENT_LOGGED_IN : CLIENT_WAIT;
}

static void smtp_upload(struct client *c, uint64_t octets)
{
    (void)octets;
    say(c, "MAIL FROM:<", c->user, ">\r\nRCPT TO:<somebody@bench.example>\r\nDATA\r\n");
    c->replies_ahead = 2;
}

/* ---------------------------------------------------------------------------------------------- */

static const struct client_speech speeches[] = {
    { "imap", "a LOGOUT\r\n", "\r\n", imap_line, imap_upload },
    { "pop3", "QUIT\r\n", "", pop3_line, NULL },
    { "submission", "QUIT\r\n", ".\r\n", smtp_line, smtp_upload },
};

const struct client_speech *client_speech(const char *name)
{
    for (size_t i = 0; i < sizeof(speeches) / sizeof(speeches[0]); i++)
        if (strcmp(speeches[i].name, name) == 0)
            return &speeches[i];
    return NULL;
}
