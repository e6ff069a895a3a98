"""The configuration of a node as one immutable document.

A snapshot comes from an ``nginx.conf`` (proxycore.nginxconf) or from the appliance (over the
control link); the daemon neither knows nor cares which. A session keeps the ``Server`` it was
accepted under until it ends (ADR-0005).

If you add a setting: CONTRIBUTING.md has the list of places it has to appear in, and
``tests/checks`` refuses one that nothing reads.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from proxycore.contract.codec import Invalid, Problem, decode, encode
from proxycore.contract.fields import setting
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret

FORMAT: Final = 1
"""Version of the document's shape. A daemon refuses a document of a later format."""

_ONE_PAGE = 4096
_DAY_MS = 86_400_000
_LINE_SAFE = r"[^\x00-\x1f\x7f]*"
_AUTH_HOST = r"[0-9A-Za-z._:-]+|unix:/[^\x00-\x1f\x7f:]+"
_LISTEN_ADDRESS = r"\*|[0-9A-Za-z._:-]+|unix:/[^\x00-\x1f\x7f]+"
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  (RFC 9110 §5.6.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """One socket a server block accepts connections on."""

    address: str = setting(
        "IP address or host name, `*` for any IPv4 address, or `unix:/path`.",
        default="*",
        pattern=_LISTEN_ADDRESS,
        directive="listen",
    )
    port: int = setting(
        "TCP port; 0 with a unix socket.", default=0, directive="listen", minimum=0, maximum=65535
    )
    backlog: int = setting(
        "Connections that may wait to be accepted.",
        default=4096,
        directive="listen",
        unit="count",
        minimum=1,
        maximum=65535,
    )

    @property
    def key(self) -> str:
        """Name of the socket in logs and when two configurations are compared."""
        if self.address.startswith("unix:"):
            return self.address
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthHttpHeader:
    """One header added to every auth request, as given."""

    name: str = setting("Header name.", pattern=_TOKEN, directive="auth_http_header")
    value: Secret = setting(
        "Header value; often a shared secret, so it is kept like one.",
        pattern=_LINE_SAFE,
        directive="auth_http_header",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthHttp:
    """The service that decides about logins (auth_http)."""

    host: str = setting(
        "Host name, IP address (without brackets) or `unix:/path`.",
        directive="auth_http",
        pattern=_AUTH_HOST,
    )
    port: int = setting(
        "TCP port; 0 with a unix socket.",
        default=80,
        minimum=0,
        maximum=65535,
        directive="auth_http",
    )
    uri: str = setting(
        "Path and query asked for.", default="/", directive="auth_http", pattern=r"/[^\x00-\x20]*"
    )
    headers: tuple[AuthHttpHeader, ...] = setting(
        "Headers added to every request, in order.", default=(), directive="auth_http_header"
    )
    timeout_ms: int = setting(
        "Time for connect, request and complete answer.",
        default=60_000,
        directive="auth_http_timeout",
        unit="ms",
        minimum=1,
    )
    keepalive: int = setting(
        "Idle connections kept open per worker; 0 asks as nginx does, HTTP/1.0 and one each.",
        default=0,
        unit="count",
        minimum=0,
        maximum=1024,
    )
    send_node_token: bool = setting(
        "Prove with the node's own token that a node is asking (the built-in auth view).",
        default=False,
    )
    cache_ttl_ms: int = setting(
        "How long a good answer is used again without asking; 0 asks for every login.",
        default=0,
        unit="ms",
        minimum=0,
        maximum=_DAY_MS,
    )
    cache_stale_ms: int = setting(
        "How long a good answer may still be used while the service cannot be reached.",
        default=0,
        unit="ms",
        minimum=0,
        maximum=7 * _DAY_MS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server block: where it listens and how it treats a session."""

    name: str = setting(
        "Name in logs, statistics and the admin.", pattern=r"[^\x00-\x1f\x7f{},=]+", max_length=100
    )
    protocol: Protocol = setting("Mail protocol spoken.", directive="protocol")
    listens: tuple[Listen, ...] = setting("Sockets of this block.", directive="listen")
    auth_http: AuthHttp = setting("Who decides about logins.", directive="auth_http")
    server_names: tuple[str, ...] = setting(
        "Names of this server; the first is used in greetings. Empty: the host's name.",
        default=(),
        directive="server_name",
        pattern=r"[^\x00-\x20\x7f]+",
    )
    timeout_ms: int = setting(
        "Time for everything before login, and again for the login at the mail server.",
        default=60_000,
        directive="timeout",
        unit="ms",
        minimum=1,
    )
    max_errors: int = setting(
        "Commands that are not commands before the client is disconnected.",
        default=5,
        directive="max_errors",
        unit="count",
        minimum=0,
    )
    proxy_timeout_ms: int = setting(
        "Idle time after which a proxied session ends.",
        default=_DAY_MS,
        directive="proxy_timeout",
        unit="ms",
        minimum=1,
    )
    proxy_buffer_bytes: int = setting(
        "Longest answer of the mail server during login.",
        default=_ONE_PAGE,
        directive="proxy_buffer",
        unit="bytes",
        minimum=512,
        maximum=16_777_216,
    )
    proxy_pass_error_message: bool = setting(
        "Show the client the mail server's own refusal.",
        default=False,
        directive="proxy_pass_error_message",
    )
    imap_client_buffer_bytes: int = setting(
        "Longest IMAP command before login, literals included.",
        default=_ONE_PAGE,
        directive="imap_client_buffer",
        unit="bytes",
        minimum=128,
        maximum=16_777_216,
    )
    imap_capabilities: tuple[str, ...] = setting(
        "Capabilities announced before login.",
        default=("IMAP4", "IMAP4rev1", "UIDPLUS"),
        directive="imap_capabilities",
        pattern=_LINE_SAFE,
    )
    imap_auth: tuple[str, ...] = setting(
        "SASL mechanisms announced.",
        default=("plain",),
        directive="imap_auth",
        choices=("plain", "login"),
    )
    pop3_client_buffer_bytes: int = setting(
        "Longest POP3 line before login.",
        default=_ONE_PAGE,
        directive="pop3_client_buffer",
        unit="bytes",
        minimum=128,
        maximum=16_777_216,
    )
    pop3_capabilities: tuple[str, ...] = setting(
        "Capabilities announced before login.",
        default=("TOP", "USER", "UIDL"),
        directive="pop3_capabilities",
        pattern=_LINE_SAFE,
    )
    pop3_auth: tuple[str, ...] = setting(
        "Ways to log in that are announced.",
        default=("plain",),
        directive="pop3_auth",
        choices=("plain",),
    )
    smtp_client_buffer_bytes: int = setting(
        "Longest SMTP line before login.",
        default=_ONE_PAGE,
        directive="smtp_client_buffer",
        unit="bytes",
        minimum=128,
        maximum=16_777_216,
    )
    smtp_capabilities: tuple[str, ...] = setting(
        "Extensions announced in the EHLO answer.",
        default=(),
        directive="smtp_capabilities",
        pattern=_LINE_SAFE,
    )
    smtp_auth: tuple[str, ...] = setting(
        "SASL mechanisms announced.",
        default=("plain", "login"),
        directive="smtp_auth",
        choices=("plain", "login"),
    )
    smtp_greeting_delay_ms: int = setting(
        "How long the greeting is withheld; who speaks first is disconnected.",
        default=0,
        directive="smtp_greeting_delay",
        unit="ms",
        minimum=0,
    )
    xclient: bool = setting(
        "Tell the SMTP server with XCLIENT who the client is.", default=True, directive="xclient"
    )
    proxy_smtp_auth: bool = setting(
        "Authenticate at the SMTP server with the client's credentials.",
        default=False,
        directive="proxy_smtp_auth",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLog:
    """Where messages for people go, and from which level on."""

    target: str = setting(
        "File path or `stderr`.", default="stderr", directive="error_log", pattern=_LINE_SAFE
    )
    level: str = setting(
        "Least severe level written.",
        default="error",
        directive="error_log",
        choices=("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What concerns the daemon's processes and not a session."""

    worker_processes: int = setting(
        "Worker processes; 0 is one per CPU.",
        default=0,
        directive="worker_processes",
        unit="count",
        minimum=0,
        maximum=512,
    )
    worker_connections: int = setting(
        "Sessions per worker; more wait in the listen queue.",
        default=16_384,
        directive="worker_connections",
        unit="count",
        minimum=1,
    )
    worker_shutdown_timeout_ms: int = setting(
        "Time a draining worker leaves its sessions; 0 waits for ever.",
        default=0,
        directive="worker_shutdown_timeout",
        unit="ms",
        minimum=0,
    )
    user: str = setting(
        "User the workers run as, when started as root.",
        default="",
        directive="user",
        pattern=_LINE_SAFE,
    )
    group: str = setting(
        "Group the workers run as. Empty: the group named as the user, or else the user's own.",
        default="",
        directive="user",
        pattern=_LINE_SAFE,
    )
    pid: str = setting(
        "File that holds the supervisor's process id.",
        default="",
        directive="pid",
        pattern=_LINE_SAFE,
    )
    error_logs: tuple[ErrorLog, ...] = setting(
        "Where messages go; none given means stderr.", default=(), directive="error_log"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a node needs to serve."""

    servers: tuple[Server, ...] = setting("Server blocks.", default=())
    process: Process = setting("Process settings.", default_factory=Process)
    format: int = setting("Version of this document's shape.", default=FORMAT, maximum=FORMAT)

    def digest(self) -> str:
        """Give a SHA-256 over the whole content, secrets included: equal digest, equal effect."""
        text = json.dumps(encode(self, reveal=True), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def to_plain(snapshot: Snapshot, *, reveal: bool = False) -> dict[str, Any]:
    """Give the snapshot as JSON data; secrets masked unless ``reveal``."""
    plain: dict[str, Any] = encode(snapshot, reveal=reveal)
    return plain


def from_plain(plain: Any) -> Snapshot:
    """Read a snapshot from JSON data. Raises ``Invalid`` naming every setting that is wrong."""
    snapshot = decode(Snapshot, plain)
    problems = find_conflicts(snapshot)
    if problems:
        raise Invalid(problems)
    return snapshot


def find_conflicts(snapshot: Snapshot) -> list[Problem]:
    """Find what no single field shows: sockets named twice, server names used twice."""
    problems: list[Problem] = []
    sockets: dict[str, str] = {}
    names: set[str] = set()
    for i, server in enumerate(snapshot.servers):
        here = f"servers[{i}]"
        if server.name in names:
            problems.append(Problem(f"{here}.name", f'"{server.name}" is used by another block'))
        names.add(server.name)
        if not server.listens:
            problems.append(Problem(f"{here}.listens", "needs at least one socket"))
        for j, listen in enumerate(server.listens):
            path = f"{here}.listens[{j}]"
            if listen.key in sockets:
                problems.append(Problem(path, f'duplicate "{listen.key}" address and port pair'))
            sockets.setdefault(listen.key, path)
    problems.extend(_find_covered(snapshot, sockets))
    return problems


def _find_covered(snapshot: Snapshot, paths: dict[str, str]) -> list[Problem]:
    """Find sockets that a wildcard on the same port leaves no room for (Linux: EADDRINUSE).

    nginx binds the wildcard only and tells the servers apart by the local address.
    """
    problems: list[Problem] = []
    for listen in (listen for server in snapshot.servers for listen in server.listens):
        wildcard = Listen(address="::" if ":" in listen.address else "*", port=listen.port)
        if listen.port and listen.key != wildcard.key and wildcard.key in paths:
            message = f'"{listen.key}" beside "{wildcard.key}" is not supported yet'
            problems.append(Problem(paths[listen.key], message))
    return problems
