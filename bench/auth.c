/* auth.c: the auth_http responder that nginx's mail proxy asks, as small as it can be: lets
 * everybody in and names one backend. Its processor time counts as nginx's, as that of Dovecot's
 * auth process counts as Dovecot's.
 *   auth LISTEN-ADDRESS:PORT BACKEND-ADDRESS:PORT
 * One blocking thread: nginx sends its whole request at once, and nobody else may ask. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void answer(int fd, const char *reply)
{
    char request[4096];
    size_t length = 0;
    while (length < sizeof(request) - 1) {
        ssize_t n = read(fd, request + length, sizeof(request) - 1 - length);
        if (n <= 0)
            return;
        length += (size_t)n;
        request[length] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL) {
            (void)send(fd, reply, strlen(reply), MSG_NOSIGNAL);
            return;
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in here, backend;
    if (argc != 3 || !link_parse_address(argv[1], &here) ||
        !link_parse_address(argv[2], &backend)) {
        fprintf(stderr, "usage: auth LISTEN-ADDRESS:PORT BACKEND-ADDRESS:PORT\n");
        return 2;
    }
    char address[INET_ADDRSTRLEN], reply[256];
    inet_ntop(AF_INET, &backend.sin_addr, address, sizeof(address));
    snprintf(reply, sizeof(reply),
             "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: %s\r\nAuth-Port: %u\r\n\r\n",
             address, (unsigned)ntohs(backend.sin_port));
    int listener = link_listen(&here);
    if (listener < 0 || fcntl(listener, F_SETFL, 0) < 0) {
        fprintf(stderr, "auth: cannot listen on %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        struct timeval patience = { .tv_sec = 1 };
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        answer(fd, reply);
        close(fd);
    }
}
