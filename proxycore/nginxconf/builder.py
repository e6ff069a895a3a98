"""What was read of a configuration, merged and made a snapshot.

Merging happens when everything has been read (directives.md §1.5): what stands in ``mail`` behind
a server block counts for it too. The order of the checks is nginx's: module by module, and in
each module server by server.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from proxycore.contract.codec import Invalid
from proxycore.contract.process import OFF, SYSLOG, AccessLog
from proxycore.contract.protocol import DEFAULT_PORTS, WELL_KNOWN_PORTS, Protocol
from proxycore.contract.snapshot import (
    AuthHttp,
    ErrorLog,
    Listen,
    Process,
    Server,
    Snapshot,
    find_conflicts,
    from_plain,
    to_plain,
)
from proxycore.contract.throttle import LoginLimits
from proxycore.nginxconf.addresses import Url
from proxycore.nginxconf.kinds import LEGACY
from proxycore.nginxconf.listening import ListenWish
from proxycore.nginxconf.problems import Place, Report
from proxycore.nginxconf.scope import Blocks, Scope
from proxycore.nginxconf.tls_settings import TlsOf
from proxycore.nginxconf.values import TOKEN_MECHANISMS

_MECHANISM_ORDER: Final = (
    *("plain", "login", "apop", "cram-md5", "external", "none"),
    *TOKEN_MECHANISMS,
)
NGINX_WORKERS: Final = 1
"""Worker processes of a file that does not say how many."""

_DUPLICATE: Final = " address and port pair"
_NO_AUTH: Final = Url("", 0, "/")
"""For a block that will be refused for it."""

_NO_FILE: Final = ("stderr", OFF)
_MAX_NAME: Final = 100
_UNSAFE_IN_NAME: Final = str.maketrans(dict.fromkeys("{},=", "_"))


def build(blocks: Blocks, report: Report, prefix: str) -> Snapshot | None:
    """Merge and check; None when ``report`` got a problem that prevents a snapshot.

    prefix: where relative paths of logs and ``pid`` start.
    """
    mail, scopes = blocks.mail, blocks.servers
    merged = [{**mail.values, **scope.values} for scope in scopes]
    for values in merged:
        for kind in _LOGS & values.keys():
            values[kind] = _logs(values[kind], prefix)
    names: set[str] = set()
    servers: list[Server] = []
    secured = [TlsOf(mail, scope, blocks.directory) for scope in scopes]
    for scope, values, tls in zip(scopes, merged, secured, strict=True):
        protocol = _protocol(values, scope, report)
        listens = tuple(map(tls.listen, _listens(values, protocol, report)))
        servers.append(_server(values, protocol, listens, tls, names))
    blame = Blame(blocks)
    _settle_sockets(blocks, servers, blame, report)
    for tls in secured:
        tls.complain(report)
    for scope in scopes:
        if "auth_http" not in {**mail.places, **scope.places}:
            report.error('no "auth_http" is defined for server', scope.place)
    if report.problems:
        return None
    snapshot = Snapshot(servers=tuple(servers), process=_process(blocks.main.values, prefix))
    return _check(snapshot, blame, report)


def _settle_sockets(blocks: Blocks, servers: list[Server], blame: "Blame", report: Report) -> None:
    """Leave a socket to all who name it if the contract does, or say why it does not."""
    wrong: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for problem in find_conflicts(Snapshot(servers=tuple(servers))):
        found = _PATH.fullmatch(problem.path)
        if found is not None and found["name"] == "listens" and found["index"]:
            number = int(found["server"])
            listen = servers[number].listens[int(found["index"])]
            why = problem.message.partition(_DUPLICATE)[2]
            said = (duplicate(listen) + why, problem.path)
            wrong.setdefault((number, listen.key), []).append(said)
    numbers = {id(scope): number for number, scope in enumerate(blocks.servers)}
    for contest in blocks.contests:
        told = wrong.get((numbers[id(contest.scope)], contest.key))
        report.replace(contest.problem, told.pop(0)[0] if told else "")
    for message, path in chain.from_iterable(wrong.values()):
        report.error(message, blame(path))


# --- server blocks ------------------------------------------------------------------------------


def _protocol(values: dict[str, Any], scope: Scope, report: Report) -> Protocol:
    if "protocol" in values:
        told: Protocol = values["protocol"]
        return told
    for wish in values.get("listens", ()):
        if wish.address.first_port in WELL_KNOWN_PORTS:
            return WELL_KNOWN_PORTS[wish.address.first_port]
    if "listens" in values:
        # nginx since 0.6.12 refuses this; before, and in the seed, it was IMAP
        report.warn('no "protocol" is defined for server and no port tells: imap', scope.place)
    return Protocol.IMAP


def _listens(values: dict[str, Any], protocol: Protocol, report: Report) -> Iterator[Listen]:
    for wish in values.get("listens", ()):
        yield from sockets(wish)
        if wish.address.first_port or wish.address.host.startswith("unix:"):
            continue
        # nginx binds a port of the kernel's choice here, of use to nobody
        port = DEFAULT_PORTS[protocol]
        report.warn(f'no port in "{wish.address.host}" of "listen": {port} is used', wish.place)
        yield wish.socket(port)


def sockets(wish: ListenWish) -> Iterator[Listen]:
    """Give the sockets of a ``listen`` that does not leave its port to the protocol."""
    address = wish.address
    if address.host.startswith("unix:"):
        yield wish.socket(0)
    elif address.first_port:
        for port in range(address.first_port, address.last_port + 1):
            yield wish.socket(port)


def duplicate(listen: Listen) -> str:
    """Say that a socket is named twice, showing it as nginx does."""
    shown = f"0.0.0.0:{listen.port}" if listen.address == "*" else listen.key
    return f'duplicate "{shown}"{_DUPLICATE}'


def _server(
    values: dict[str, Any],
    protocol: Protocol,
    listens: tuple[Listen, ...],
    tls: TlsOf,
    names: set[str],
) -> Server:
    url: Url = values.get("auth_http", _NO_AUTH)
    of_auth = {
        name.removeprefix("auth_http."): value
        for name, value in values.items()
        if name.startswith("auth_http.")
    }
    of_limits = {
        name.removeprefix("login_limits."): value
        for name, value in values.items()
        if name.startswith("login_limits.")
    }
    known = {name: value for name, value in values.items() if name in _PLAIN_FIELDS}
    for name in ("imap_auth", "pop3_auth", "smtp_auth"):
        if name in known:
            known[name] = tuple(word for word in _MECHANISM_ORDER if word in known[name])
    if known.get("xclient") == LEGACY:
        known |= {"xclient": True, "xclient_legacy": True}
    known |= dict.fromkeys(values.get("empty", ()), ())
    if "server_aliases" in values:
        known["server_names"] = (*known.get("server_names", ()), *values["server_aliases"])
    return Server(
        name=_name(values.get("name"), protocol, listens, names),
        protocol=protocol,
        listens=listens,
        auth_http=AuthHttp(
            host=url.host, port=url.port, uri=url.uri, **({"ssl": url.ssl} | of_auth)
        ),
        login_limits=LoginLimits(**of_limits),
        front_tls=tls.front,
        back_tls=tls.back,
        **known,
    )


_PLAIN_FIELDS: Final = frozenset(Server.__dataclass_fields__) - {
    "name",
    "protocol",
    "listens",
    "auth_http",
    "login_limits",
    "front_tls",
    "back_tls",
}


def _name(
    given: str | None, protocol: Protocol, listens: tuple[Listen, ...], names: set[str]
) -> str:
    """Name a block by its first socket, so that the same file gives the same names."""
    if given is not None:
        names.add(given)
        return given
    stem = f"{protocol} {listens[0].key if listens else ''}".translate(_UNSAFE_IN_NAME)[
        : _MAX_NAME - 5
    ]
    name, number = stem, 2
    while name in names:
        name, number = f"{stem} #{number}", number + 1
    names.add(name)
    return name


# --- process ------------------------------------------------------------------------------------


def _process(values: dict[str, Any], prefix: str) -> Process:
    known = {
        name.removeprefix("process."): value
        for name, value in values.items()
        if name.startswith("process.")
    }
    known.setdefault("worker_processes", NGINX_WORKERS)
    if "user" in known:
        user, group = known["user"]
        known["user"] = user
        if group:
            known["group"] = group
    if known.get("pid"):
        known["pid"] = os.path.join(prefix, known["pid"])
    for kind in _LOGS & known.keys():
        known[kind] = _logs(known[kind], prefix)
    return Process(**known)


_LOGS: Final = frozenset({"error_logs", "access_logs"})


def _logs(logs: tuple[ErrorLog | AccessLog, ...], prefix: str) -> tuple[ErrorLog | AccessLog, ...]:
    return tuple(
        log
        if log.target in _NO_FILE or log.target.startswith(SYSLOG)
        else replace(log, target=os.path.join(prefix, log.target))
        for log in logs
    )


# --- the contract's own checks ------------------------------------------------------------------


def _check(snapshot: Snapshot, blame: "Blame", report: Report) -> Snapshot | None:
    """Let the contract judge what no directive's parser did, and blame who said it."""
    try:
        return from_plain(to_plain(snapshot, reveal=True))
    except Invalid as invalid:
        for problem in invalid.problems:
            report.error(str(problem), blame(problem.path))
        return None


class Blame:
    """Knows who said a setting."""

    def __init__(self, blocks: Blocks) -> None:
        self._main, self._mail, self._scopes = blocks.main, blocks.mail, blocks.servers

    def __call__(self, path: str) -> Place:
        """Give the place of a setting, by its path in the snapshot (``servers[0].timeout_ms``)."""
        found = _PATH.match(path)
        if found is None:
            # `user` says the group, too
            names = (path.partition("[")[0], "process.user")
            return next((self._main.places[n] for n in names if n in self._main.places), _NOWHERE)
        scope, name = self._scopes[int(found["server"])], found["name"] or ""
        name = _SAID_BY.get(name, name)
        if name == "listens" and found["index"]:
            wishes: tuple[ListenWish, ...] = scope.values["listens"]
            spread = [one.place for one in wishes for _ in range(len(list(sockets(one))) or 1)]
            return spread[int(found["index"])]
        return scope.places.get(name) or self._mail.places.get(name) or scope.place


_PATH: Final = re.compile(
    r"servers\[(?P<server>\d+)\](?:\.(?P<name>(?:front_tls\.|back_tls\.|login_limits\.)?\w+)(?:\[(?P<index>\d+)\])?)?"
)
_SAID_BY: Final = {
    "front_tls.certificates": "front_tls.ssl_certificate",
    "front_tls.ssl_session_cache_builtin_count": "front_tls.ssl_session_cache",
    "front_tls.ssl_session_cache_shared_name": "front_tls.ssl_session_cache",
    "front_tls.ssl_session_cache_shared_bytes": "front_tls.ssl_session_cache",
}
"""Directives of settings that are not named like them."""

_NOWHERE: Final = Place("", 0)
