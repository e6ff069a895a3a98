"""What was read of a configuration, merged and made a snapshot.

Merging happens when everything has been read (directives.md §1.5): what stands in ``mail`` behind
a server block counts for it too. The order of the checks is nginx's: module by module, and in
each module server by server.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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
    from_plain,
    to_plain,
)
from proxycore.nginxconf.addresses import Url
from proxycore.nginxconf.kinds import LEGACY
from proxycore.nginxconf.listening import ListenWish
from proxycore.nginxconf.problems import Place, Report
from proxycore.nginxconf.rows import Context
from proxycore.nginxconf.values import TOKEN_MECHANISMS

_MECHANISM_ORDER: Final = (
    *("plain", "login", "apop", "cram-md5", "external", "none"),
    *TOKEN_MECHANISMS,
)
NGINX_WORKERS: Final = 1
"""Worker processes of a file that does not say how many."""

_NO_FILE: Final = ("stderr", OFF)
_MAX_NAME: Final = 100
_UNSAFE_IN_NAME: Final = str.maketrans(dict.fromkeys("{},=", "_"))


@dataclass(slots=True)
class Scope:
    """What one block says: values by field, and where each was said."""

    context: Context
    place: Place = Place("", 0)  # noqa: RUF009  (frozen)
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)


def build(
    main: Scope, mail: Scope, scopes: list[Scope], report: Report, prefix: str
) -> Snapshot | None:
    """Merge and check; None when ``report`` got a problem that prevents a snapshot."""
    merged = [{**mail.values, **scope.values} for scope in scopes]
    for values in merged:
        for kind in _LOGS & values.keys():
            values[kind] = _logs(values[kind], prefix)
    taken = {
        listen.key
        for values in merged
        for wish in values.get("listens", ())
        for listen in sockets(wish)
    }
    names: set[str] = set()
    servers: list[Server] = []
    heads: list[tuple[Protocol, tuple[Listen, ...]]] = []
    for scope, values in zip(scopes, merged, strict=True):
        protocol = _protocol(values, scope, report)
        heads.append((protocol, tuple(_listens(values, protocol, taken, report))))
    for scope, values, (protocol, listens) in zip(scopes, merged, heads, strict=True):
        if "auth_http" not in {**mail.places, **scope.places}:
            report.error('no "auth_http" is defined for server', scope.place)
        elif "auth_http" in values and listens:
            servers.append(_server(values, protocol, listens, names))
    if report.problems:
        return None
    snapshot = Snapshot(servers=tuple(servers), process=_process(main.values, prefix))
    return _check(snapshot, Blame(main, mail, scopes), report)


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


def _listens(
    values: dict[str, Any], protocol: Protocol, taken: set[str], report: Report
) -> Iterator[Listen]:
    for wish in values.get("listens", ()):
        yield from sockets(wish)
        if wish.address.first_port or wish.address.host.startswith("unix:"):
            continue
        # nginx binds a port of the kernel's choice here, of use to nobody
        port = DEFAULT_PORTS[protocol]
        report.warn(f'no port in "{wish.address.host}" of "listen": {port} is used', wish.place)
        listen = wish.socket(port)
        if listen.key in taken:
            report.error(duplicate(listen), wish.place)
        taken.add(listen.key)
        yield listen


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
    return f'duplicate "{shown}" address and port pair'


def _server(
    values: dict[str, Any], protocol: Protocol, listens: tuple[Listen, ...], names: set[str]
) -> Server:
    url: Url = values["auth_http"]
    of_auth = {
        name.removeprefix("auth_http."): value
        for name, value in values.items()
        if name.startswith("auth_http.")
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
        name=_name(values.get("name"), protocol, listens[0], names),
        protocol=protocol,
        listens=listens,
        auth_http=AuthHttp(
            host=url.host, port=url.port, uri=url.uri, **({"ssl": url.ssl} | of_auth)
        ),
        **known,
    )


_PLAIN_FIELDS: Final = frozenset(Server.__dataclass_fields__) - {
    "name",
    "protocol",
    "listens",
    "auth_http",
}


def _name(given: str | None, protocol: Protocol, listen: Listen, names: set[str]) -> str:
    """Name a block by its first socket, so that the same file gives the same names."""
    if given is not None:
        names.add(given)
        return given
    stem = f"{protocol} {listen.key}".translate(_UNSAFE_IN_NAME)[: _MAX_NAME - 5]
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

    def __init__(self, main: Scope, mail: Scope, scopes: list[Scope]) -> None:
        self._main, self._mail, self._scopes = main, mail, scopes

    def __call__(self, path: str) -> Place:
        """Give the place of a setting, by its path in the snapshot (``servers[0].timeout_ms``)."""
        found = _PATH.match(path)
        if found is None:
            # `user` says the group, too
            names = (path.partition("[")[0], "process.user")
            return next((self._main.places[n] for n in names if n in self._main.places), _NOWHERE)
        scope, name = self._scopes[int(found["server"])], found["name"] or ""
        if name == "listens" and found["index"]:
            wishes: tuple[ListenWish, ...] = scope.values["listens"]
            spread = [one.place for one in wishes for _ in range(len(list(sockets(one))) or 1)]
            return spread[int(found["index"])]
        return scope.places.get(name) or self._mail.places.get(name) or scope.place


_PATH: Final = re.compile(r"servers\[(?P<server>\d+)\](?:\.(?P<name>\w+)(?:\[(?P<index>\d+)\])?)?")
_NOWHERE: Final = Place("", 0)
