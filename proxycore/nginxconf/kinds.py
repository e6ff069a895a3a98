"""The kinds of value that one directive alone has."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttpHeader, ErrorLog, Listen
from proxycore.nginxconf.addresses import Address, Url, parse_auth_http, parse_listen
from proxycore.nginxconf.problems import Place, Refused, Report
from proxycore.nginxconf.source import Statement
from proxycore.nginxconf.values import FLAG, Kind, parse_size, whole_number

MAX_BACKLOG: Final = 65_535

LISTS: Final = (
    "imap_capabilities",
    "imap_auth",
    "pop3_capabilities",
    "pop3_auth",
    "smtp_capabilities",
    "smtp_auth",
)
"""Lists that nginx cannot leave empty: their directives take one argument at least."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LEVELS: Final = ("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg")
_DEBUG_LEVEL: Final = re.compile(r"debug_(core|alloc|mutex|event|http|mail|stream)")


@dataclass(frozen=True, slots=True)
class ListenWish:
    """One ``listen`` as written; its port may still depend on the block's protocol."""

    address: Address
    backlog: int
    """0 when not given."""
    place: Place


# --- listen -------------------------------------------------------------------------------------


def _parse_listen(statement: Statement, report: Report) -> tuple[ListenWish, ...]:
    text, *parameters = statement.args
    try:
        address = parse_listen(text)
    except Refused as refused:
        raise Refused(f'{refused} in "{text}" of the "listen" directive') from None
    backlog = 0
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if parameter == "bind":
            continue  # every socket is bound on its own here
        if name == "backlog" and equals:
            backlog = _backlog(parameter, value, statement, report)
        elif name == "ipv6only" and equals:
            _ipv6only(parameter, value)
        elif _is_known_parameter(parameter):
            raise Refused(f'"{parameter}" parameter of "listen" directive is not supported yet')
        else:
            raise Refused(f'invalid parameter "{parameter}"')
    return (ListenWish(address, backlog, statement.place),)


def _backlog(parameter: str, value: str, statement: Statement, report: Report) -> int:
    number = whole_number(value)
    if not number:
        raise Refused(f'invalid backlog "{parameter}"')
    if number > MAX_BACKLOG:
        report.warn(f'"{parameter}" is more than {MAX_BACKLOG}, which is used', statement.place)
    return min(number, MAX_BACKLOG)


def _ipv6only(parameter: str, value: str) -> None:
    if value == "on":
        return  # as every IPv6 socket is here
    if value == "off":
        raise Refused(f'"{parameter}" parameter of "listen" directive is not supported yet')
    if value.startswith("of"):
        raise Refused(f'invalid ipv6only flags "{value}"')
    raise Refused(f'invalid parameter "{parameter}"')


def _is_known_parameter(parameter: str) -> bool:
    name, equals, value = parameter.partition("=")
    if not equals:
        return name in ("ssl", "proxy_protocol", "multipath")
    if name in ("rcvbuf", "sndbuf"):
        if parse_size(value) is None:
            raise Refused(f'invalid {name} "{parameter}"')
        return True
    return name == "so_keepalive"


def _write_listen(listen: Listen) -> Iterable[str]:
    address = listen.address if listen.address.startswith("unix:") else listen.key
    if listen.backlog == Listen().backlog:
        return (address,)
    return (address, f"backlog={listen.backlog}")


# --- auth_http ----------------------------------------------------------------------------------


def _parse_auth_http(statement: Statement, _: Report) -> Url:
    text = statement.args[0].removeprefix("http://")
    try:
        return parse_auth_http(text)
    except Refused as refused:
        raise Refused(f'{refused} in auth_http "{text}"') from None


def _write_auth_http(url: Url) -> Iterable[str]:
    if url.host.startswith("unix:"):
        return (f"http://{url.host}:{url.uri}",)
    host = f"[{url.host}]" if ":" in url.host else url.host
    return (f"http://{host}:{url.port}{url.uri}",)


def _parse_header(statement: Statement, _: Report) -> tuple[AuthHttpHeader, ...]:
    name, value = statement.args
    if _TOKEN.fullmatch(name) is None:
        raise Refused(f'"{statement.name}" directive invalid header name')
    if re.search(r"[\x00-\x1f\x7f]", value):
        # the value is a secret: it is not shown
        raise Refused(f'"{statement.name}" directive invalid header value')
    return (AuthHttpHeader(name=name, value=Secret(value)),)


# --- server blocks ------------------------------------------------------------------------------


def _parse_protocol(statement: Statement, _: Report) -> Protocol:
    text = statement.args[0]
    try:
        return Protocol(text)
    except ValueError:
        raise Refused(f'unknown protocol "{text}"') from None


def _parse_server_name(statement: Statement, report: Report) -> tuple[str, ...]:
    """Give the names, the one for greetings first; none of them means the host's name.

    The seed's list (directives.md §3, server_name): the first name that is no wildcard counts.
    """
    names: list[str] = []
    for text in statement.args:
        if re.search(r"[\x00-\x20\x7f]", text):
            raise Refused(f'"{statement.name}" directive invalid value "{text}"')
        bare = text.startswith(".") and len(text) > 1
        names.extend((text[1:], f"*{text}") if bare else (text,))
    primary = next((name for name in names if not name.startswith("*")), "")
    if primary in ("", "_"):
        if len(names) > 1 and set(names) - {"", "_", "*"}:
            report.warn(
                f'"{statement.name}" begins with no name of its own: the host\'s name is used',
                statement.place,
            )
        return ()
    return (primary, *(name for name in dict.fromkeys(names) if name not in (primary, "")))


def _parse_xclient(statement: Statement, report: Report) -> bool:
    if statement.args[0] == "legacy":
        raise Refused('"legacy" in "xclient" directive is not supported yet')
    return bool(FLAG.parse(statement, report))


def _parse_empty(statement: Statement, _: Report) -> tuple[str, ...]:
    for text in statement.args:
        if text not in LISTS:
            raise Refused(f'invalid value "{text}"')
    return statement.args


# --- processes ----------------------------------------------------------------------------------


def _parse_worker_processes(statement: Statement, _: Report) -> int:
    text = statement.args[0]
    number = 0 if text == "auto" else whole_number(text)
    if number is None:
        raise Refused(f'"{statement.name}" directive invalid value')
    return number


def _parse_worker_connections(statement: Statement, _: Report) -> int:
    number = whole_number(statement.args[0])
    if number is None:
        raise Refused(f'invalid number "{statement.args[0]}"')
    return number


def _parse_error_log(statement: Statement, _: Report) -> tuple[ErrorLog, ...]:
    target, *levels = statement.args
    if target.startswith(("syslog:", "memory:")):
        kind = target.partition(":")[0]
        raise Refused(f'"{kind}" in "{statement.name}" directive is not supported yet')
    if not target:
        raise Refused(f'"{statement.name}" directive invalid value')
    for i, level in enumerate(levels):
        if level not in _LEVELS and _DEBUG_LEVEL.fullmatch(level) is None:
            raise Refused(f'invalid log level "{level}"')
        if i:
            raise Refused(f'duplicate log level "{level}"')
    # nginx's debug_mail and its like narrow the debug level to one module; there is one here
    level = levels[0].partition("_")[0] if levels else "error"
    return (ErrorLog(target=target, level=level),)


def _parse_user(statement: Statement, _: Report) -> tuple[str, str]:
    name, group = (*statement.args, "")[:2]
    if not name:
        raise Refused('getpwnam("") failed')
    return name, group


LISTEN: Final = Kind(_parse_listen, _write_listen)
AUTH_HTTP: Final = Kind(_parse_auth_http, _write_auth_http)
HEADER: Final = Kind(_parse_header, lambda header: (header.name, header.value.reveal()))
PROTOCOL: Final = Kind(_parse_protocol, lambda protocol: (protocol.value,))
SERVER_NAME: Final = Kind(_parse_server_name, lambda names: names[:1])
EMPTY: Final = Kind(_parse_empty, lambda names: names)
XCLIENT: Final = Kind(_parse_xclient, FLAG.write)
WORKER_PROCESSES: Final = Kind(
    _parse_worker_processes, lambda count: (str(count) if count else "auto",)
)
WORKER_CONNECTIONS: Final = Kind(_parse_worker_connections, lambda count: (str(count),))
ERROR_LOG: Final = Kind(_parse_error_log, lambda log: (log.target, log.level))
USER: Final = Kind(_parse_user, lambda pair: tuple(word for word in pair if word))
