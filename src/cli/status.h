/* status.h: the exit statuses of every postern command; postern(1) repeats them. */
#ifndef POSTERN_CLI_STATUS_H
#define POSTERN_CLI_STATUS_H

enum status {
    STATUS_OK = 0,      /* done                                                               */
    STATUS_REFUSED = 1, /* the request was refused: no such account, exists already, …        */
    STATUS_USAGE = 2,   /* the command line is wrong                                          */
    STATUS_CONFIG = 3,  /* the configuration is wrong; every problem was printed              */
    STATUS_UNREACHABLE = 4, /* the service, or something that it needs, does not answer           */
};

#endif
