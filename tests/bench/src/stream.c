#define _GNU_SOURCE
#include "stream.h"

#include "net.h"

#include <limits.h>
#include <openssl/err.h>
#include <signal.h>
#include <unistd.h>

const char *stream_error(void)
{
    static char text[200];

    ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
    return text;
}

static SSL_CTX *make_context(const SSL_METHOD *method)
{
    SSL_CTX *tls = SSL_CTX_new(method);

    if (tls == NULL || !SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) ||
        !SSL_CTX_set_ciphersuites(tls, "TLS_AES_256_GCM_SHA384") ||
        !SSL_CTX_set1_groups_list(tls, "X25519"))
        die("TLS: %s", stream_error());
    signal(SIGPIPE, SIG_IGN); /* OpenSSL has no MSG_NOSIGNAL */
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    return tls;
}

SSL_CTX *client_tls(void)
{
    SSL_CTX *tls = make_context(TLS_client_method());

    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    return tls;
}

SSL_CTX *server_tls(const char *certificate_file, const char *key_file)
{
    SSL_CTX *tls = make_context(TLS_server_method());

    if (SSL_CTX_use_certificate_chain_file(tls, certificate_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) != 1)
        die("TLS: %s", stream_error());
    return tls;
}

static void begin_tls(struct stream *stream, SSL_CTX *tls)
{
    stream->ssl = SSL_new(tls);
    if (stream->ssl == NULL || SSL_set_fd(stream->ssl, stream->fd) != 1)
        die("TLS: %s", stream_error());
}

void stream_connect_tls(struct stream *stream, SSL_CTX *tls, SSL_SESSION *session, void *owner)
{
    begin_tls(stream, tls);
    SSL_set_app_data(stream->ssl, owner);
    if (session != NULL && SSL_set_session(stream->ssl, session) != 1)
        die("TLS session: %s", stream_error());
    SSL_set_connect_state(stream->ssl);
}

void stream_accept_tls(struct stream *stream, SSL_CTX *tls)
{
    begin_tls(stream, tls);
    SSL_set_accept_state(stream->ssl);
}

void *stream_owner(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

static ssize_t outcome(const struct stream *stream, int result, ssize_t later)
{
    if (result > 0)
        return result;
    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return later;
    case SSL_ERROR_ZERO_RETURN:
        return later == 0 ? -1 : 0;
    default:
        return -1;
    }
}

int stream_shake(struct stream *stream)
{
    ERR_clear_error();
    return (int)outcome(stream, SSL_do_handshake(stream->ssl), 0);
}

ssize_t stream_send(struct stream *stream, const void *data, size_t length)
{
    if (stream->ssl == NULL)
        return send_some(stream->fd, data, length);
    ERR_clear_error();
    return outcome(stream, SSL_write(stream->ssl, data, length > INT_MAX ? INT_MAX : (int)length), 0);
}

ssize_t stream_receive(struct stream *stream, void *buffer, size_t room)
{
    if (stream->ssl == NULL)
        return receive_some(stream->fd, buffer, room);
    ERR_clear_error();
    return outcome(stream, SSL_read(stream->ssl, buffer, room > INT_MAX ? INT_MAX : (int)room), -2);
}

bool stream_holds_input(const struct stream *stream)
{
    return stream->ssl != NULL && SSL_pending(stream->ssl) > 0;
}

void stream_close(struct stream *stream)
{
    if (stream->ssl != NULL) {
        /* a session whose connection was not shut down is not resumed */
        SSL_set_shutdown(stream->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(stream->ssl);
        stream->ssl = NULL;
    }
    close(stream->fd);
}
