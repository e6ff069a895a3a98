"""Snapshots for property tests: every setting varied within what the contract allows."""

from dataclasses import MISSING, fields, replace
from typing import Any, get_args, get_type_hints

from hypothesis import strategies as st

from proxycore.contract.fields import settings_of
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import (
    AccessLog,
    AuthBackup,
    AuthHttp,
    AuthHttpHeader,
    ErrorLog,
    Listen,
    Process,
    Resolver,
    Server,
    Snapshot,
)
from tests.unit.proxycore.tls_settings import backs, fronts

_LINE = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
_NAME = st.text(
    alphabet=st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=9
)
_LABEL = st.text(alphabet="abc #*:.[]-é\"'\\;$", min_size=1, max_size=12)
_HOST = st.sampled_from(["127.0.0.1", "::1", "mail.example.com", "10.0.0.2", "fe80::1"])
_UNIX = st.from_regex(r"unix:/[a-z0-9 ;{}\"'#$\\]{1,12}", fullmatch=True)
_PATH = st.from_regex(r"/[a-z0-9 ;{}\"'#$\\]{1,12}", fullmatch=True)
_GREETING = st.from_regex(r"[!-~]([ -~]{0,9}[!-~])?", fullmatch=True)
_USER = st.sampled_from(["nobody", "www-data", "a b"])
_NAME_SERVER = st.sampled_from(
    ["127.0.0.1", "10.0.0.1:5353", "[::1]", "[fe80::1]:53", "ns.example"]
)
_TRUSTED = st.sampled_from(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32", "unix:", "lb.example.com"])
_EXEMPT = st.sampled_from(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32", "unix:"])
_INT_MAX = 2**40


def snapshots() -> st.SearchStrategy[Snapshot]:
    """Give snapshots the contract accepts."""
    servers = st.lists(_servers(), max_size=3, unique_by=lambda server: server.name)
    return st.builds(Snapshot, servers=servers.map(_without_twins), process=_processes())


def grouped() -> st.SearchStrategy[Snapshot]:
    """Give snapshots whose blocks are for some groups of nodes each."""
    names = st.lists(st.sets(st.sampled_from(["a", "b", "c"])), min_size=3, max_size=3)
    return st.tuples(snapshots(), names).map(_with_groups)


def _with_groups(drawn: tuple[Snapshot, list[set[str]]]) -> Snapshot:
    snapshot, names = drawn
    servers = zip(snapshot.servers, names, strict=False)
    return replace(
        snapshot, servers=tuple(replace(one, groups=tuple(sorted(of))) for one, of in servers)
    )


def _without_twins(servers: list[Server]) -> tuple[Server, ...]:
    """Leave out servers that name a socket again."""
    taken: set[str] = set()
    kept = []
    for server in servers:
        keys = {listen.key for listen in server.listens}
        if not keys & taken:
            kept.append(server)
        taken |= keys
    return tuple(kept)


def _listens() -> st.SearchStrategy[Listen]:
    backlog = st.integers(1, 65_535)
    # a wildcard leaves no room for an address on its port
    known: dict[str, Any] = {
        "backlog": backlog,
        "proxy_protocol": st.booleans(),
        "rcvbuf_bytes": st.sampled_from([0, 8192]),
        "ipv6only": st.booleans(),
        "so_keepalive": st.sampled_from(["default", "on", "off"]),
        # an option means what `bind` does, and is written without it
        "bind": st.just(True),
    }
    tcp = st.builds(Listen, address=_HOST, port=st.integers(10_000, 65_535), **known)
    any_address = st.builds(Listen, port=st.integers(1, 9_999), **known)
    return tcp | any_address | st.builds(Listen, address=_UNIX, **known)


def _auths() -> st.SearchStrategy[AuthHttp]:
    header = st.builds(
        AuthHttpHeader, name=st.sampled_from(["X-Key", "a", "!#$%&'*"]), value=_LINE.map(Secret)
    )
    known: dict[str, Any] = {
        **_simple(AuthHttp),
        "uri": st.from_regex(r"/[a-z;{}?\"'\\$é]{0,9}", fullmatch=True),
        "headers": st.lists(header, max_size=2).map(tuple),
        "backups": st.lists(_backups(), max_size=2).map(tuple),
        "ssl_trusted_certificate": st.just("") | _PATH,
    }
    tcp = st.builds(AuthHttp, **{**known, "host": _HOST, "port": st.integers(1, 65_535)})
    return tcp | st.builds(AuthHttp, **{**known, "host": _UNIX, "port": st.just(0)})


def _backups() -> st.SearchStrategy[AuthBackup]:
    uri = st.from_regex(r"/[a-z;{}?\"'\\$é]{0,9}", fullmatch=True)
    known = {"uri": uri, "ssl": st.booleans()}
    tcp = st.builds(AuthBackup, host=_HOST, port=st.integers(1, 65_535), **known)
    return tcp | st.builds(AuthBackup, host=_UNIX, port=st.just(0), **known)


def _servers() -> st.SearchStrategy[Server]:
    names = st.lists(_NAME | st.sampled_from(["_", "*", ".a"]), max_size=3)
    known: dict[str, Any] = {
        **_simple(Server),
        "name": _LABEL,
        "protocol": st.sampled_from(Protocol),
        "imap_greeting": _GREETING,
        "pop3_greeting": _GREETING,
        "imap_id": st.lists(st.text(alphabet="aB 9.'$;{}#", max_size=9), max_size=3).map(tuple),
        "listens": st.lists(
            _listens(), min_size=1, max_size=3, unique_by=lambda listen: listen.key
        ).map(tuple),
        "auth_http": _auths(),
        "error_logs": st.lists(_logs(), max_size=2).map(tuple),
        "access_logs": st.lists(_access_logs(), max_size=2).map(tuple),
        "server_names": names.map(tuple),
        "resolver": st.just(Resolver()) | _resolvers(),
        "proxy_protocol": st.sampled_from(settings_of(Server)["proxy_protocol"].choices),
        "set_real_ip_from": st.lists(_TRUSTED, max_size=2).map(tuple),
        # of an installation with many nodes: no file has them
        "groups": st.just(()),
    }
    return st.builds(Server, **known) | _secured(known)


def _secured(known: dict[str, Any]) -> st.SearchStrategy[Server]:
    """Give servers with TLS of any kind; sockets speak it where there are certificates."""
    plain = st.builds(Server, **known, front_tls=fronts(), back_tls=backs())
    return st.tuples(plain, st.booleans()).map(_with_tls_sockets)


def _with_tls_sockets(parts: tuple[Server, bool]) -> Server:
    server, implicit = parts
    if not (implicit and server.front_tls.certificates):
        return server
    return replace(server, listens=tuple(replace(one, ssl=True) for one in server.listens))


def _resolvers() -> st.SearchStrategy[Resolver]:
    addresses = st.lists(_NAME_SERVER, min_size=1, max_size=3).map(tuple)
    families = st.sampled_from([(True, True), (True, False), (False, True)])
    return st.builds(
        lambda addresses, valid_ms, both: Resolver(
            addresses=addresses, valid_ms=valid_ms, ipv4=both[0], ipv6=both[1]
        ),
        addresses,
        st.integers(0, 10**9),
        families,
    )


def _logs() -> st.SearchStrategy[ErrorLog]:
    level = st.sampled_from(settings_of(ErrorLog)["level"].choices)
    syslog = st.builds(
        ErrorLog,
        target=st.sampled_from(["syslog:127.0.0.1", "syslog:[::1]:5514", "syslog:unix:/dev/log"]),
        level=level,
        syslog_facility=st.sampled_from(settings_of(ErrorLog)["syslog_facility"].choices),
        syslog_tag=st.sampled_from(["nginx", "a_1"]),
        syslog_hostname=st.booleans(),
    )
    return syslog | st.builds(ErrorLog, target=_PATH | st.just("stderr"), level=level)


def _access_logs() -> st.SearchStrategy[AccessLog]:
    syslog = st.builds(
        AccessLog,
        target=st.sampled_from(["syslog:127.0.0.1", "syslog:unix:/dev/log"]),
        syslog_facility=st.sampled_from(settings_of(AccessLog)["syslog_facility"].choices),
        syslog_tag=st.sampled_from(["nginx", "a_1"]),
        syslog_hostname=st.booleans(),
    )
    return syslog | st.builds(AccessLog, target=_PATH | st.just("off"))


def _processes() -> st.SearchStrategy[Process]:
    return st.builds(
        Process,
        **{
            **_simple(Process),
            "user": _USER | st.just(""),
            "group": _USER | st.just(""),
            "pid": _PATH | st.just(""),
            "error_logs": st.lists(_logs(), max_size=2).map(tuple),
            "access_logs": st.lists(_access_logs(), max_size=2).map(tuple),
            "prelogin_exempt": st.lists(_EXEMPT, max_size=2).map(tuple),
        },
    )


def _simple(cls: type) -> dict[str, st.SearchStrategy[Any]]:
    """Give strategies for numbers, flags and lists of words, from their declarations."""
    hints, declared = get_type_hints(cls), settings_of(cls)
    found: dict[str, st.SearchStrategy[Any]] = {}
    for one in fields(cls):
        setting, hint = declared[one.name], hints[one.name]
        default = () if one.default is MISSING else (one.default,)
        if hint is int:
            high = _INT_MAX if setting.maximum is None else setting.maximum
            found[one.name] = st.sampled_from(default or (1,)) | st.integers(
                setting.minimum or 0, high
            )
        elif hint is bool:
            found[one.name] = st.booleans()
        elif get_args(hint)[:1] == (str,):
            found[one.name] = _words(setting.choices)
    return found


def _words(choices: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    if not choices:
        return st.lists(_LINE, max_size=3).map(tuple)
    # mechanisms have no order of their own: nginx's is kept
    return st.sets(st.sampled_from(choices)).map(
        lambda chosen: tuple(word for word in choices if word in chosen)
    )
