"""The far end of a connection that becomes TLS: Python's own TLS against ours."""

import ssl
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.support.dialogue import Cut, whole
from tests.support.pki import Authority, Pair
from tests.unit.proxycore.net.house import Peer

_READ_BYTES = 65_536


class Parties:
    """Who trusts whom. Making keys takes a while: made once for many stories."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority()
        self.front = self.authority.issue("mx.example.com")
        """Ours, towards clients."""
        mail = self.authority.issue("mail.example.com", "127.0.0.1")
        stranger = Authority("Stranger").issue("mail.example.com", "127.0.0.1")
        self.mail = _presenting(ssl.PROTOCOL_TLS_SERVER, mail, directory, "mail")
        self.impostor = _presenting(ssl.PROTOCOL_TLS_SERVER, stranger, directory, "impostor")
        """Of an authority nobody trusts."""
        self.client = self._client()
        self.suspect = _presenting(ssl.PROTOCOL_TLS_CLIENT, stranger, directory, "suspect")
        """A client with a certificate of that authority."""
        self.suspect.load_verify_locations(cadata=self.authority.pem)

    def _client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.pem)


def _presenting(kind: int, pair: Pair, directory: Path, stem: str) -> ssl.SSLContext:
    context = ssl.SSLContext(kind)
    context.load_cert_chain(*pair.write(directory, stem))
    return context


class Sealed(Peer):
    """Takes a connection over. What it sends and receives is what is inside TLS."""

    def __init__(
        self, peer: Peer, context: ssl.SSLContext, *, name: str = "", cut: Cut = whole
    ) -> None:
        """``name``: of the server; empty: this is the server. cut: how octets are sent."""
        super().__init__(peer.house, peer.sock)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._in, self._out, server_side=not name, server_hostname=name or None
        )
        self._cut = cut
        self.is_open = False
        self._in.write(peer.received)
        peer.received = b""

    def shake(self) -> None:
        """Shake hands."""
        self.house.pump(self._go_on, "the handshake")

    def try_to_shake(self) -> None:
        """Shake hands with somebody who will not."""
        with suppress(ssl.SSLError, OSError):
            self.house.pump(lambda: self._go_on() or self.ended, "an end of the handshake")

    def _go_on(self) -> bool:
        with suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
            self.is_open = True
        self._flush()
        if not self.is_open:
            self.read()
        return self.is_open

    def _flush(self) -> None:
        for piece in self._cut(self._out.read()):
            super().send(piece)
            self.house.idle(1)

    def send(self, data: bytes) -> Self:
        self._tls.write(data)
        self._flush()
        return self

    def send_in_clear(self, data: bytes) -> None:
        """Send octets that are no TLS."""
        super().send(data)

    def read(self) -> bool:
        before, self.received = self.received, b""
        changed = super().read()
        self._in.write(self.received)
        self.received = before
        if not self.is_open:
            return changed
        with suppress(ssl.SSLWantReadError):
            try:
                while data := self._tls.read(_READ_BYTES):
                    self.received += data
                    changed = True
            except ssl.SSLWantReadError:
                raise
            except ssl.SSLError:  # a goodbye, an alert, or nothing more
                self.ended = changed = True
        return changed
