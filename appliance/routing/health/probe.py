"""Ask mail servers whether they are there: connect, greeting, TLS; never a login.

Everything here has a deadline and touches no database, so that it can run in threads.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from appliance.lib.line import Line
from proxycore.contract.protocol import Protocol

TIMEOUT_MS: Final = 5_000
AT_ONCE: Final = 32
MOST_ADDRESSES: Final = 8
"""Of one name; nodes try them one after the other."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a mail server's certificate may come from, beside those the system trusts."""

    verify: bool = True
    authorities: tuple[str, ...] = ()
    """PEM text or paths."""


@dataclass(frozen=True, slots=True)
class Target:
    """One door of a mail host."""

    host: int
    """Primary key."""
    protocol: Protocol
    address: str
    """IP address or name."""
    port: int
    tls: str
    """``on``, ``starttls`` or ``off``."""
    name: str = ""
    """What its certificate has to be for."""
    trust: Trust = Trust()


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one probe."""

    target: Target
    latency_ms: int | None
    """None: it failed."""
    reason: str = ""
    is_nameless: bool = False
    """The name could not be looked up, so there was nobody to ask."""


def probe_all(targets: Iterable[Target]) -> list[Found]:
    """Probe many at once, each address of a name by itself."""
    wanted = list(targets)
    names = {target.address for target in wanted}
    with ThreadPoolExecutor(AT_ONCE, "probe") as threads:
        known = dict(zip(names, threads.map(_look_up, names), strict=True))
        found: list[Found] = []
        doors: list[Target] = []
        for target in wanted:
            addresses, fault = known[target.address]
            if not addresses:
                found.append(Found(target, None, fault, is_nameless=True))
            doors += [
                Target(
                    *(target.host, target.protocol, address, target.port, target.tls),
                    *(target.name or target.address, target.trust),
                )
                for address in addresses
            ]
        return [*found, *threads.map(probe, doors)]


def probe(target: Target, timeout_ms: int = TIMEOUT_MS) -> Found:
    """Ask one address. Raises nothing that a mail server can cause."""
    began = time.monotonic()
    try:
        with Line(target.address, target.port, timeout_ms) as line:
            if target.tls == "on":
                line.start_tls(target.name, _context(target.trust))
            _GREET[target.protocol](line, target)
            latency_ms = round((time.monotonic() - began) * 1000)
            with suppress(OSError):
                line.send(_GOODBYE[target.protocol])
    except (OSError, ValueError) as fault:
        return Found(target, None, _in_words(fault, timeout_ms))
    return Found(target, latency_ms)


class _Odd(OSError):
    """It answers, but not as it should; the text says how."""


def _imap(line: Line, target: Target) -> None:
    _expect(line.line(), (b"* OK", b"* PREAUTH"), "greeting")
    if target.tls == "starttls":
        _expect(line.ask(b"s STARTTLS"), (b"S OK",), "answer to STARTTLS")
        line.start_tls(target.name, _context(target.trust))


def _pop3(line: Line, target: Target) -> None:
    _expect(line.line(), (b"+OK",), "greeting")
    if target.tls == "starttls":
        _expect(line.ask(b"STLS"), (b"+OK",), "answer to STLS")
        line.start_tls(target.name, _context(target.trust))


def _smtp(line: Line, target: Target) -> None:
    _expect(_reply(line), (b"220",), "greeting")
    if target.tls == "starttls":
        line.send(b"EHLO localhost\r\n")
        _expect(_reply(line), (b"250",), "answer to EHLO")
        line.send(b"STARTTLS\r\n")
        _expect(_reply(line), (b"220",), "answer to STARTTLS")
        line.start_tls(target.name, _context(target.trust))


_GREET: Final[dict[Protocol, Callable[[Line, Target], None]]] = {
    Protocol.IMAP: _imap,
    Protocol.POP3: _pop3,
    Protocol.SMTP: _smtp,
}
_GOODBYE: Final = {
    Protocol.IMAP: b"z LOGOUT\r\n",
    Protocol.POP3: b"QUIT\r\n",
    Protocol.SMTP: b"QUIT\r\n",
}
_SAID_CHARS: Final = 80


def _expect(said: bytes, wanted: tuple[bytes, ...], what: str) -> None:
    if not said.upper().startswith(wanted):
        text = said[:_SAID_CHARS].decode("ascii", "replace")
        shown = "".join(letter if letter.isprintable() else "?" for letter in text)
        raise _Odd(f"unexpected {what}: {shown or 'nothing'}")


def _reply(line: Line) -> bytes:
    """Read a reply of one or more lines and give its last one."""
    said = line.line()
    while said[3:4] == b"-":
        said = line.line()
    return said


def _look_up(name: str) -> tuple[list[str], str]:
    """Give the addresses of a name, or why there are none."""
    try:
        rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return [], f"the name {name} cannot be looked up"
    return list(dict.fromkeys(str(row[4][0]) for row in rows))[:MOST_ADDRESSES], ""


def _in_words(fault: Exception, timeout_ms: int) -> str:
    if isinstance(fault, _Odd):
        return str(fault)
    if isinstance(fault, TimeoutError):
        return f"no answer within {timeout_ms / 1000:g} s"
    if isinstance(fault, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"its certificate does not do: {fault.verify_message}"
    if isinstance(fault, ssl.SSLError):
        return f"no TLS: {(fault.reason or 'handshake failed').replace('_', ' ').lower()}"
    if isinstance(fault, ConnectionError):
        # what we say ourselves has no number
        return "it closed the connection" if fault.errno or not fault.args else str(fault)
    return str(getattr(fault, "strerror", "") or fault)[:200].lower()


@lru_cache(maxsize=8)
def _context(trust: Trust) -> ssl.SSLContext:
    """Make a context once: each costs 830 kB."""
    context = ssl.create_default_context()
    for authority in trust.authorities:
        # a path is one of the nodes, where another file may lie
        with suppress(OSError):
            if "-----BEGIN" in authority:
                context.load_verify_locations(cadata=authority)
            else:
                context.load_verify_locations(cafile=authority)
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
