"""The kinds of value that one directive alone has."""

import re
from collections.abc import Iterable
from typing import Final

from proxycore.contract.names import primary_name
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthBackup, AuthHttpHeader
from proxycore.nginxconf.addresses import Url, parse_auth_http
from proxycore.nginxconf.problems import Refused, Report
from proxycore.nginxconf.source import Statement
from proxycore.nginxconf.values import FLAG, SIZE, Kind, parse_size, whole_number

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


# --- auth_http ----------------------------------------------------------------------------------


def _parse_auth_http(statement: Statement, _: Report) -> Url:
    return _url(statement.args[0])


def _url(text: str) -> Url:
    try:
        return parse_auth_http(text)
    except Refused as refused:
        shown = text.removeprefix("http://")
        raise Refused(f'{refused} in auth_http "{shown}"') from None


def _write_auth_http(url: Url) -> Iterable[str]:
    scheme = "https" if url.ssl else "http"
    if url.host.startswith("unix:"):
        return (f"{scheme}://{url.host}:{url.uri}",)
    host = f"[{url.host}]" if ":" in url.host else url.host
    return (f"{scheme}://{host}:{url.port}{url.uri}",)


def _parse_backups(statement: Statement, _: Report) -> tuple[AuthBackup, ...]:
    urls = [_url(text) for text in statement.args]
    return tuple(AuthBackup(host=url.host, port=url.port, uri=url.uri, ssl=url.ssl) for url in urls)


def _write_backups(backups: tuple[AuthBackup, ...]) -> Iterable[str]:
    for one in backups:
        yield from _write_auth_http(Url(one.host, one.port, one.uri, one.ssl))


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
    """Give the names, the one for greetings first; without such a one the host's name greets.

    The seed's list (directives.md §3, server_name): the first name that is no wildcard counts.
    """
    names: list[str] = []
    for text in statement.args:
        if re.search(r"[\x00-\x20\x7f]", text):
            raise Refused(f'"{statement.name}" directive invalid value "{text}"')
        bare = text.startswith(".") and len(text) > 1
        names.extend((text[1:], f"*{text}") if bare else (text,))
    known = [name for name in dict.fromkeys(names) if name]
    primary = primary_name(known)
    if primary:
        return (primary, *(name for name in known if name != primary))
    if set(known) - {"_", "*"}:
        report.warn(
            f'"{statement.name}" begins with no name of its own: the host\'s name is used',
            statement.place,
        )
    return tuple(known)


LEGACY: Final = "legacy"
"""Value of ``xclient`` that means ``on`` and, beside it, the form of old."""


def _parse_xclient(statement: Statement, report: Report) -> bool | str:
    if statement.args[0].lower() == LEGACY:
        return LEGACY
    return bool(FLAG.parse(statement, report))


def _greeting(start: str) -> Kind:
    """Give the kind of a greeting, written with or without what every greeting starts with."""

    def parse(statement: Statement, _: Report) -> str:
        text = statement.args[0].removeprefix(start)
        if re.fullmatch(_GREETING, text) is None:
            raise Refused(f'"{statement.name}" directive invalid value')
        return text

    return Kind(parse, lambda value: (start + value,))


_GREETING: Final = r"[!-~](?:[ -~]*[!-~])?"


def _parse_imap_id(statement: Statement, _: Report) -> tuple[str, ...]:
    for text in statement.args:
        if re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]*", text) is None:
            raise Refused(f'invalid value "{text}"')
    return statement.args


def _parse_so_keepalive(statement: Statement, report: Report) -> bool:
    value = bool(FLAG.parse(statement, report))
    if not statement.ours:
        report.warn(
            'the "so_keepalive" directive is deprecated, use the "so_keepalive" parameter of the '
            '"listen" directive instead',
            statement.place,
        )
    return value


def _parse_client_buffer(statement: Statement, report: Report) -> int:
    """Read a size; the seed's ``4k/8k`` (a page of either kind of machine) is the larger one."""
    texts = [text for arg in statement.args for text in arg.split("/")]
    sizes = [parse_size(text) for text in texts]
    found = [size for size in sizes if size is not None]
    if len(found) < len(sizes):
        raise Refused(f'"{statement.name}" directive invalid value')
    if len(found) > 2:
        raise Refused(f'invalid number of arguments in "{statement.name}" directive')
    if len(found) > 1:
        report.warn(
            f'"{statement.name}" takes one size: {max(found)} bytes are used', statement.place
        )
    return max(found)


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


def _parse_user(statement: Statement, _: Report) -> tuple[str, str]:
    name, group = (*statement.args, "")[:2]
    if not name:
        raise Refused('getpwnam("") failed')
    return name, group


AUTH_HTTP: Final = Kind(_parse_auth_http, _write_auth_http)
AUTH_BACKUPS: Final = Kind(_parse_backups, _write_backups)
HEADER: Final = Kind(_parse_header, lambda header: (header.name, header.value.reveal()))
PROTOCOL: Final = Kind(_parse_protocol, lambda protocol: (protocol.value,))
SERVER_NAME: Final = Kind(_parse_server_name, lambda names: names[:1])
EMPTY: Final = Kind(_parse_empty, lambda names: names)
XCLIENT: Final = Kind(_parse_xclient, FLAG.write)
IMAP_GREETING: Final = _greeting("* OK ")
POP3_GREETING: Final = _greeting("+OK ")
IMAP_ID: Final = Kind(_parse_imap_id, lambda words: words)
WORKER_PROCESSES: Final = Kind(
    _parse_worker_processes, lambda count: (str(count) if count else "auto",)
)
WORKER_CONNECTIONS: Final = Kind(_parse_worker_connections, lambda count: (str(count),))
SO_KEEPALIVE: Final = Kind(_parse_so_keepalive, FLAG.write)
CLIENT_BUFFER: Final = Kind(_parse_client_buffer, SIZE.write)
USER: Final = Kind(_parse_user, lambda pair: tuple(word for word in pair if word))
