"""One line of the access log per session, composed when the session has ended.

The keys are those of ``contract.access.AccessRecord``. Nothing is built but the line, and of a
session after login no more is kept than ``keep`` gives, because all sessions pay for it: with a
record of dicts and ``json.dumps`` the line would cost five times as much (tests/bench).
"""

from functools import lru_cache
from json.encoder import encode_basestring_ascii
from struct import Struct
from time import gmtime, strftime
from typing import TYPE_CHECKING, Any, Final, Protocol

from proxycore.contract.access import MOST_FAULT_LETTERS, MOST_LOGIN_BYTES
from proxycore.contract.authhttp import ProxyFacts
from proxycore.net.log import escaped, shown

if TYPE_CHECKING:
    from proxycore.net.context import Block

_METHODS: Final = (
    *("", "plain", "apop", "cram-md5", "external", "none", "xoauth2", "oauthbearer"),
)
"""By the number they are kept under; the first is: nothing was submitted."""

_NUMBER_OF: Final = {method: i for i, method in enumerate(_METHODS)}

_NEVER: Final = 0xFFFF_FFFF
_MOST_ATTEMPTS: Final = 0xFFFF

_kept = Struct("<5IQHB")
"""Phases before the relay in ms, beginning in ms of reactor time, attempts, method and cached:
64 octets of memory, where a tuple of the same would take 400."""

Kept = bytes | tuple[bytes, "ProxyFacts | None", tuple[str, int], Any, Any, bytes]
"""What ``keep`` gives: the packed numbers; with them, where there is any of it, the PROXY facts,
the peer, the facts of both TLS handshakes, and the login as submitted if it is known by another."""

NO_PEER: Final = ("", 0)


class Access(Protocol):
    """Where the lines of one server block go."""

    wanted: bool
    """Whether anybody reads them; compose none otherwise."""
    wants_refusals: bool
    """Whether anybody reads of refused logins."""

    def write(self, line: str) -> None:
        """Take one line, with its end."""

    def write_refusal(self, line: str) -> None:
        """Take one line about a refused login, with its end."""


class Unwanted:
    """Nowhere."""

    wanted = False
    wants_refusals = False

    def write(self, line: str) -> None:
        """Lose the line."""

    def write_refusal(self, line: str) -> None:
        """Lose the line."""


class Course:
    """What a session before login remembers for its record: times, in the reactor's seconds."""

    __slots__ = (
        "asked_at",
        "attempts",
        "began_at",
        "cached",
        "connected_at",
        "decided_at",
        "fault",
        "method",
        "peer",
        "secured_at",
        "started_at",
        "submitted",
    )

    def __init__(self, began_at: float, started_at: float) -> None:
        """started_at: the same moment in seconds since the epoch."""
        self.began_at = began_at
        self.started_at = started_at
        self.peer = NO_PEER
        """Where the connection came from, when a PROXY header said something about it."""
        self.secured_at = 0.0
        """The client's TLS handshake was done; 0 here and below: it has not come to that."""
        self.asked_at = 0.0
        self.decided_at = 0.0
        self.connected_at = 0.0
        self.method = ""
        self.submitted = b""
        """Login of the last submission."""
        self.fault = ""
        """What was last said to be wrong with the session."""
        self.attempts = 0
        self.cached = False


def keep(  # noqa: PLR0913  (a record)
    course: Course,
    now: float,
    *,
    connecting: bool,
    known_as: bytes = b"",
    proxy: ProxyFacts | None = None,
    front_tls: Any = None,
    back_tls: Any = None,
) -> Kept:
    """Give what of a session before login its record will need.

    connecting: it came to a mail server. known_as: its login now. front_tls, back_tls: facts of
    handshakes (net.tls).
    """
    began_at, asked_at, decided_at = course.began_at, course.asked_at, course.decided_at
    connected_at = course.connected_at
    tls = credentials = auth = connect = login = _NEVER
    if course.secured_at:
        tls = int((course.secured_at - began_at) * 1000)
    if asked_at:
        credentials = int((asked_at - began_at) * 1000)
        auth = int(((decided_at or now) - asked_at) * 1000)
        if connecting:
            connect = int(((connected_at or now) - decided_at) * 1000)
            if connected_at:
                login = int((now - connected_at) * 1000)
    attempts = course.attempts
    numbers = _kept.pack(
        tls,
        credentials,
        auth,
        connect,
        login,
        int(began_at * 1000),
        attempts if attempts < _MOST_ATTEMPTS else _MOST_ATTEMPTS,
        _NUMBER_OF.get(course.method, 0) * 2 + course.cached,
    )
    submitted = course.submitted
    if submitted == known_as:
        if proxy is None and front_tls is None and back_tls is None:
            return numbers
        submitted = b""
    return (numbers, proxy, course.peer, front_tls, back_tls, submitted)


def write_record(  # noqa: PLR0913  (a record; names would cost as much as the line)
    block: "Block",
    number: int,
    listen: str,
    client: str,
    client_port: int,
    login: bytes,
    auth_session: str,
    backend: str,
    started_at: float,
    kept: Kept,
    reason: str,
    relayed: tuple[int, int] | None = None,
    fault: str = "",
) -> None:
    """Write the line of a session that has just ended.

    relayed: octets to front and to back; None when it never came to that. fault: not yet escaped.
    """
    proxy, front_tls, back_tls, submitted = _NOTHING_MORE
    if not isinstance(kept, bytes):
        kept, proxy, front_tls, back_tls, submitted = _spread(*kept)
    tls, credentials, auth, connect, to_login, began_ms, attempts, method = _kept.unpack(kept)
    context = block.context
    total = int(context.reactor.now * 1000) - began_ms
    to_front, to_back = relayed or (0, 0)
    relay = "null"
    if relayed is not None:
        relay = _number(max(0, total - credentials - auth - connect - to_login))
    seconds = int(started_at)
    # joined, not formatted: a template with 27 places takes twice the instructions
    block.access.write(
        f'{{"time":"{_second(seconds)}.{_MILLIS[int((started_at - seconds) * 1000)]}Z","session":"'
        f'{context.ledger.name_of(number)}",{block.places.get(listen) or _place(block, listen)},'
        f'"client":{_text(client)},"client_port":{client_port},"proxy":{proxy},'
        f'"login":{_text(shown(login[:MOST_LOGIN_BYTES]))},"submitted":{submitted},'
        f'"auth_session":{_text(auth_session)},"method":"{_METHODS[method >> 1]}",'
        f'"attempts":{_number(attempts)},"cached":{"true" if method & 1 else "false"},'
        f'"backend":{_text(backend)},"front_tls":{front_tls},"back_tls":{back_tls},'
        f'"bytes_to_front":{_number(to_front)},"bytes_to_back":{_number(to_back)},'
        f'"ms":{{"tls":{_phase(tls)},"credentials":{_phase(credentials)},"auth":{_phase(auth)},'
        f'"connect":{_phase(connect)},"login":{_phase(to_login)},"relay":{relay},'
        f'"total":{_number(total)}}},"reason":"{reason}",'
        f'"fault":{_text(escaped(fault[:MOST_FAULT_LETTERS]))}}}\n'
    )


def write_refusal(  # noqa: PLR0913  (a record)
    block: "Block",
    number: int,
    listen: str,
    client: tuple[str, int],
    course: Course,
    tls: str,
    text: bytes,
) -> None:
    """Write the line of a submission that has just been refused (contract.access.FailedLogin).

    tls: version of TLS with the client. text: what the client is told.
    """
    context = block.context
    at = course.started_at + context.reactor.now - course.began_at
    seconds = int(at)
    said = text[:MOST_FAULT_LETTERS].decode("utf-8", "backslashreplace")
    block.access.write_refusal(
        _REFUSAL
        % (
            _second(seconds),
            int((at - seconds) * 1000),
            context.ledger.name_of(number),
            block.places.get(listen) or _place(block, listen),
            _quoted(client[0]),
            client[1],
            _quoted(shown(course.submitted[:MOST_LOGIN_BYTES])),
            _quoted(course.method),
            course.attempts,
            "true" if course.cached else "false",
            _quoted(tls),
            _quoted(escaped(said[:MOST_FAULT_LETTERS])),
        )
    )


_REFUSAL: Final = (
    '{"time":"%s.%03dZ","session":"%s",%s,"client":%s,"client_port":%d,"login":%s,"method":%s,'
    '"attempt":%d,"cached":%s,"tls":%s,"text":%s}\n'
)

_quoted: Final = encode_basestring_ascii
"""All but printable ASCII comes out as an escape: no octet of a peer's ends a line or hides one."""

_NOTHING_MORE: Final = ("null", "null", "null", '""')

_SMALL: Final = [str(number) for number in range(1000)]
_MILLIS: Final = [f"{number:03d}" for number in range(1000)]


def _number(value: int) -> str:
    """Write a number that is small as a rule."""
    return _SMALL[value] if 0 <= value < len(_SMALL) else str(value)


def _phase(value: int) -> str:
    """Write how long a phase took, if there was one."""
    return "null" if value == _NEVER else _number(value)


def _text(text: str) -> str:
    return _quoted(text) if text else '""'


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(at))


def _place(block: "Block", listen: str) -> str:
    server = block.server
    name, protocol = _quoted(server.name), _quoted(server.protocol.value)
    place = f'"server":{name},"protocol":{protocol},"listen":{_quoted(listen)}'
    block.places[listen] = place
    return place


def _spread(
    numbers: bytes,
    proxy: ProxyFacts | None,
    peer: tuple[str, int],
    front_tls: Any,
    back_tls: Any,
    submitted: bytes,
) -> tuple[bytes, str, str, str, str]:
    return (
        numbers,
        "null" if proxy is None else _proxy(proxy, peer),
        "null" if front_tls is None else _tls(front_tls),
        "null" if back_tls is None else _tls(back_tls),
        _quoted(shown(submitted[:MOST_LOGIN_BYTES])) if submitted else '""',
    )


def _proxy(facts: ProxyFacts, peer: tuple[str, int]) -> str:
    return (
        f'{{"peer":{_quoted(peer[0])},"peer_port":{peer[1]},'
        f'"client":{_quoted(escaped(facts.client_ip))},"client_port":{facts.client_port},'
        f'"server":{_quoted(escaped(facts.server_ip))},"server_port":{facts.server_port}}}'
    )


def _tls(facts: Any) -> str:
    return (
        f'{{"protocol":{_quoted(facts.protocol)},"cipher":{_quoted(facts.cipher)},'
        f'"sni":{_quoted(escaped(facts.server_name))},"alpn":{_quoted(facts.alpn)},'
        f'"resumed":{"true" if facts.resumed else "false"},"verify":{_quoted(facts.verify)}}}'
    )
