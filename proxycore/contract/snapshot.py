"""The configuration of a node as one immutable document.

A snapshot comes from an ``nginx.conf`` (proxycore.nginxconf) or from the appliance (over the
control link); the daemon neither knows nor cares which. A session keeps the ``Server`` it was
accepted under until it ends (ADR-0005).

A server block has a module of its own (``contract.server``); its names are given here as well.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from proxycore.contract.codec import Invalid, Problem, decode, encode
from proxycore.contract.fields import setting
from proxycore.contract.listen import Listen
from proxycore.contract.process import AccessLog, ErrorLog, Process, find_network_problems
from proxycore.contract.server import AuthBackup, AuthHttp, AuthHttpHeader, Resolver, Server
from proxycore.contract.tls import FrontTls, find_back_problems, find_front_problems

__all__ = [
    "FORMAT",
    "AccessLog",
    "AuthBackup",
    "AuthHttp",
    "AuthHttpHeader",
    "ErrorLog",
    "Listen",
    "Process",
    "Resolver",
    "Server",
    "Snapshot",
    "find_conflicts",
    "from_plain",
    "groups_of",
    "to_plain",
]

FORMAT: Final = 1
"""Version of the document's shape. A daemon refuses a document of a later format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a node needs to serve."""

    servers: tuple[Server, ...] = setting("Server blocks.", default=())
    process: Process = setting("Process settings.", default_factory=Process)
    format: int = setting("Version of this document's shape.", default=FORMAT, maximum=FORMAT)
    accepting: bool = setting(
        "Whether connections are accepted; a drained node has no listening sockets.", default=True
    )

    def digest(self) -> str:
        """Give a SHA-256 over the whole content, secrets included: equal digest, equal effect."""
        plain = _encoded(self, reveal=True)
        # of the node, not of the configuration: a drained node runs the same revision
        del plain["accepting"]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def to_plain(snapshot: Snapshot, *, reveal: bool = False) -> dict[str, Any]:
    """Give the snapshot as JSON data; secrets masked unless ``reveal``."""
    plain = _encoded(snapshot, reveal=reveal)
    if snapshot.accepting:
        # said of a drained node only: it is no part of any revision
        del plain["accepting"]
    return plain


def _encoded(snapshot: Snapshot, *, reveal: bool) -> dict[str, Any]:
    plain: dict[str, Any] = encode(snapshot, reveal=reveal)
    for server in plain["servers"]:
        if not server["groups"]:
            # nodes are sent it without, and digests of before there were groups stay right
            del server["groups"]
    return plain


def from_plain(plain: Any) -> Snapshot:
    """Read a snapshot from JSON data. Raises ``Invalid`` naming every setting that is wrong."""
    snapshot = decode(Snapshot, plain)
    problems = find_conflicts(snapshot)
    if problems:
        raise Invalid(problems)
    return snapshot


def find_conflicts(snapshot: Snapshot) -> list[Problem]:
    """Find what no single field shows: sockets named twice, server names used twice, TLS, networks.

    Blocks may share a socket and be told apart by the name a client asks for (SNI): then all of
    them speak TLS and the same protocol, describe the socket alike, and no two have a name in
    common. The first is for clients that ask for no name, or for one nobody has. Blocks that no
    node runs both of, by their groups, share nothing.
    """
    problems = find_network_problems(snapshot.process.prelogin_exempt, "process.prelogin_exempt")
    sockets: dict[tuple[str, str], _Holders] = {}
    names: set[str] = set()
    zones: dict[tuple[str, str], int] = {}
    everywhere = ("", *groups_of(snapshot))
    for i, server in enumerate(snapshot.servers):
        here = f"servers[{i}]"
        if server.name in names:
            problems.append(Problem(f"{here}.name", f'"{server.name}" is used by another block'))
        names.add(server.name)
        if not server.listens:
            problems.append(Problem(f"{here}.listens", "needs at least one socket"))
        where = server.groups or everywhere
        for j, listen in enumerate(server.listens):
            if (message := _take(sockets, server, listen, where)) is not None:
                problems.append(Problem(f"{here}.listens[{j}]", message))
        whitelist = server.login_limits.mail_whitelist_ip
        problems += find_network_problems(whitelist, f"{here}.login_limits.mail_whitelist_ip")
        if server.speaks_tls:
            problems += find_front_problems(server.front_tls, f"{here}.front_tls")
        problems += _zone_problems(server.front_tls, f"{here}.front_tls", zones, where)
        problems += find_back_problems(server.back_tls, f"{here}.back_tls")
    return problems


def groups_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Give the groups of nodes that are named, in order."""
    return tuple(sorted({name for server in snapshot.servers for name in server.groups}))


def _take(
    sockets: dict[tuple[str, str], "_Holders"], server: Server, listen: Listen, where: Iterable[str]
) -> str | None:
    """Let a block have a socket on nodes of these groups; give what keeps it from that."""
    found = None
    for group in where:
        holders = sockets.get((group, listen.key))
        if holders is None:
            sockets[group, listen.key] = _Holders(server, listen)
        elif (why := holders.add(server, listen)) is not None and found is None:
            place = f", on nodes of group {group}" if group else ""
            found = f'duplicate "{listen.key}" address and port pair{why}{place}'
    return found


def _zone_problems(
    front: FrontTls, path: str, zones: dict[tuple[str, str], int], where: Iterable[str]
) -> list[Problem]:
    """Find a shared cache that has another size elsewhere. ``zones``: sizes known so far."""
    name, size = front.ssl_session_cache_shared_name, front.ssl_session_cache_shared_bytes
    known = [zones.setdefault((group, name), size) for group in where] if name else []
    other = next((one for one in known if one != size), None)
    if other is None:
        return []
    message = (
        f'the size {size} of shared memory zone "{name}" '
        f"conflicts with already declared size {other}"
    )
    return [Problem(f"{path}.ssl_session_cache_shared_bytes", message)]


class _Holders:
    """The blocks that name a socket so far."""

    def __init__(self, server: Server, listen: Listen) -> None:
        self._server, self._listen = server, listen
        self._last = server
        self._names = {name.lower() for name in server.server_names}

    def add(self, server: Server, listen: Listen) -> str | None:
        """Tell what keeps one more from sharing it, behind nginx's words; None: nothing."""
        first, is_again = self._server, server is self._last
        own = {name.lower(): name for name in server.server_names}
        common = sorted(own.keys() & self._names)
        self._last = server
        self._names |= own.keys()
        if is_again or not (server.speaks_tls and first.speaks_tls):
            return ""
        if server.protocol is not first.protocol:
            return f", with another protocol ({first.protocol}, {server.protocol})"
        if listen != self._listen:
            return ", with other options"
        if common:
            return f', and server name "{own[common[0]]}" is in both blocks'
        return None if own else ", and no server_name to tell the blocks apart by"
