"""A snapshot as text of an ``nginx.conf``, by the same table that reads one.

nginx can read the file too. What only we know is written as ``# postroad: …``, which nginx takes
for a comment and our loader reads back: ``load`` of a dump gives an equal snapshot.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from proxycore.contract.names import primary_name
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, AuthHttpHeader, Process, Server, Snapshot
from proxycore.nginxconf.addresses import Url
from proxycore.nginxconf.dumper_tls import is_tls, tls_words
from proxycore.nginxconf.kinds import AUTH_HTTP, LISTS
from proxycore.nginxconf.listening import LISTEN
from proxycore.nginxconf.rows import Context, Repeat, Row
from proxycore.nginxconf.table import ROWS

_BARE: Final = re.compile(r"[0-9A-Za-z_./:*+@%=,~!?&\[\]-]+")
_COMMENT: Final = "# postroad: "
_SHARED: Final = "for postroad alone: nginx cannot share a socket among blocks (SNI)"
_GROUPS: Final = "only for nodes of these groups:"
_LIMITS: Final = "login_limits."
_WRITTEN_APART: Final = frozenset({"listens", "auth_http", "protocol", "name", "server_names"})


def dump(snapshot: Snapshot, *, reveal: bool = True) -> str:
    """Write a snapshot that the contract accepts as a configuration file.

    Certificates, keys and lists that it has as content become names of files beside it, which
    ``files_of`` gives.

    reveal: write secrets in clear, as a file that is to work needs; without it they are masked.
    """
    lines = [*_process(snapshot.process), "", "mail {"]
    taken: set[str] = set()
    for number, server in enumerate(snapshot.servers):
        if number:
            lines.append("")
        keys = {listen.key for listen in server.listens}
        block = ["server {", *(f"    {line}" for line in _server(server, reveal=reveal)), "}"]
        if server.groups:
            lines.append(f"    # {_GROUPS} {', '.join(server.groups)}")
        if keys & taken:
            lines.append(f"    # {_SHARED}")
            block = [f"{_COMMENT}{line.strip().removeprefix(_COMMENT)}" for line in block]
        taken |= keys
        lines.extend(f"    {line}" for line in block)
    lines.append("}")
    return "\n".join(lines) + "\n"


def _process(process: Process) -> Iterator[str]:
    if process.user:
        yield _line("user", process.user, *filter(None, [process.group]))
    elif process.group:
        yield _ours("group", process.group)
    for row in ROWS:
        name = row.field.removeprefix("process.")
        if row.contexts != {Context.MAIN} or name == row.field or name in ("user", "group"):
            continue
        yield from _setting(row, getattr(process, name), getattr(_PLAIN_PROCESS, name))
    yield ""
    yield "events {"
    yield f"    {_line('worker_connections', str(process.worker_connections))}"
    yield "}"


_PLAIN_PROCESS: Final = Process(worker_processes=-1)
"""What needs no line. nginx starts one worker unless told, so their number is always told."""


_PLAIN: Final = Server(
    name="", protocol=Protocol.IMAP, listens=(), auth_http=AuthHttp(host=""), server_names=()
)


def _server(server: Server, *, reveal: bool) -> Iterator[str]:
    yield _ours("name", server.name)
    yield _line("protocol", server.protocol.value)
    for listen in server.listens:
        yield _line("listen", *LISTEN.write(listen))
    yield from _server_names(server.server_names)
    yield from _auth_http(server.auth_http, reveal=reveal)
    empty = [name for name in LISTS if not getattr(server, name) and getattr(_PLAIN, name)]
    for row in ROWS:
        if row.deprecated or row.field in (*_WRITTEN_APART, *empty):
            continue
        if is_tls(row):
            write = _ours if row.ours else _line
            yield from (write(*words) for words in tls_words(row, server))
        elif row.field.startswith(_LIMITS):
            name = row.field.removeprefix(_LIMITS)
            limits, plain = server.login_limits, _PLAIN.login_limits
            yield from _setting(row, getattr(limits, name), getattr(plain, name))
        elif hasattr(server, row.field):
            yield from _setting(row, getattr(server, row.field), getattr(_PLAIN, row.field))
    if empty:
        yield _ours("empty", *empty)


def _setting(row: Row, value: Any, default: Any) -> Iterator[str]:
    if value == default or row.kind is None:
        return
    write = _ours if row.ours else _line
    if row.field.endswith(("error_logs", "access_logs")):
        for log in value:
            yield write(row.name, *row.kind.write(log))
        return
    if row.field == "set_real_ip_from":
        for source in value:
            yield _line(row.name, *row.kind.write((source,)))
        return
    if words := tuple(row.kind.write(value)):
        yield write(row.name, *words)


def _server_names(names: tuple[str, ...]) -> Iterator[str]:
    # a first name that `server_name` would not take for one is only told to ourselves
    said = tuple(name for name in names[:1] if primary_name([name]) == name)
    if said:
        yield _line("server_name", *said)
    if names[len(said) :]:
        yield _ours("server_alias", *names[len(said) :])


def _auth_http(auth: AuthHttp, *, reveal: bool) -> Iterator[str]:
    yield _line("auth_http", *AUTH_HTTP.write(Url(auth.host, auth.port, auth.uri)))
    for row in ROWS:
        name = row.field.removeprefix("auth_http.")
        if name == row.field or row.kind is None:
            continue
        if row.repeat is not Repeat.APPEND:
            yield from _setting(row, getattr(auth, name), getattr(_PLAIN.auth_http, name))
            continue
        for header in auth.headers:
            shown = (
                header if reveal else AuthHttpHeader(name=header.name, value=Secret(Secret.MASK))
            )
            yield _line(row.name, *row.kind.write(shown))


def _line(name: str, *args: str) -> str:
    return f"{name} {' '.join(map(_quoted, args))};"


def _ours(name: str, *args: str) -> str:
    return f"{_COMMENT}{_line(name, *args)}"


def _quoted(word: str) -> str:
    if _BARE.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    for char, letter in (("\t", "\\t"), ("\r", "\\r"), ("\n", "\\n")):
        escaped = escaped.replace(char, letter)
    return f'"{escaped}"'
