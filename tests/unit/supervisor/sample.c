#include "sample.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct config *sample_config(const char *state, const char *more)
{
    struct config_error errors[4];
    size_t n = 0;
    char text[4096];

    (void)snprintf(
        text, sizeof(text),
        "state = \"%s\"; domain = \"example.org\";\n"
        "users: { edge = \"%d\"; warden = \"%d\"; };\n"
        "tls: { certificate = \"/cert.pem\"; key = \"/key.pem\"; };\n%s\n%s%s",
        state, SAMPLE_UID, SAMPLE_UID + 1, more,
        strstr(more, "gates") != NULL
            ? ""
            : "gates: { imaps: { protocol = \"imap\"; listen = \"127.0.0.1:993\"; }; };\n",
        strstr(more, "upstreams") != NULL
            ? ""
            : "upstreams: { mail: { imap = \"imaps://127.0.0.1:993\"; }; };\n");
    struct config *c = config_parse(text, errors, COUNT_OF(errors), &n);
    if (c == NULL)
        (void)fprintf(stderr, "%s\n", errors[0].text);
    CHECK(c != NULL);
    return c;
}

void sample_folder(char ret[64])
{
    (void)snprintf(ret, 64, "/tmp/postern-test-XXXXXX");
    CHECK(mkdtemp(ret) != NULL);
    CHECK(chmod(ret, 0755) == 0);
}

void sample_remove(const char *folder)
{
    DIR *d = opendir(folder);

    for (const struct dirent *e = d == NULL ? NULL : readdir(d); e != NULL; e = readdir(d))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)unlinkat(dirfd(d), e->d_name, e->d_type == DT_DIR ? AT_REMOVEDIR : 0);
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(folder);
}

uint16_t sample_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(in);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&in, n) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&in, &n) == 0);
    (void)close(fd);
    return ntohs(in.sin_port);
}
