/* Answers auth_http requests: every login is let in and sent to the stub backend of its protocol.
 *
 *     auth IMAP_PORT POP3_PORT SMTP_PORT IMAPS_PORT [RUDE_PORT]
 *
 * HTTP/1.0 requests are answered and closed, HTTP/1.1 ones kept alive. Who asks for /secure is sent
 * to the port with TLS. A login that begins with "reject" is refused, one with "nowhere" sent to a
 * port nobody has, one with "rude" to RUDE_PORT, an IMAP one with "secure" to the port with TLS. Prints "PORT" when it listens; ends when its standard input is closed. */
#define _GNU_SOURCE
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

struct connection {
    int fd;
    size_t length;
    char input[8192];
};

static const char *backend_ports[5] = {"", "", "", "", "1"};

static void hang_up(struct connection *connection)
{
    close(connection->fd);
    free(connection);
}

static bool is_secure(const char *request)
{
    return strcasestr(request, "\nAuth-User: secure") != NULL &&
           strcasestr(request, "\nAuth-Protocol: imap") != NULL;
}

static const char *backend_port(const char *request)
{
    const char *protocol = strcasestr(request, "\nAuth-Protocol: ");

    if (protocol == NULL)
        die("auth: no Auth-Protocol in the request");
    if (strcasestr(request, "\nAuth-User: nowhere") != NULL)
        return "1";
    if (strcasestr(request, "\nAuth-User: rude") != NULL)
        return backend_ports[4];
    if (is_secure(request) || strncmp(request, "GET /secure ", 12) == 0)
        return backend_ports[3];
    protocol += strlen("\nAuth-Protocol: ");
    if (strncmp(protocol, "imap", 4) == 0)
        return backend_ports[0];
    return strncmp(protocol, "pop3", 4) == 0 ? backend_ports[1] : backend_ports[2];
}

/* Answers the request at the head of the input. Gives false when the connection ends with it. */
static bool answer(struct connection *connection, char *request)
{
    bool keep = strstr(request, " HTTP/1.1\r\n") != NULL &&
                strcasestr(request, "\nConnection: close") == NULL;
    const char *version = keep ? "HTTP/1.1" : "HTTP/1.0";
    char reply[512];
    int length;

    if (strcasestr(request, "\nAuth-User: reject") != NULL)
        length = snprintf(reply, sizeof reply,
                          "%s 200 OK\r\nContent-Length: 0\r\n"
                          "Auth-Status: Invalid login or password\r\n\r\n",
                          version);
    else
        length = snprintf(reply, sizeof reply,
                          "%s 200 OK\r\nContent-Length: 0\r\nAuth-Status: OK\r\n"
                          "Auth-Server: 127.0.0.1\r\nAuth-Port: %s\r\n%s\r\n",
                          version, backend_port(request),
                          is_secure(request) ? "Auth-Proxy-SSL: on\r\n" : "");
    return send_some(connection->fd, reply, (size_t)length) == length && keep;
}

static void on_input(struct connection *connection)
{
    ssize_t received = receive_some(connection->fd, connection->input + connection->length,
                                    sizeof connection->input - 1 - connection->length);
    char *end;

    if (received == -2)
        return;
    if (received <= 0) {
        hang_up(connection);
        return;
    }
    connection->length += (size_t)received;
    connection->input[connection->length] = '\0';
    while ((end = strstr(connection->input, "\r\n\r\n")) != NULL) {
        size_t used = (size_t)(end + 4 - connection->input);

        end[2] = '\0';
        if (!answer(connection, connection->input)) {
            hang_up(connection);
            return;
        }
        connection->length -= used;
        memmove(connection->input, connection->input + used, connection->length + 1);
    }
    if (connection->length == sizeof connection->input - 1)
        die("auth: request too long");
}

static void on_accept(int epoll_fd, int listener)
{
    int fd;

    while ((fd = accept_one(listener)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);

        if (connection == NULL)
            die("auth: out of memory");
        connection->fd = fd;
        watch(epoll_fd, fd, EPOLLIN, connection);
    }
}

int main(int argc, char **argv)
{
    int epoll_fd = make_epoll();
    uint16_t port;
    int listener = listen_loopback(&port);
    static char end_mark, listen_mark;

    if (argc < 5 || argc > 6)
        die("usage: auth IMAP_PORT POP3_PORT SMTP_PORT IMAPS_PORT [RUDE_PORT]");
    for (int i = 0; i < argc - 1; i++)
        backend_ports[i] = argv[i + 1];
    watch(epoll_fd, STDIN_FILENO, EPOLLIN, &end_mark);
    watch(epoll_fd, listener, EPOLLIN, &listen_mark);
    printf("%u\n", port);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(epoll_fd, events, 256, -1);

        for (int i = 0; i < count; i++) {
            void *data = events[i].data.ptr;

            if (data == &end_mark)
                return 0;
            if (data == &listen_mark)
                on_accept(epoll_fd, listener);
            else
                on_input(data);
        }
    }
}
