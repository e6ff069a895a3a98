/* Options of the load generator.
 *
 *     load --port P [--protocol imap|pop3|smtp] [--work login|noop|fetch|append] [--sessions N]
 *          [--size OCTETS] [--users N] [--first-user N] [--user-prefix TEXT] [--user-suffix TEXT]
 *          [--rate PER_S] [--deadline SECONDS] [--tls off|implicit|starttls] [--resume 0|1]
 *
 * login: every operation is connect, greeting, login, leave, end of stream, close, `sessions` at a
 *        time; with --rate open loop (latency counts from the moment an operation was due). With
 *        TLS the handshake is part of it; --resume needs a run before, which brings the tickets.
 * other: logs `sessions` sessions in first and runs the operations on them, round-robin by whoever
 *        is done; between runs they are idle. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "script.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum work { LOGIN, NOOP, FETCH, APPEND };
enum tls { NO_TLS, IMPLICIT, STARTTLS };

struct options {
    uint16_t port;
    const struct script *script;
    enum work work;
    size_t sessions;
    uint64_t size;           /* octets of one fetch or append */
    unsigned users;          /* different users that log in, in turn */
    unsigned first_user;     /* number of the first of them */
    const char *user_prefix; /* what comes before the number */
    const char *user_suffix; /* what comes behind it */
    enum tls tls;
    bool resume;             /* resume the TLS session of the slot's last connection, or fail */
    double rate;             /* logins per second of an open loop; 0: closed loop */
    double deadline_s;       /* of the set-up, and of each run */
};

struct options read_options(int argc, char **argv);

#endif
