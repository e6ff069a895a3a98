"""A mail server with TLS, hand-played: Python's own ``ssl``, so that not both ends are ours."""

import ssl
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.pki import Authority, Pair
from tests.unit.proxycore.net.house import House, Peer

AUTHORITY = Authority()
NAME = "mail.example.com"
SERVER = AUTHORITY.issue(NAME)


def server_context(pair: Pair = SERVER, *, trusting: Authority | None = None) -> ssl.SSLContext:
    """Give the TLS of a mail server; ``trusting``: whose clients it takes, and no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        context.load_cert_chain(*pair.write(Path(directory), "server"))
    if trusting is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=trusting.pem)
    return context


class Sealed:
    """The mail server's end of a connection inside TLS."""

    def __init__(self, peer: Peer, context: ssl.SSLContext) -> None:
        self.peer = peer
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.asked_names: list[str | None] = []
        context.sni_callback = lambda _ssl, name, _context: self.asked_names.append(name)
        self.ssl = context.wrap_bio(self._in, self._out, server_side=True)
        self.received = b""
        """In plain."""
        self.is_open = False
        self.fault = ""
        self.ended = False

    def shake(self) -> "Sealed":
        """Pump until the handshake is done, or has failed (``fault``)."""
        self.peer.house.pump(self._shaken, "a handshake with the proxy")
        return self

    def _shaken(self) -> bool:
        self._take()
        try:
            self.ssl.do_handshake()
            self.is_open = True
        except ssl.SSLWantReadError:
            if self.peer.ended:
                self.fault = "ended"
        except ssl.SSLError as problem:
            self.fault = str(problem)
        self._give()
        return self.is_open or bool(self.fault)

    def send(self, data: bytes) -> "Sealed":
        self.ssl.write(data)
        self._give()
        return self

    def close_notify(self) -> None:
        """Say in TLS that nothing more comes; the connection stays."""
        with suppress(ssl.SSLWantReadError):
            self.ssl.unwrap()
        self._give()

    def expect(self, wanted: bytes) -> bytes:
        """Pump until ``wanted`` was received; give all that was, and forget it."""
        self.peer.house.pump(lambda: self._read() and wanted in self.received, repr(wanted))
        taken, self.received = self.received, b""
        return taken

    def expect_end(self) -> bytes:
        """Pump until the proxy has ended TLS or the connection; give what came before."""
        self.peer.house.pump(lambda: self._read() and self.ended, "the proxy's end")
        taken, self.received = self.received, b""
        return taken

    def _read(self) -> bool:
        self._take()
        try:
            while data := self.ssl.read():
                self.received += data
            self.ended = True
        except ssl.SSLWantReadError:
            self.ended = self.peer.ended
        except ssl.SSLError as problem:
            self.fault, self.ended = str(problem), True
        return True

    def _take(self) -> None:
        self.peer.read()
        self._in.write(self.peer.received)
        self.peer.received = b""

    def _give(self) -> None:
        if data := self._out.read():
            self.peer.send(data)


Opening = Callable[[Peer], Any]
"""What a mail server and the proxy say in clear before TLS."""

CLEAR: dict[str, dict[str, Opening]] = {
    "imap": {
        "implicit": lambda _peer: None,
        "starttls": lambda peer: (
            peer.send(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n").expect(b"sa1 STARTTLS\r\n"),
            peer.send(b"sa1 OK begin\r\n"),
        ),
    },
    "pop3": {
        "implicit": lambda _peer: None,
        "starttls": lambda peer: (
            peer.send(b"+OK hi\r\n").expect(b"CAPA\r\n"),
            peer.send(b"+OK\r\nSTLS\r\n.\r\n").expect(b"STLS\r\n"),
            peer.send(b"+OK begin\r\n"),
        ),
    },
    "smtp": {
        "implicit": lambda _peer: None,
        "starttls": lambda peer: (
            peer.send(b"220 hi\r\n").expect(b"EHLO mx.example.com\r\n"),
            peer.send(b"250-hi\r\n250 STARTTLS\r\n").expect(b"STARTTLS\r\n"),
            peer.send(b"220 begin\r\n"),
        ),
    },
}


def submit(house: House, headers: bytes = b"") -> Peer:
    """Have an IMAP client log in, and the auth service agree; give the client."""
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\n")
    auth, _ = house.asked()
    auth.send(house.ok().replace(b"\r\n\r\n", b"\r\n" + headers + b"\r\n"))
    return client


def met(house: House, mode: str, context: ssl.SSLContext) -> Sealed:
    """Play the mail server up to the end of the handshake, or its failure."""
    peer = house.accept(house.mail)
    CLEAR["imap"][mode](peer)
    return Sealed(peer, context).shake()


def let_in(sealed: Sealed, mode: str) -> None:
    """Play the IMAP server's part of a login inside TLS."""
    if mode == "implicit":
        sealed.send(b"* OK ready\r\n")
    assert sealed.expect(b"\r\n") == b'a1 LOGIN "alice" "secret"\r\n'
    sealed.send(b"a1 OK logged in\r\n")
