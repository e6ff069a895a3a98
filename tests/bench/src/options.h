/* Options of the load generator.
 *
 *     load --port P [--protocol imap|pop3|smtp] [--work login|noop|fetch|append] [--sessions N]
 *          [--size OCTETS] [--users N] [--user-prefix TEXT] [--rate PER_S] [--deadline SECONDS]
 *
 * login: every operation is connect, greeting, login, leave, end of stream, close, `sessions` at a
 *        time; with --rate open loop (latency counts from the moment an operation was due).
 * other: logs `sessions` sessions in first and runs the operations on them, round-robin by whoever
 *        is done; between runs they are idle. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "script.h"

#include <stddef.h>
#include <stdint.h>

enum work { LOGIN, NOOP, FETCH, APPEND };

struct options {
    uint16_t port;
    const struct script *script;
    enum work work;
    size_t sessions;
    uint64_t size;           /* octets of one fetch or append */
    unsigned users;          /* different users that log in, in turn */
    const char *user_prefix; /* a number follows it */
    double rate;             /* logins per second of an open loop; 0: closed loop */
    double deadline_s;       /* of the set-up, and of each run */
};

struct options read_options(int argc, char **argv);

#endif
