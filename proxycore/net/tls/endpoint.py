"""One TLS connection without its socket: what both legs have in common.

``feed`` takes ciphertext and gives plaintext, ``write`` takes plaintext and gives ciphertext. What
TLS itself wants to send meanwhile (handshake, tickets, alerts) gathers in ``out``: after every
``feed`` its owner sends that, also when the connection has failed, because it may be the alert.

Memory: an operation gives at most what its input holds and one record; nothing is kept but
OpenSSL's own state and a record that is not complete. Total: no input raises; a fault of the peer's
shows as ``phase`` FAILED with a ``failure``.
"""

from typing import Any, Final, NamedTuple

from proxycore.net.tls import exchange
from proxycore.net.tls.certificate import CertificateFacts
from proxycore.net.tls.libssl import (
    SHUTDOWN_BOTH,
    WANT_READ,
    ZERO_RETURN,
    crypto,
    errors,
    ffi,
    last_reason,
    ssl,
)
from proxycore.net.tls.phase import Phase as Phase  # seen from outside as this module's

_WHOLE_RECORD: Final = 16_384

_name: Final[Any] = ffi.new("const unsigned char **")
_size: Final[Any] = ffi.new("unsigned int *")
"""Places for OpenSSL's answers, made once: making one costs as much as asking."""

_protocols: Final[dict[int, str]] = {}
_ciphers: Final[dict[Any, str]] = {}
"""Names of what was agreed on before; ciphers are constants of OpenSSL's."""


class Failure(NamedTuple):
    """Why a connection failed."""

    reason: str
    """For people, without OpenSSL's numbers."""
    detail: str
    """For the log, as nginx words it."""
    is_ours: bool = False
    """The peer did nothing wrong: a setting of ours cannot be used."""


class Handshake(NamedTuple):
    """What a completed handshake agreed on."""

    protocol: str
    """Such as ``TLSv1.3``."""
    cipher: str
    """Such as ``TLS_AES_256_GCM_SHA384``."""
    server_name: str
    """Name the client asked for, lower case; empty without."""
    alpn: str
    """Agreed application protocol; empty without."""
    resumed: bool
    verify: str
    """``NONE``, ``SUCCESS`` or ``FAILED:reason``; empty when no certificate was asked for."""
    verify_code: int
    """OpenSSL's number for that reason; 0 is good."""
    peer: CertificateFacts | None
    """The peer's certificate, where we asked for one."""


def _free(pointer: Any) -> None:
    # without this a connection that ends without close_notify takes its session along
    ssl.SSL_set_shutdown(pointer, SHUTDOWN_BOTH)
    ssl.SSL_free(pointer)


def new_ssl(context_pointer: Any) -> Any:
    """Make an SSL that uses the shared BIOs."""
    pointer = ffi.gc(ssl.SSL_new(context_pointer), _free)
    exchange.lend(pointer)
    return pointer


class Endpoint:
    """One connection. ``context`` is what it has in common with others."""

    __slots__ = ("_closing", "_ssl", "context", "facts", "failure", "out", "phase")

    def __init__(self, context: Any) -> None:
        self.context = context
        self.phase = Phase.HANDSHAKE
        self.facts: Handshake | None = None
        self.failure: Failure | None = None
        self.out = b""
        self._ssl: Any = None
        self._closing = False

    @property
    def ended(self) -> bool:
        """Whether the peer has said that it sends no more."""
        return self.phase is Phase.ENDED

    def take(self) -> bytes:
        """Take what is to be sent."""
        out, self.out = self.out, b""
        return out

    def feed(self, data: bytes) -> bytes:
        """Take ciphertext; give the plaintext it completes.

        Handshake first: when this returns and ``facts`` has become known, the plaintext came after.
        """
        if self.phase >= Phase.ENDED or self._ssl is None:
            return b""
        exchange.begin(self)
        try:
            exchange.receive(data)
            if self.phase is Phase.HANDSHAKE and not self._shake():
                return b""
            return self._read()
        finally:
            if out := exchange.finish():
                self.out += out

    def write(self, data: bytes) -> bytes:
        """Encrypt; give all there is to send, ``out`` included. Nothing after ``close``."""
        if self.phase is Phase.FAILED or self._closing:
            return self.take()
        assert self.facts is not None, "plaintext before the handshake"
        exchange.begin(self)
        try:
            source: Any = data
            at, size = 0, len(data)
            while at < size:
                sent = ssl.SSL_write(self._ssl, source, size - at)
                if sent <= 0:
                    self._fail("SSL_write()")
                    break
                at += sent
                if at < size:
                    # one record at a time
                    source = ffi.from_buffer(data) + at
        finally:
            out = exchange.finish()
        return self.take() + out

    def close(self) -> bytes:
        """Say that nothing more will be sent; give that, and ``out``. What comes is still read."""
        if self._ssl is not None and self.phase in (Phase.OPEN, Phase.ENDED) and not self._closing:
            self._closing = True
            exchange.begin(self)
            try:
                ssl.SSL_shutdown(self._ssl)
            finally:
                self.out += exchange.finish()
        return self.take()

    # --- inside an operation ---

    def _shake(self) -> bool:
        """Go on with the handshake; tell whether there is something to be read after it."""
        result = ssl.SSL_do_handshake(self._ssl)
        if result == 1:
            self.facts = self._agreed()
            self.phase = Phase.OPEN
            self._on_open()
            if self.phase is not Phase.OPEN or not exchange.holds_input():
                return False
            # what was forgiven must not be taken for a fault of the next call
            crypto.ERR_clear_error()
            return True
        if ssl.SSL_get_error(self._ssl, result) == WANT_READ:
            exchange.all_read()
        else:
            self._fail("SSL_do_handshake()")
        return False

    def _read(self) -> bytes:
        """Read records while there are any; OpenSSL gives one at a time, as a whole."""
        parts: list[bytes] = []
        got = 0
        while True:
            size = ssl.SSL_read(self._ssl, exchange.room + got, exchange.ROOM_BYTES - got)
            if size <= 0:
                self._look(size)
                break
            got += size
            if not exchange.holds_input():
                break
            if got > exchange.ROOM_BYTES - _WHOLE_RECORD:
                parts.append(exchange.taken(got))
                got = 0
        plain = exchange.taken(got) if got else b""
        return b"".join((*parts, plain)) if parts else plain

    def _look(self, result: int) -> None:
        """Find out why nothing was read."""
        code = ssl.SSL_get_error(self._ssl, result)
        if code == WANT_READ:
            exchange.all_read()
        elif code == ZERO_RETURN:
            self.phase = Phase.ENDED
        else:
            self._fail("SSL_read()")

    def _fail(self, call: str) -> None:
        reason = self._why() or last_reason() or "the connection broke off"
        self.failure = Failure(reason, f"{call} failed {errors()}")
        self.phase = Phase.FAILED
        self._ssl = None

    def _why(self) -> str:
        """Give a better reason than OpenSSL's own, if there is one."""
        return ""

    def _on_open(self) -> None:
        """Look at the agreement before anything is read."""

    def _agreed(self) -> Handshake:
        raise NotImplementedError


def string(pointer: Any) -> str:
    """Give a C string."""
    text: bytes = ffi.string(pointer)
    return text.decode("ascii", "replace")


def agreed_protocol(pointer: Any) -> str:
    """Give the agreed version of TLS, such as ``TLSv1.3``."""
    number = ssl.SSL_version(pointer)
    if number not in _protocols:
        _protocols[number] = string(ssl.SSL_get_version(pointer))
    return _protocols[number]


def agreed_cipher(pointer: Any) -> str:
    """Give the agreed cipher, such as ``TLS_AES_256_GCM_SHA384``."""
    cipher = ssl.SSL_get_current_cipher(pointer)
    if cipher not in _ciphers:
        _ciphers[cipher] = string(ssl.SSL_CIPHER_get_name(cipher))
    return _ciphers[cipher]


def agreed_alpn(pointer: Any) -> str:
    """Give the agreed application protocol."""
    ssl.SSL_get0_alpn_selected(pointer, _name, _size)
    return bytes(ffi.buffer(_name[0], _size[0])).decode("ascii", "replace") if _size[0] else ""
