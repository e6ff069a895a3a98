/* A connection that may speak TLS. Every call is non-blocking, with the results of net.h. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stream {
    int fd;
    SSL *ssl; /* NULL: in clear */
};

/* TLS 1.3 with X25519 and AES-256-GCM and nothing else, so that every proxy does the same work. */
SSL_CTX *client_tls(void);
SSL_CTX *server_tls(const char *certificate_file, const char *key_file);

/* Speak TLS from now on; `session` is to be resumed, or NULL. `owner` is found by stream_owner. */
void stream_connect_tls(struct stream *stream, SSL_CTX *tls, SSL_SESSION *session, void *owner);
void stream_accept_tls(struct stream *stream, SSL_CTX *tls);
void *stream_owner(const SSL *ssl);

/* Go on with the handshake. 1: done, 0: waits for the peer, -1: failed. */
int stream_shake(struct stream *stream);

/* As send_some and receive_some. */
ssize_t stream_send(struct stream *stream, const void *data, size_t length);
ssize_t stream_receive(struct stream *stream, void *buffer, size_t room);

/* Whether octets wait that epoll does not know of. */
bool stream_holds_input(const struct stream *stream);

void stream_close(struct stream *stream);

/* What OpenSSL has to say about the last failure. */
const char *stream_error(void);

#endif
