"""A daemon with many server blocks, each with TLS settings of its own, on sockets of its own."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.support.openssl import Door
from tests.support.pki import Authority, Pair
from tests.support.ports import free_port, release
from tests.support.proxycore import Proxycore

NAME = "mail.example.com"
PROTOCOLS = ("imap", "pop3", "smtp")
MODES = ("implicit", "starttls")

_HEAD = """\
worker_processes {workers};
error_log @DIR@/logs/error.log info;
pid @DIR@/logs/proxy.pid;
# postroad: {limits}
events {{ }}
mail {{
    auth_http 127.0.0.1:{auth}/auth;
    server_name {name};
    timeout 20s;
    {common}
"""


@cache
def authority() -> Authority:
    """Give the authority of everything here."""
    return Authority()


@dataclass(frozen=True)
class Block:
    """A server block, with one socket of either mode unless it is told which."""

    settings: str
    protocol: str = "imap"
    implicit: int = field(default_factory=free_port)
    starttls: int = field(default_factory=free_port)

    def door(self, mode: str) -> Door:
        port = self.implicit if mode == "implicit" else self.starttls
        return Door(self.protocol, port, mode == "starttls")

    @property
    def listens(self) -> str:
        plain = f"listen 127.0.0.1:{self.starttls};"
        if "ssl on;" in self.settings:  # which makes both sockets TLS
            return f"listen 127.0.0.1:{self.implicit}; {plain}"
        return f"listen 127.0.0.1:{self.implicit} ssl; {plain} starttls on;"

    def text(self) -> str:
        return f"""
    server {{
        protocol {self.protocol};
        {self.listens}
        {self.settings}
    }}
"""


def standard_files(directory: Path) -> str:
    """Write an ECDSA and an RSA certificate; give the directives for both, side by side."""
    both = ""
    for kind in ("ecdsa", "rsa"):
        issued(kind).write(directory, kind)
        both += f"ssl_certificate @DIR@/{kind}.crt; ssl_certificate_key @DIR@/{kind}.key;\n    "
    (directory / "authority.pem").write_text(authority().pem)
    return both


@cache
def issued(kind: str, name: str = NAME) -> Pair:
    """Give a certificate of a kind of key."""
    return authority().issue(name, kind=kind)


@contextlib.contextmanager
def daemon(
    blocks: Sequence[Block],
    *,
    common: str = "",
    auth: int = 9,
    workers: int = 1,
    limits: str = "prelogin_exempt 127.0.0.0/8;",
    before: Callable[[Path], None] = lambda _directory: None,
) -> Iterator[Proxycore]:
    """Run one.

    common: settings for all blocks, beside two certificates. before: writes files in the daemon's
    directory. limits: of what one client may do; all clients here have one address.
    """
    ports = {port for block in blocks for port in (block.implicit, block.starttls)}
    proxy = Proxycore.standalone("", sorted(ports), workers=workers)
    common = standard_files(proxy.directory) + common
    before(proxy.directory)
    head = _HEAD.format(workers=workers, auth=auth, limits=limits, name=NAME, common=common)
    proxy.configure(head + "".join(block.text() for block in blocks) + "}\n")
    try:
        with proxy:
            yield proxy
    finally:
        for port in ports:
            release(port)
