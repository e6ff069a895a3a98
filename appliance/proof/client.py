"""Connect to a listener as a mail client does, and see which certificate is shown.

Nothing is logged in: a connection is opened, TLS begun (after STARTTLS where that is how), and the
client takes its leave. OpenSSL by pyOpenSSL, because Python's own ``ssl`` neither gives the chain
nor lets a client say which kinds of key it takes.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from OpenSSL import SSL
from OpenSSL._util import lib as openssl

from appliance.lib.x509 import fingerprint

CONNECT_S: Final = 5.0
PROBE_S: Final = 15.0
"""For everything, a delayed greeting included."""
_LEAVE_S: Final = 3.0
_READ: Final = 16_384
_MAX_LINES: Final = 100
_MAX_LINE: Final = 8192

PROXY_HEADER: Final = b"PROXY UNKNOWN\r\n"
"""Who we are is nobody's business where connections come by a proxy: PROXY protocol §2.1."""

_SIGNATURES: Final = {
    "RSA": b"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512"
    b":RSA+SHA1",
    "EC": b"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ECDSA+SHA1",
    "Ed25519": b"ed25519",
    "Ed448": b"ed448",
}
"""What a client offers that takes one kind of key only."""

_LEAVING: Final = {"imap": b"z LOGOUT\r\n", "pop3": b"QUIT\r\n", "smtp": b"QUIT\r\n"}


class Failed(Exception):
    """There was no certificate to see; says why, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One connection to make."""

    host: str
    port: int
    protocol: str
    is_implicit: bool
    is_proxied: bool = False
    """A PROXY header comes first."""
    name: str = ""
    """Server name asked for; empty: none."""
    kind: str = ""
    """Kind of key that is taken; empty: any."""


async def look(visit: Visit) -> tuple[str, ...]:
    """Give the fingerprints of what is shown, the certificate first. Raises Failed."""
    try:
        async with asyncio.timeout(PROBE_S):
            return await _look(visit)
    except TimeoutError:
        raise Failed("There was no answer in time.") from None
    except (OSError, EOFError) as error:
        words = getattr(error, "strerror", None) or str(error) or "the connection was closed"
        raise Failed(f"No certificate was seen: {words}.") from None


async def _look(visit: Visit) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(visit.host, visit.port, limit=_MAX_LINE)
    except TimeoutError:
        raise Failed(f"Nobody answers at {visit.host} port {visit.port}: is it blocked?") from None
    except OSError as error:
        where = f"{visit.host} port {visit.port}"
        raise Failed(f"{where} cannot be reached: {error.strerror or error}.") from None
    try:
        if visit.is_proxied:
            writer.write(PROXY_HEADER)
        if not visit.is_implicit:
            await _start_tls(visit.protocol, reader, writer)
        channel = _Channel(visit, reader, writer)
        await channel.shake_hands()
        seen = channel.shown()
        with contextlib.suppress(TimeoutError, OSError, EOFError, SSL.Error):
            async with asyncio.timeout(_LEAVE_S):
                await channel.leave()
        return seen
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _start_tls(
    protocol: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Ask for TLS: RFC 3501 §6.2.1, RFC 2595 §4, RFC 3207. Raises Failed."""
    if protocol == "imap":
        await _expect(reader, b"* OK")
        writer.write(b"a STARTTLS\r\n")
        await _expect(reader, b"a OK")
    elif protocol == "pop3":
        await _expect(reader, b"+OK")
        writer.write(b"STLS\r\n")
        await _expect(reader, b"+OK")
    else:
        await _expect(reader, b"220")
        writer.write(b"EHLO postroad.invalid\r\n")
        await _expect(reader, b"250")
        writer.write(b"STARTTLS\r\n")
        await _expect(reader, b"220")


async def _expect(reader: asyncio.StreamReader, wanted: bytes) -> None:
    """Read one answer, of several lines in SMTP. Raises Failed, and EOFError."""
    for _ in range(_MAX_LINES):
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            break
        if not line.startswith(wanted):
            said = line[:120].decode("ascii", "replace").strip()
            raise Failed(f"Instead of beginning TLS, the listener said: {said}")
        if line[3:4] != b"-" or not wanted.isdigit():
            return
    raise Failed("What the listener said before TLS had no end.")


class _Channel:
    """TLS over a stream, as far as a look needs it."""

    def __init__(
        self, visit: Visit, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer
        self._visit = visit
        self._tls = SSL.Connection(_context(visit.kind), None)
        self._tls.set_connect_state()
        if visit.name:
            self._tls.set_tlsext_host_name(visit.name.encode("ascii", "ignore"))

    async def shake_hands(self) -> None:
        """Begin TLS. Raises Failed."""
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                await self._exchange()
            except SSL.Error as error:
                self._send()
                raise Failed(_words(error, self._visit)) from None
            else:
                self._send()
                return

    def shown(self) -> tuple[str, ...]:
        """Give the fingerprints of what the other side showed."""
        chain = self._tls.get_peer_cert_chain(as_cryptography=True) or []
        if not chain:
            raise Failed("The listener showed no certificate.")
        return tuple(fingerprint(one) for one in chain)

    async def leave(self) -> None:
        """Hear the greeting, where there is one still, say goodbye and wait for the answer."""
        if self._visit.is_implicit:
            await self._read()
        self._tls.send(_LEAVING[self._visit.protocol])
        self._send()
        await self._read()

    async def _read(self) -> bytes:
        while True:
            try:
                return bytes(self._tls.recv(_READ))
            except SSL.WantReadError:
                await self._exchange()

    async def _exchange(self) -> None:
        self._send()
        data = await self._reader.read(_READ)
        if not data:
            raise EOFError
        self._tls.bio_write(data)

    def _send(self) -> None:
        with contextlib.suppress(SSL.WantReadError):
            while True:
                self._writer.write(self._tls.bio_read(_READ))


@lru_cache(maxsize=8)
def _context(kind: str) -> SSL.Context:
    """Give a client that trusts anybody, and takes this kind of key only."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    # whatever the operator allows is looked at, also what we would not use
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    signatures = _SIGNATURES.get(kind)
    if signatures is not None:
        # what pyOpenSSL has no method for
        done = openssl.SSL_CTX_set1_sigalgs_list(context._context, signatures)  # noqa: SLF001
        assert done == 1, signatures
    return context


def _words(error: SSL.Error, visit: Visit) -> str:
    found = error.args[0] if error.args else ()
    reason = str(found[-1][-1]) if isinstance(found, list) and found else ""
    what = f" with a key of kind {visit.kind}" if visit.kind else ""
    return f"The TLS handshake{what} failed: {reason or 'the connection was closed'}."
