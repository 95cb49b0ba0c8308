/* limits.h: every bound of the program, with its unit and its reason. What is over a bound gets a
 * protocol error and a close (a client), a closed channel (a process of ours), or a refusal with
 * file and line (configuration). */
#ifndef POSTERN_BASE_LIMITS_H
#define POSTERN_BASE_LIMITS_H

/* Names and secrets (octets) */
#define LIMIT_ACCOUNT 254   /* RFC 5321 §4.5.3.1.3: the longest path that is an address     */
#define LIMIT_SECRET  1024  /* longest password; a token (RFC 7628) needs more, see issue   */
#define LIMIT_LABEL   128   /* what a person calls a device or an app password               */
#define LIMIT_NAME    64    /* names of gates, upstreams, policies in the configuration      */
#define LIMIT_HOST    255   /* RFC 1035 §2.3.4                                               */
#define LIMIT_CLIENT  128   /* what a client says of itself (RFC 2971 ID): a label only      */
#define LIMIT_REASON  128   /* why a verdict fell so; seen by the log only                   */
#define LIMIT_SENDERS 16384 /* the addresses that one account may send as, with a space each */

/* IMAP before login: all from strangers, so as small as honest clients allow */
#define LIMIT_IMAP_LINE     8192 /* RFC 7162 §4 recommends 8192 octets for a command line         */
#define LIMIT_IMAP_TAG      64   /* clients send 2 to 20 octets                                   */
#define LIMIT_IMAP_LITERAL  4096 /* RFC 7888 LITERAL-: at most 4096; a password needs far less */
#define LIMIT_IMAP_ID_PAIRS 30 /* RFC 2971 §3.3                                                 */
/* Any protocol before login */
#define LIMIT_FRONT_LINE                                                                           \
    4096                          /* a command or SASL line of POP3, SMTP, ManageSieve: base64 of  \
                                     the longest PLAIN message is 2048 (RFC 4954 §4 asks 12288)   */
#define LIMIT_FRONT_COMMANDS 64   /* commands before a successful login, then a close             */
#define LIMIT_FRONT_BAD      8    /* malformed or unknown commands before login, then a close     */
#define LIMIT_AUTH_TRIES     6    /* credentials judged in one connection, then a close           */
#define LIMIT_CAPABILITIES   8192 /* what an upstream offers, all its lines                       */
/* IMAP in an open session (the guard) */
#define LIMIT_IMAP_GUARD_LINE 65536 /* one command without its literals; what Dovecot takes */
#define LIMIT_IMAP_GUARD_TAG  128   /* a tag in an open session                                   */
#define LIMIT_IMAP_CAPABILITY 8192  /* an upstream's capability line that the guard rewrites  */
/* The other guards */
#define LIMIT_POP3_GUARD_LINE  512 /* RFC 2449 §4: 255 octets; some clients' keywords are longer */
#define LIMIT_POP3_REPLY       2048 /* a status line or one of CAPA; RFC 2449 §4: 512 */
#define LIMIT_SMTP_GUARD_LINE  2048 /* a command with what extensions add to its 512 octets */
#define LIMIT_SMTP_COMMAND     512  /* the same of what has no parameters: RFC 5321 §4.5.3.1.4 */
#define LIMIT_SMTP_CHUNK       2147483647 /* octets of one BDAT; more overflows some server's int */
#define LIMIT_SMTP_REPLY       2048 /* one line of a reply; RFC 5321 §4.5.3.1.5: 512              */
#define LIMIT_SIEVE_GUARD_LINE 4096 /* names have 512 octets (RFC 5804 §1.6), quoted twice that */
#define LIMIT_SIEVE_SCRIPT     (4 << 20) /* octets of one script; Dovecot's own bound is 1 MiB */
#define LIMIT_SIEVE_QUOTED     1024 /* RFC 5804 §4: octets between the quotes; longer: a literal */
#define LIMIT_SIEVE_NAME       512  /* RFC 5804 §1.6: 128 characters of a script's name        */
/* From the upstream during its login */
#define LIMIT_LOGIN_LINE  8192 /* one response line of an upstream                              */
#define LIMIT_LOGIN_LINES 64   /* lines before the login is done (banners, untagged data)       */

/* PROXY protocol */
#define LIMIT_PROXY_V1 107 /* the specification's own bound, with CRLF                      */
#define LIMIT_PROXY_V2 536 /* header and the TLVs we are willing to skip                    */

/* Frames between our processes (octets) */
#define LIMIT_FRAME       65536 /* one record on a SOCK_SEQPACKET channel                       */
#define LIMIT_FRAME_QUEUE 4096  /* frames waiting for a slow peer, then its channel is closed   */

/* Files that the supervisor hands to its children (octets) */
#define LIMIT_FILE (4 << 20) /* a bundle of the system's authorities has some 220,000    */

/* Sessions and buffers */
#define LIMIT_PIPE_BUFFER  16640 /* a full TLS record of plaintext (16384) with a little room    */
#define LIMIT_FRONT_INPUT  4096  /* octets read at once from a client that is not logged in      */
#define LIMIT_ACCEPT_BATCH 16    /* accepts in one turn of the loop, so that others get theirs   */
#define LIMIT_ADDRESSES    16    /* addresses tried for one upstream                             */
#define LIMIT_DRAINING     16    /* old edges that live on after reloads; the oldest goes first  */

#endif
