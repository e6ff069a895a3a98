"""Python's own TLS client, in memory: the peer of our front leg that we did not write."""

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proxycore.net.tls.front import FrontTlsEndpoint
from tests.support.pki import Pair


class Client:
    """One connection. ``error`` holds what ended it."""

    def __init__(
        self,
        *,
        name: str | None = "mail.example.com",
        session: ssl.SSLSession | None = None,
        context: ssl.SSLContext | None = None,
        **settings: Any,
    ) -> None:
        self.context = context or client_context(**settings)
        self._inward, self._outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(
            self._inward, self._outward, server_hostname=name, session=session
        )
        self.done = False
        self.error: ssl.SSLError | None = None

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take ciphertext; give plaintext, and ciphertext to send."""
        self._inward.write(data)
        plain = b""
        try:
            if not self.done:
                self.tls.do_handshake()
                self.done = True
            while some := self.tls.read(65_536):
                plain += some
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as problem:
            self.error = problem
        return plain, self._outward.read()

    def send(self, data: bytes) -> bytes:
        """Give ``data`` as ciphertext."""
        self.tls.write(data)
        return self._outward.read()

    def join(self, front: FrontTlsEndpoint) -> tuple[bytes, bytes]:
        """Shake hands until neither has anything to say; give what both got in plain."""
        at_client, to_front = self.feed(b"")
        at_front = b""
        while to_front or front.out:
            at_front += front.feed(to_front)
            got, to_front = self.feed(front.take())
            at_client += got
        return at_client, at_front

    def hear(self, front: FrontTlsEndpoint, data: bytes) -> bytes:
        """Give what this client reads when the front writes ``data``."""
        return self.feed(front.write(data))[0]


def client_context(
    *,
    alpn: Sequence[str] = (),
    version: ssl.TLSVersion | None = None,
    ciphers: str = "",
    identity: tuple[Pair, Path] | None = None,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if identity is not None:
        pair, directory = identity
        certificate, key = pair.write(directory, "client")
        context.load_cert_chain(certificate, key)
    return context
