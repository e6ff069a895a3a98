/* What a mail client says to log in, do nothing, and leave; one table row per exchange. */
#ifndef BENCH_SCRIPT_H
#define BENCH_SCRIPT_H

#include <stddef.h>

enum protocol { IMAP, POP3, SMTP };

struct exchange {
    const char *command;   /* NULL: the server speaks first. "%s" is the user's name. */
    const char *expected;  /* beginning of the last line of a good answer */
    const char *more;      /* beginning of lines that may come before it */
};

struct script {
    const char *name;
    struct exchange login[4];  /* greeting first; login_count rows */
    size_t login_count;
    struct exchange starttls[3]; /* greeting first; behind it TLS and the login without greeting */
    size_t starttls_count;
    struct exchange noop, leave;
};

/* The script of "imap", "pop3" or "smtp", or NULL. */
const struct script *find_script(const char *name);

/* Writes a command; gives its length. */
size_t render(const struct exchange *exchange, const char *user, char *out, size_t room);

enum verdict { INCOMPLETE, COMPLETE, UNEXPECTED };

/* Judges what was received so far against what is expected. */
enum verdict judge(const struct exchange *exchange, const char *input, size_t length);

#endif
