/* Sockets, clock and failure for the benchmark's own programs. Loopback only. */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BULK_CHUNK (256 * 1024)

/* Print to stderr and exit with status 2. Used for what must not happen on a healthy machine. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

uint64_t now_ns(void);

/* Listen on a free loopback port, without blocking; the port is stored in *port. */
int listen_loopback(uint16_t *port);

/* Accept one connection with TCP_NODELAY, or -1 when none waits. */
int accept_one(int listener);

/* Make a socket for a client, with TCP_NODELAY; nothing about it blocks. */
int make_socket(void);

/* Start connecting to a loopback port. */
void connect_loopback(int fd, uint16_t port);

int make_epoll(void);
void watch(int epoll_fd, int fd, uint32_t events, void *data);
void rewatch(int epoll_fd, int fd, uint32_t events, void *data);

/* Send without blocking. Gives octets sent, 0 when the socket is full, -1 when the peer is gone. */
ssize_t send_some(int fd, const void *data, size_t length);

/* Receive without blocking. Gives octets, 0 at the end, -1 on error, -2 when nothing waits. */
ssize_t receive_some(int fd, void *buffer, size_t room);

/* Filler for bulk data: BULK_CHUNK octets of text lines. */
const char *filler(void);

#endif
