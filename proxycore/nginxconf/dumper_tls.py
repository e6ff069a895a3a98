"""The TLS directives of a server block, and the files beside the configuration that they name.

What a snapshot has as content does not fit into a word of nginx's language (4 kB); it is written
as the name of a file, and ``files_of`` gives what has to be in that file.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import Server, Snapshot
from proxycore.contract.tls import DATA, BackTls, FrontTls
from proxycore.nginxconf.rows import Repeat, Row
from proxycore.nginxconf.tls_values import write_session_cache

_PLAIN: Final = {"front_tls": FrontTls(), "back_tls": BackTls()}
_DIGEST_CHARS: Final = 16

Said = tuple[str, ...]


def is_tls(row: Row) -> bool:
    """Tell whether the row is for a setting of TLS."""
    return row.field.partition(".")[0] in _PLAIN


def tls_words(row: Row, server: Server) -> Iterator[Said]:
    """Give name and arguments of each line that one row comes to."""
    leg, _, name = row.field.partition(".")
    settings, plain = getattr(server, leg), _PLAIN[leg]
    if name == "ssl_certificate":
        for pair in server.front_tls.certificates:
            yield "ssl_certificate", _file(pair.ssl_certificate)
            yield "ssl_certificate_key", _file(pair.ssl_certificate_key.reveal())
    elif name == "ssl_session_cache":
        if words := tuple(write_session_cache(server.front_tls)):
            yield name, *words
    elif hasattr(settings, name) and getattr(settings, name) != getattr(plain, name):
        value = getattr(settings, name)
        # each of a list has a line, but for words of one directive
        several = row.repeat is Repeat.APPEND
        for one in value if several else (value,):
            yield row.name, *_written(row, one)


def _written(row: Row, value: Any) -> Said:
    assert row.kind is not None
    if row.name == "proxy_ssl_pin":
        return (value,)
    words = tuple(row.kind.write(value))
    return tuple(_file(word) if word.startswith(DATA) else word for word in words)


def files_of(snapshot: Snapshot) -> dict[str, bytes]:
    """Give the files that a dump of this snapshot names, secret ones included, by name."""
    found: dict[str, bytes] = {}
    for text in _texts(snapshot.servers):
        if text.startswith(DATA):
            found[_file(text)] = _content(text.removeprefix(DATA))
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _texts(one)
    elif hasattr(value, "__dataclass_fields__"):
        for one in fields(value):
            yield from _texts(getattr(value, one.name))


def _content(text: str) -> bytes:
    # ticket keys are octets
    if "\n" not in text and "-" not in text:
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            pass
    return text.encode()


def _file(value: str) -> str:
    if not value.startswith(DATA):
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"postroad-{digest}.pem"
