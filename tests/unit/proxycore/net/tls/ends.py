"""Two ends of a connection in memory, and settings for them in one line."""

from typing import Any

from cffi import FFI

from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.tls import BackTls, Certificate, FrontTls
from proxycore.net.tls.back import BackTlsEndpoint
from proxycore.net.tls.back_context import BackContext
from proxycore.net.tls.endpoint import Endpoint, Phase
from proxycore.net.tls.front import FrontTlsEndpoint
from proxycore.net.tls.front_context import FrontContext
from proxycore.net.tls.libssl import ffi
from tests.support.pki import Authority, Pair

_more = FFI()
_more.cdef("int SSL_key_update(void *, int);")
_opened = _more.dlopen("libssl.so.3")

AUTHORITY = Authority()
SERVER = AUTHORITY.issue("mail.example.com")


def pair(of: Pair) -> Certificate:
    return Certificate(
        ssl_certificate="data:" + of.pem, ssl_certificate_key=Secret("data:" + of.key_pem)
    )


def front_settings(*pairs: Pair, **settings: Any) -> FrontTls:
    return FrontTls(certificates=tuple(pair(of) for of in pairs or (SERVER,)), **settings)


def front_context(
    *pairs: Pair, scope: str = "block", protocol: Protocol = Protocol.IMAP, **settings: Any
) -> FrontContext:
    return FrontContext(front_settings(*pairs, **settings), scope=scope, protocol=protocol)


def back_settings(**settings: Any) -> BackTls:
    settings.setdefault("proxy_ssl_trusted_certificate", "data:" + AUTHORITY.pem)
    return BackTls(proxy_ssl="implicit", **settings)


def back_context(**settings: Any) -> BackContext:
    return BackContext(back_settings(**settings))


def front_end(context: FrontContext) -> FrontTlsEndpoint:
    return FrontTlsEndpoint(lambda _name: context)


def back_end(context: BackContext, name: str = "mail.example.com") -> BackTlsEndpoint:
    return BackTlsEndpoint(context, name, "192.0.2.1:993")


def join(front: FrontTlsEndpoint, back: BackTlsEndpoint) -> tuple[bytes, bytes]:
    """Shake hands, until neither has anything to say; give what either got in plain."""
    to_front, at_front, at_back = back.start(), b"", b""
    while to_front or front.out:
        at_front += front.feed(to_front)
        at_back += back.feed(front.take())
        to_front = back.take()
    return at_front, at_back


def joined(
    front: FrontContext, back: BackContext, name: str = "mail.example.com"
) -> tuple[FrontTlsEndpoint, BackTlsEndpoint]:
    ends = front_end(front), back_end(back, name)
    join(*ends)
    return ends


def ask_for_new_keys(end: Endpoint) -> None:
    """With what this end writes next, have the other renew its keys, too (TLS 1.3)."""
    pointer = _more.cast("void *", int(ffi.cast("uintptr_t", end._ssl)))
    assert _opened.SSL_key_update(pointer, 1) == 1


def is_open(*ends: Endpoint) -> bool:
    return all(end.phase is Phase.OPEN for end in ends)
