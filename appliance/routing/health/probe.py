"""Ask mail servers whether they are there: connect, greeting, TLS; never a login.

Everything here has a deadline and touches no database, so that it can run in threads.
"""

import ipaddress
import struct
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from OpenSSL import SSL

from appliance.lib.line import Line
from appliance.routing.health.lookup import SYSTEM, Names, look_up
from appliance.routing.health.tls import Distrusted, NoTls, Policies
from proxycore.contract.protocol import Protocol
from proxycore.contract.tls import BackTls

TIMEOUT_MS: Final = 5_000
AT_ONCE: Final = 32

NO_POLICY: Final = BackTls()


@dataclass(frozen=True, slots=True)
class Target:
    """One door of a mail host, and how nodes go there."""

    host: int
    """Primary key."""
    protocol: Protocol
    address: str
    """IP address or name."""
    port: int
    tls: str
    """``on``, ``starttls`` or ``off``."""
    name: str = ""
    """What its certificate has to be for; empty: its address."""
    policy: BackTls = NO_POLICY
    proxy_protocol: str = "off"
    """Header that nodes begin with: ``off``, ``on`` or ``v2``."""
    names: Names = SYSTEM
    """Who is asked for the addresses of a name."""
    blocks: str = ""
    """Server blocks whose way this is; empty: all there are."""
    problem: str = ""
    """What is wrong with the way itself, so that nobody need be asked."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one probe."""

    target: Target
    latency_ms: int | None
    """None: it failed."""
    reason: str = ""
    """Why; of one that answers, what could not be looked at."""
    is_nameless: bool = False
    """The name could not be looked up, so there was nobody to ask."""


def probe_all(targets: Iterable[Target]) -> list[Found]:
    """Probe many at once, each address of a name by itself."""
    wanted, policies = list(targets), Policies()
    questions = list({(target.address, target.names) for target in wanted})
    with ThreadPoolExecutor(AT_ONCE, "probe") as threads:
        answers = threads.map(lambda one: look_up(*one), questions)
        known = dict(zip(questions, answers, strict=True))
        found: list[Found] = []
        doors: list[Target] = []
        for target in wanted:
            addresses, fault = known[target.address, target.names]
            if not addresses:
                found.append(Found(target, None, fault, is_nameless=True))
            name = target.name or target.address
            doors += [replace(target, address=address, name=name) for address in addresses]
        return [*found, *threads.map(lambda door: probe(door, policies=policies), doors)]


def probe(
    target: Target, timeout_ms: int = TIMEOUT_MS, *, policies: Policies | None = None
) -> Found:
    """Ask one address. Raises nothing that a mail server can cause."""
    if target.problem:
        return Found(target, None, target.problem)
    began = time.monotonic()
    try:
        way = _Way(target, policies or Policies())
        with Line(target.address, target.port, timeout_ms) as line:
            if target.proxy_protocol != "off":
                line.send(_proxy_header(target.proxy_protocol, line))
            if target.tls == "on":
                way.seal(line)
            _GREET[target.protocol](line, way)
            latency_ms = round((time.monotonic() - began) * 1000)
            with suppress(OSError):
                line.send(_GOODBYE[target.protocol])
                line.line()
    except (OSError, ValueError, SSL.Error) as fault:
        return Found(target, None, _in_words(fault, timeout_ms))
    return Found(target, latency_ms, way.doubt)


class _Way:
    """TLS with one door, if there is to be any."""

    def __init__(self, target: Target, policies: Policies) -> None:
        """Raises ValueError and SSL.Error for a policy that cannot be used."""
        is_sealed = target.tls != "off"
        self.is_starttls = target.tls == "starttls"
        self._policy = policies.of(target.policy) if is_sealed else None
        self._name = target.name or target.address

    @property
    def doubt(self) -> str:
        """Say what was not looked at."""
        return self._policy.doubt if self._policy else ""

    def seal(self, line: Line) -> None:
        """Begin TLS."""
        assert self._policy is not None
        line.seal(partial(self._policy.seal, self._name))


def _proxy_header(version: str, line: Line) -> bytes:
    """Say who we are as nodes say who the client is: PROXY protocol §2.1, §2.2."""
    (here, from_port), (there, to_port) = line.ends
    ours, theirs = ipaddress.ip_address(here), ipaddress.ip_address(there)
    if version != "v2":
        return f"PROXY TCP{ours.version} {here} {there} {from_port} {to_port}\r\n".encode()
    places = ours.packed + theirs.packed + struct.pack("!HH", from_port, to_port)
    family = 0x11 if ours.version == 4 else 0x21
    return b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH", 0x21, family, len(places)) + places


class _Odd(OSError):
    """It answers, but not as it should; the text says how."""


def _imap(line: Line, way: _Way) -> None:
    _expect(line.line(), (b"* OK", b"* PREAUTH"), "greeting")
    if way.is_starttls:
        _expect(line.ask(b"s STARTTLS"), (b"S OK",), "answer to STARTTLS")
        way.seal(line)
        # one that dislikes our certificate says so only now
        _expect(line.ask(b"c CAPABILITY"), (b"* CAPABILITY",), "answer to CAPABILITY")


def _pop3(line: Line, way: _Way) -> None:
    _expect(line.line(), (b"+OK",), "greeting")
    if way.is_starttls:
        _expect(line.ask(b"STLS"), (b"+OK",), "answer to STLS")
        way.seal(line)
        _expect(line.ask(b"NOOP"), (b"+OK", b"-ERR"), "answer in TLS")


def _smtp(line: Line, way: _Way) -> None:
    _expect(_reply(line), (b"220",), "greeting")
    if way.is_starttls:
        line.send(b"EHLO localhost\r\n")
        _expect(_reply(line), (b"250",), "answer to EHLO")
        line.send(b"STARTTLS\r\n")
        _expect(_reply(line), (b"220",), "answer to STARTTLS")
        way.seal(line)
        line.send(b"EHLO localhost\r\n")
        _expect(_reply(line), (b"250",), "answer to EHLO in TLS")


_GREET: Final[dict[Protocol, Callable[[Line, _Way], None]]] = {
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


def _in_words(fault: Exception, timeout_ms: int) -> str:
    if isinstance(fault, _Odd | Distrusted):
        return str(fault)
    if isinstance(fault, NoTls):
        return f"no TLS: {fault}"
    if isinstance(fault, SSL.Error):
        return "the server block's TLS towards mail servers cannot be used"
    if isinstance(fault, TimeoutError):
        return f"no answer within {timeout_ms / 1000:g} s"
    if isinstance(fault, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    if isinstance(fault, ConnectionError):
        # what we say ourselves has no number
        return "it closed the connection" if fault.errno or not fault.args else str(fault)
    return str(getattr(fault, "strerror", "") or fault)[:200].lower()
