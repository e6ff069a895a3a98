/* Stub mail server: logs everybody in over IMAP, POP3 or SMTP, then serves the benchmark's commands.
 *
 * IMAP LOGIN with atoms, quoted strings or literals of either kind, AUTHENTICATE PLAIN; POP3 USER
 * and PASS, AUTH PLAIN; SMTP EHLO, XCLIENT, AUTH PLAIN. After that NOOP, LOGOUT or QUIT, and on IMAP
 *     tag FETCHBULK n     n octets of filler, then the tagged reply, in as few sends as possible
 *     tag APPENDBULK n    takes the n octets behind the line, then replies
 *     backend CERTIFICATE_FILE KEY_FILE
 *
 * Prints "IMAP_PORT POP3_PORT SMTP_PORT IMAPS_PORT" when it listens, the last one with TLS; ends
 * when its standard input is closed. */
#define _GNU_SOURCE
#include "net.h"
#include "stream.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum protocol { IMAP, POP3, SMTP };

struct connection {
    struct stream stream;
    enum protocol protocol;
    bool shaking;     /* the TLS handshake is not done */
    bool blocked;     /* waiting for room in the socket */
    bool ending;      /* close once everything is sent */
    bool in_command;  /* an IMAP command goes on behind its literal */
    bool wants_sasl;  /* the next line is a SASL response */
    uint64_t skip;    /* octets of a literal or an upload still to come */
    uint64_t bulk;    /* octets of filler to send before the reply */
    size_t reply_length, input_length;
    char tag[40], verb[16];
    char reply[1024];
    char input[2048];
};

struct listener {
    int fd;
    enum protocol protocol;
    bool secure;
};

static int epoll_fd;
static SSL_CTX *tls;

static void hang_up(struct connection *connection)
{
    stream_close(&connection->stream);
    free(connection);
}

__attribute__((format(printf, 2, 3)))
static void say(struct connection *connection, const char *format, ...)
{
    size_t room = sizeof connection->reply - connection->reply_length;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(connection->reply + connection->reply_length, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room)
        connection->ending = true; /* more nonsense than there is room to complain about */
    else
        connection->reply_length += (size_t)length;
}

/* Sends filler, and what is said behind the last of it. Gives octets, or -1 when none went. */
static ssize_t send_parts(struct connection *connection, size_t chunk)
{
    struct iovec parts[2] = {
        {(void *)filler(), chunk},
        {connection->reply, chunk == connection->bulk ? connection->reply_length : 0},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent;

    if (connection->stream.ssl == NULL)
        return sendmsg(connection->stream.fd, &message, MSG_NOSIGNAL);
    sent = stream_send(&connection->stream, parts[chunk == 0].iov_base, parts[chunk == 0].iov_len);
    return sent == 0 ? -1 : sent;
}

/* Sends what is due. Gives false when the connection is over (and gone). */
static bool flush_out(struct connection *connection)
{
    while (connection->bulk > 0 || connection->reply_length > 0) {
        size_t chunk = connection->bulk < BULK_CHUNK ? (size_t)connection->bulk : BULK_CHUNK;
        ssize_t sent = send_parts(connection, chunk);

        if (sent < 0) {
            if (!connection->blocked)
                rewatch(epoll_fd, connection->stream.fd, EPOLLOUT, connection);
            connection->blocked = true;
            return true; /* a dead peer shows up as an event at once */
        }
        if ((uint64_t)sent <= connection->bulk) {
            connection->bulk -= (uint64_t)sent;
            continue;
        }
        sent -= (ssize_t)connection->bulk;
        connection->bulk = 0;
        connection->reply_length -= (size_t)sent;
        memmove(connection->reply, connection->reply + sent, connection->reply_length);
    }
    if (connection->ending) {
        hang_up(connection);
        return false;
    }
    if (connection->blocked)
        rewatch(epoll_fd, connection->stream.fd, EPOLLIN, connection);
    connection->blocked = false;
    return true;
}

static void imap_done(struct connection *connection, const char *argument)
{
    const char *verb = connection->verb, *tag = connection->tag;

    connection->in_command = false;
    if (strcasecmp(verb, "LOGIN") == 0) {
        say(connection, "%s OK Logged in\r\n", tag);
    } else if (strcasecmp(verb, "NOOP") == 0) {
        say(connection, "%s OK NOOP completed\r\n", tag);
    } else if (strcasecmp(verb, "LOGOUT") == 0) {
        say(connection, "* BYE Logging out\r\n%s OK Logout completed\r\n", tag);
        connection->ending = true;
    } else if (strcasecmp(verb, "AUTHENTICATE") == 0) {
        connection->wants_sasl = strchr(argument, ' ') == NULL;
        if (connection->wants_sasl)
            say(connection, "+ \r\n");
        else
            say(connection, "%s OK Logged in\r\n", tag);
    } else if (strcasecmp(verb, "FETCHBULK") == 0) {
        connection->bulk = strtoull(argument, NULL, 10);
        say(connection, "%s OK fetched\r\n", tag);
    } else if (strcasecmp(verb, "APPENDBULK") == 0) {
        connection->skip = strtoull(argument, NULL, 10);
        connection->in_command = true;
    } else if (strcasecmp(verb, "CAPABILITY") == 0) {
        say(connection, "* CAPABILITY IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN\r\n%s OK done\r\n", tag);
    } else {
        say(connection, "%s BAD unknown command\r\n", tag);
    }
}

static void imap_line(struct connection *connection, char *line, size_t length)
{
    char *argument = line, *brace;

    if (!connection->in_command) {
        int used = 0;

        if (sscanf(line, "%39s %15s%n", connection->tag, connection->verb, &used) != 2) {
            say(connection, "* BAD no command\r\n");
            return;
        }
        argument = line + used + (line[used] == ' ');
    }
    if (length > 0 && line[length - 1] == '}' && (brace = strrchr(line, '{')) != NULL) {
        connection->skip = strtoull(brace + 1, NULL, 10);
        connection->in_command = true;
        if (line[length - 2] != '+')
            say(connection, "+ OK\r\n");
        return;
    }
    imap_done(connection, argument);
}

static void pop3_line(struct connection *connection, const char *line)
{
    if (strcasecmp(line, "AUTH PLAIN") == 0) {
        connection->wants_sasl = true;
        say(connection, "+ \r\n");
    } else if (strcasecmp(line, "QUIT") == 0) {
        say(connection, "+OK Bye\r\n");
        connection->ending = true;
    } else if (strncasecmp(line, "USER ", 5) == 0 || strncasecmp(line, "PASS ", 5) == 0 ||
               strncasecmp(line, "AUTH PLAIN ", 11) == 0 || strcasecmp(line, "NOOP") == 0) {
        say(connection, "+OK\r\n");
    } else {
        say(connection, "-ERR unknown command\r\n");
    }
}

static void smtp_line(struct connection *connection, const char *line)
{
    if (strncasecmp(line, "EHLO ", 5) == 0) {
        say(connection, "250-stub\r\n250-XCLIENT ADDR LOGIN NAME\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n");
    } else if (strncasecmp(line, "XCLIENT ", 8) == 0) {
        say(connection, "220 stub ESMTP\r\n");
    } else if (strncasecmp(line, "AUTH PLAIN ", 11) == 0) {
        say(connection, "235 2.7.0 ok\r\n");
    } else if (strcasecmp(line, "AUTH PLAIN") == 0) {
        connection->wants_sasl = true;
        say(connection, "334 \r\n");
    } else if (strcasecmp(line, "QUIT") == 0) {
        say(connection, "221 2.0.0 Bye\r\n");
        connection->ending = true;
    } else if (strncasecmp(line, "HELO ", 5) == 0 || strcasecmp(line, "NOOP") == 0) {
        say(connection, "250 2.0.0 ok\r\n");
    } else {
        say(connection, "500 5.5.1 unknown command\r\n");
    }
}

static void on_line(struct connection *connection, char *line, size_t length)
{
    if (connection->wants_sasl) {
        connection->wants_sasl = false;
        if (connection->protocol == IMAP)
            say(connection, "%s OK Logged in\r\n", connection->tag);
        else
            say(connection, connection->protocol == POP3 ? "+OK\r\n" : "235 2.7.0 ok\r\n");
    } else if (connection->protocol == IMAP) {
        imap_line(connection, line, length);
    } else if (connection->protocol == POP3) {
        pop3_line(connection, line);
    } else {
        smtp_line(connection, line);
    }
}

static void skipped(struct connection *connection, uint64_t octets)
{
    connection->skip -= octets;
    if (connection->skip == 0 && strcasecmp(connection->verb, "APPENDBULK") == 0) {
        connection->in_command = false;
        say(connection, "%s OK appended\r\n", connection->tag);
    }
}

/* Takes literals and lines off the input until it holds neither. */
static void consume(struct connection *connection)
{
    char *from = connection->input, *end = from + connection->input_length, *newline;

    while (from < end) {
        if (connection->skip > 0) {
            uint64_t here = (uint64_t)(end - from);
            uint64_t octets = connection->skip < here ? connection->skip : here;

            from += octets;
            skipped(connection, octets);
            continue;
        }
        newline = memchr(from, '\n', (size_t)(end - from));
        if (newline == NULL)
            break;
        size_t length = (size_t)(newline - from);

        if (length > 0 && from[length - 1] == '\r')
            length--;
        from[length] = '\0';
        on_line(connection, from, length);
        from = newline + 1;
    }
    connection->input_length = (size_t)(end - from);
    memmove(connection->input, from, connection->input_length);
    if (connection->input_length == sizeof connection->input) {
        connection->input_length = 0;
        connection->ending = true;
    }
}

/* Gives false when the connection is over (and gone). */
static bool on_input(struct connection *connection)
{
    static char sink[BULK_CHUNK];
    ssize_t received;

    if (connection->skip > sizeof connection->input && connection->input_length == 0) {
        size_t most = connection->skip < sizeof sink ? (size_t)connection->skip : sizeof sink;

        received = stream_receive(&connection->stream, sink, most);
        if (received > 0)
            skipped(connection, (uint64_t)received);
    } else {
        received = stream_receive(&connection->stream, connection->input + connection->input_length,
                                  sizeof connection->input - connection->input_length);
        if (received > 0) {
            connection->input_length += (size_t)received;
            consume(connection);
        }
    }
    if (received == -2)
        return true;
    if (received > 0)
        return flush_out(connection);
    hang_up(connection);
    return false;
}

static void greet(struct connection *connection)
{
    static const char *greetings[] = {
        "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN] stub ready\r\n",
        "+OK stub ready\r\n",
        "220 stub ESMTP ready\r\n",
    };

    say(connection, "%s", greetings[connection->protocol]);
    flush_out(connection);
}

static void shake_hands(struct connection *connection)
{
    int result = stream_shake(&connection->stream);

    if (result < 0) {
        hang_up(connection);
    } else if (result > 0) {
        connection->shaking = false;
        greet(connection);
    }
}

static void on_accept(struct listener *listener)
{
    int fd;

    while ((fd = accept_one(listener->fd)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);

        if (connection == NULL)
            die("backend: out of memory");
        connection->stream.fd = fd;
        connection->protocol = listener->protocol;
        connection->shaking = listener->secure;
        watch(epoll_fd, fd, EPOLLIN, connection);
        if (listener->secure)
            stream_accept_tls(&connection->stream, tls);
        else
            greet(connection);
    }
}

static void on_event(struct connection *connection, uint32_t events)
{
    if (events & EPOLLERR)
        hang_up(connection);
    else if (connection->shaking)
        shake_hands(connection);
    else if (events & EPOLLOUT)
        flush_out(connection);
    else
        while (on_input(connection) && stream_holds_input(&connection->stream))
            ;
}

int main(int argc, char **argv)
{
    static struct listener listeners[4] = {
        {.protocol = IMAP}, {.protocol = POP3}, {.protocol = SMTP}, {.protocol = IMAP, .secure = true}};
    static char end_mark;
    uint16_t ports[4];

    if (argc != 3)
        die("usage: backend CERTIFICATE_FILE KEY_FILE");
    tls = server_tls(argv[1], argv[2]);
    epoll_fd = make_epoll();
    watch(epoll_fd, STDIN_FILENO, EPOLLIN, &end_mark);
    for (int i = 0; i < 4; i++) {
        listeners[i].fd = listen_loopback(&ports[i]);
        watch(epoll_fd, listeners[i].fd, EPOLLIN, &listeners[i]);
    }
    printf("%u %u %u %u\n", ports[0], ports[1], ports[2], ports[3]);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(epoll_fd, events, 256, -1);

        for (int i = 0; i < count; i++) {
            void *data = events[i].data.ptr;

            if (data == &end_mark)
                return 0;
            if (data >= (void *)listeners && data < (void *)(listeners + 4))
                on_accept(data);
            else
                on_event(data, events[i].events);
        }
    }
}
