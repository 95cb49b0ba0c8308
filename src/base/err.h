/* err.h: "the world fails": why something could not be done. The module that owns the session or
 * request logs it once; to a client all of these are "try later", never "allowed". */
#ifndef POSTERN_BASE_ERR_H
#define POSTERN_BASE_ERR_H

enum err {
    ERR_OK = 0,
    ERR_MEMORY,    /* no memory, or over a bound of ours          */
    ERR_IO,        /* file, socket, database: see errno           */
    ERR_INVALID,   /* malformed input from the peer or the caller */
    ERR_TOO_LONG,  /* over a bound                                */
    ERR_NOT_FOUND, /* no such object                              */
    ERR_EXISTS,    /* there is one already                        */
    ERR_DENIED,    /* not permitted                               */
    ERR_BUSY,      /* try again later                             */
};

/* A short English phrase; never NULL. */
const char *err_text(enum err e);

#endif
