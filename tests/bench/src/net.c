#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    return address;
}

/* The stalls to be measured are the proxy's, so nobody around it may add one of his own. */
static void set_nodelay(int fd)
{
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        die("TCP_NODELAY: %s", strerror(errno));
}

int listen_loopback(uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, 4096) < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        die("listen: %s", strerror(errno));
    *port = ntohs(address.sin_port);
    return fd;
}

int accept_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        set_nodelay(fd);
        return fd;
    }
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
        return -1;
    die("accept: %s", strerror(errno));
}

int make_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket: %s", strerror(errno));
    set_nodelay(fd);
    return fd;
}

void connect_loopback(int fd, uint16_t port)
{
    struct sockaddr_in address = loopback(port);

    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
        die("connect to port %u: %s", port, strerror(errno));
}

int make_epoll(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd < 0)
        die("epoll_create1: %s", strerror(errno));
    return fd;
}

static void control(int epoll_fd, int operation, int fd, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};

    if (epoll_ctl(epoll_fd, operation, fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

void watch(int epoll_fd, int fd, uint32_t events, void *data)
{
    control(epoll_fd, EPOLL_CTL_ADD, fd, events, data);
}

void rewatch(int epoll_fd, int fd, uint32_t events, void *data)
{
    control(epoll_fd, EPOLL_CTL_MOD, fd, events, data);
}

ssize_t send_some(int fd, const void *data, size_t length)
{
    ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

    if (sent >= 0)
        return sent;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

ssize_t receive_some(int fd, void *buffer, size_t room)
{
    ssize_t received = recv(fd, buffer, room, 0);

    if (received >= 0)
        return received;
    return errno == EAGAIN || errno == EINTR ? -2 : -1;
}

const char *filler(void)
{
    static char text[BULK_CHUNK];

    if (text[0] == '\0')
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = i % 64 == 63 ? '\n' : i % 64 == 62 ? '\r' : (char)('a' + i % 26);
    return text;
}
