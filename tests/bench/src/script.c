#define _GNU_SOURCE
#include "script.h"

#include "net.h"

#include <stdio.h>
#include <string.h>

static const struct script scripts[] = {
    {
        .name = "imap",
        .login = {{NULL, "* OK", NULL}, {"a1 LOGIN %s secret\r\n", "a1 OK", "* "}},
        .login_count = 2,
        .starttls = {{NULL, "* OK", NULL}, {"a0 STARTTLS\r\n", "a0 OK", NULL}},
        .starttls_count = 2,
        .noop = {"a2 NOOP\r\n", "a2 OK", "* "},
        .leave = {"a3 LOGOUT\r\n", "a3 OK", "* BYE"},
    },
    {
        .name = "pop3",
        .login = {{NULL, "+OK", NULL}, {"USER %s\r\n", "+OK", NULL}, {"PASS secret\r\n", "+OK", NULL}},
        .login_count = 3,
        .starttls = {{NULL, "+OK", NULL}, {"STLS\r\n", "+OK", NULL}},
        .starttls_count = 2,
        .noop = {"NOOP\r\n", "+OK", NULL},
        .leave = {"QUIT\r\n", "+OK", NULL},
    },
    {
        .name = "smtp",
        .login = {{NULL, "220 ", "220-"},
                  {"EHLO bench.example\r\n", "250 ", "250-"},
                  {"AUTH PLAIN %s\r\n", "235 ", "235-"}},
        .login_count = 3,
        .starttls = {{NULL, "220 ", "220-"},
                     {"EHLO bench.example\r\n", "250 ", "250-"},
                     {"STARTTLS\r\n", "220 ", NULL}},
        .starttls_count = 3,
        .noop = {"NOOP\r\n", "250 ", "250-"},
        .leave = {"QUIT\r\n", "221 ", "221-"},
    },
};

const struct script *find_script(const char *name)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (strcmp(scripts[i].name, name) == 0)
            return &scripts[i];
    return NULL;
}

/* NUL user NUL "secret" in base64 (RFC 4616). */
static void sasl_plain(const char *user, char *out, size_t room)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char plain[96] = "";
    int written = snprintf(plain, sizeof plain - 2, "%c%s%csecret", 0, user, 0);
    size_t length = (size_t)written, at = 0;

    if (written < 0 || length > sizeof plain - 3 || (length + 2) / 3 * 4 >= room)
        die("user name too long");
    for (size_t i = 0; i < length; i += 3) {
        unsigned three = (unsigned)(unsigned char)plain[i] << 16 |
                         (unsigned)(unsigned char)plain[i + 1] << 8 | (unsigned char)plain[i + 2];

        out[at++] = alphabet[three >> 18];
        out[at++] = alphabet[three >> 12 & 63];
        out[at++] = i + 1 < length ? alphabet[three >> 6 & 63] : '=';
        out[at++] = i + 2 < length ? alphabet[three & 63] : '=';
    }
    out[at] = '\0';
}

size_t render(const struct exchange *exchange, const char *user, char *out, size_t room)
{
    const char *place = strstr(exchange->command, "%s");
    char response[128];
    int length;

    if (strncmp(exchange->command, "AUTH", 4) == 0) {
        sasl_plain(user, response, sizeof response);
        user = response;
    }
    if (place == NULL)
        length = snprintf(out, room, "%s", exchange->command);
    else
        length = snprintf(out, room, "%.*s%s%s", (int)(place - exchange->command),
                          exchange->command, user, place + 2);
    if (length < 0 || (size_t)length >= room)
        die("command too long");
    return (size_t)length;
}

static int begins(const char *line, size_t length, const char *with)
{
    return with != NULL && length >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

enum verdict judge(const struct exchange *exchange, const char *input, size_t length)
{
    const char *line = input, *end = input + length, *newline;

    while (line < end && (newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        size_t size = (size_t)(newline - line);

        if (begins(line, size, exchange->expected))
            return newline + 1 == end ? COMPLETE : UNEXPECTED;
        if (!begins(line, size, exchange->more))
            return UNEXPECTED;
        line = newline + 1;
    }
    return INCOMPLETE;
}
