"""The functions OpenSSL calls. One of each for the process; they ask who is running.

What one raises cannot pass through OpenSSL: it is told the ``error`` value, which fails the
handshake, and ``exchange.finish`` raises the exception where the operation was begun.
"""

import os
from collections.abc import Callable
from typing import Any, Final

from proxycore.net.tls import exchange
from proxycore.net.tls.libssl import (
    NULL,
    OP_NO_TICKET,
    TLS1_3,
    TLSEXT_FATAL,
    TLSEXT_NOACK,
    TLSEXT_OK,
    crypto,
    ffi,
    ssl,
)

_IV_BYTES: Final = 16
_NAME_BYTES: Final = 16
_ENCRYPTED: Final = 1
_DECRYPTED: Final = 1
_RENEW: Final = 2
_UNKNOWN: Final = 0


def _called(declaration: str, error: Any = None) -> Callable[[Callable[..., Any]], Any]:
    """Make a Python function callable by OpenSSL; ``error``: its value should it raise."""
    made: Callable[[Callable[..., Any]], Any] = ffi.callback(
        declaration, error=error, onerror=exchange.note_bug
    )
    return made


@_called("int(int, X509_STORE_CTX *)", error=0)
def accept_any(_good: int, _store: Any) -> int:
    """Let the handshake go on: a client's certificate is judged in the mail protocol."""
    return 1


@_called("int(int, X509_STORE_CTX *)", error=0)
def judge_back(good: int, store: Any) -> int:
    """Let the endpoint judge a mail server's certificate."""
    judged: int = exchange.current.judge(good, store)
    return judged


@_called(
    "int(SSL *, const unsigned char **, unsigned char *, const unsigned char *,"
    " unsigned int, void *)",
    error=TLSEXT_FATAL,
)
def choose_alpn(
    _ssl: Any, chosen: Any, chosen_size: Any, offered: Any, size: int, _argument: Any
) -> int:
    """Take the first of our names that the client offers; refuse if there is none (ALPACA)."""
    endpoint = exchange.current
    ours = endpoint.context.alpn
    if not ours:
        return TLSEXT_NOACK
    octets, at = bytes(ffi.buffer(offered, size)), 0
    places: dict[bytes, int] = {}
    while at < size:
        end = at + 1 + octets[at]
        places.setdefault(octets[at + 1 : end], at + 1)
        at = end
    for name in ours:
        if name in places:
            chosen[0] = offered + places[name]
            chosen_size[0] = len(name)
            endpoint.alpn = name.decode("ascii")
            return TLSEXT_OK
    return TLSEXT_FATAL


@_called(
    "int(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int)", error=-1
)
def protect_ticket(pointer: Any, name: Any, iv: Any, cipher: Any, mac: Any, sealing: int) -> int:
    """Give OpenSSL the key to write a ticket with, or to read one."""
    keys = exchange.current.context.tickets
    if sealing:
        key = keys.keys[0]
        ffi.memmove(name, key.name, _NAME_BYTES)
        ffi.memmove(iv, os.urandom(_IV_BYTES), _IV_BYTES)
        if crypto.EVP_EncryptInit_ex(cipher, key.cipher, NULL, key.cipher_key, iv) != 1:
            return -1
        return _ENCRYPTED if crypto.EVP_MAC_CTX_set_params(mac, key.mac_params) == 1 else -1
    found = keys.find(bytes(ffi.buffer(name, _NAME_BYTES)))
    if found is None:
        return _UNKNOWN
    place, key = found
    if (
        crypto.EVP_MAC_CTX_set_params(mac, key.mac_params) != 1
        or crypto.EVP_DecryptInit_ex(cipher, key.cipher, NULL, key.cipher_key, iv) != 1
    ):
        return -1
    # a ticket of TLS 1.3 is for one use (RFC 8446 §C.4)
    return _RENEW if place or ssl.SSL_version(pointer) == TLS1_3 else _DECRYPTED


@_called("int(SSL *, SSL_SESSION *)", error=0)
def keep_session(pointer: Any, session: Any) -> int:
    """Store a client's session for all workers."""
    if ssl.SSL_version(pointer) == TLS1_3 and not ssl.SSL_get_options(pointer) & OP_NO_TICKET:
        # the client keeps it, in a ticket; OpenSSL only wants it known
        return 0
    size = ssl.i2d_SSL_SESSION(session, NULL)
    octets = ffi.new("unsigned char[]", size)
    ssl.i2d_SSL_SESSION(session, ffi.new("unsigned char **", octets))
    exchange.current.context.zone.store(_identity(session), bytes(ffi.buffer(octets)))
    return 0


@_called("SSL_SESSION *(SSL *, const unsigned char *, int, int *)", error=NULL)
def find_session(_ssl: Any, identity: Any, size: int, copied: Any) -> Any:
    """Find a client's session that any worker stored."""
    copied[0] = 0
    octets = exchange.current.context.zone.find(bytes(ffi.buffer(identity, size)))
    if octets is None:
        return NULL
    source = ffi.from_buffer("unsigned char[]", octets)
    return ssl.d2i_SSL_SESSION(NULL, ffi.new("const unsigned char **", source), len(octets))


@_called("void(SSL_CTX *, SSL_SESSION *)")
def drop_session(context: Any, session: Any) -> None:
    """Forget a session OpenSSL does not trust any more.

    A context that is freed, perhaps while somebody else's connection runs, forgets all it had; the
    other workers go on using them.
    """
    running = exchange.current
    if running is not None and running.context.pointer == context:
        running.context.zone.forget(_identity(session))


@_called("int(SSL *, SSL_SESSION *)", error=0)
def keep_back_session(_ssl: Any, session: Any) -> int:
    """Keep a session with a mail server; the reference is now ours."""
    exchange.current.keep_session(session)
    return 1


def _identity(session: Any) -> bytes:
    size = ffi.new("unsigned int *")
    return bytes(ffi.buffer(ssl.SSL_SESSION_get_id(session, size), size[0]))
