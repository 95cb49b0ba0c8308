#include "cli/prompt.h"

#include "base/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* What would leave a terminal without echo behind. */
static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

/* One octet a call: what follows the line belongs to somebody else. */
static enum err read_line(int fd, struct buf *out)
{
    for (;;) {
        uint8_t octet = 0;
        const ssize_t n = read(fd, &octet, 1);
        if (n < 0 && errno == EINTR && caught == 0)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0 || octet == '\n')
            break;
        buf_put_octet(out, octet);
        if (!buf_is_ok(out))
            return ERR_TOO_LONG;
    }
    if (out->n > 0 && out->p[out->n - 1] == '\r')
        out->n--;
    return ERR_OK;
}

static void say(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        return; /* nobody there to read it: the answer will not come either */
}

static enum err ask(int tty, const char *question, struct buf *out)
{
    struct sigaction action = { .sa_handler = on_signal }, before[COUNT_OF(signals)];
    struct termios echo, silent;

    if (tcgetattr(tty, &echo) != 0)
        return ERR_IO;
    caught = 0;
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        (void)sigaction(signals[i], &action, &before[i]);
    silent = echo;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    say(tty, question);
    (void)tcsetattr(tty, TCSAFLUSH, &silent);
    const enum err e = read_line(tty, out);
    (void)tcsetattr(tty, TCSAFLUSH, &echo);
    say(tty, "\n");
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        (void)sigaction(signals[i], &before[i], NULL);
    if (caught != 0)
        (void)raise(caught);
    return e;
}

enum err prompt_secret(const char *question, struct buf *out)
{
    if (!isatty(STDIN_FILENO))
        return read_line(STDIN_FILENO, out);
    const int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0)
        return ERR_IO;
    const enum err e = ask(tty, question, out);
    (void)close(tty);
    return e;
}
