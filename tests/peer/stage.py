"""Everything one module of tests needs: the proxy, its ports, the auth service."""

import contextlib
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass

from tests.support import proxies
from tests.support.ports import free_port, release
from tests.support.proxies import Proxy
from tests.support.stub_auth import Decision, Request, StubAuth
from tests.support.stub_backends import StubBackend
from tests.support.talk import Imap, Pop3, Smtp

ZEROS = "0" * 32
SALT = r"<[^<>@]+@[^<>]+>"
"""The challenge of APOP and CRAM-MD5."""
_WRONG = re.compile(r"\[(?:alert|crit|emerg)\]|Traceback")


@dataclass(frozen=True)
class Stage:
    """A running proxy and what it asks."""

    proxy: Proxy
    ports: tuple[int, ...]
    auth: StubAuth

    def imap(self, server: int = 1) -> Imap:
        """Connect to a server block, counted from 1, and read the greeting."""
        return Imap.greeted(self.ports[server - 1])

    def pop3(self, server: int = 1) -> Pop3:
        """Connect to a server block, counted from 1, and read the greeting."""
        return Pop3.greeted(self.ports[server - 1])

    def smtp(self, server: int = 1) -> Smtp:
        """Connect to a server block, counted from 1, and read the greeting."""
        return Smtp.greeted(self.ports[server - 1])


@contextlib.contextmanager
def staged(
    kind: str, mail: str, decide: Decision, *, main: str = "", words: Mapping[str, object] = {}
) -> Generator[Stage, None, None]:
    """Run a proxy with this ``mail`` block.

    mail: ``@1@``, ``@2@`` … become the addresses of the server blocks, ``@AUTH@`` that of the auth
        service, and each name of ``words`` its value.
    main: likewise; what to write in place of the usual error_log.
    """
    ports = tuple(free_port() for number in range(1, 30) if f"@{number}@" in mail)
    with StubAuth(decide) as auth:
        values = {str(number): f"127.0.0.1:{port}" for number, port in enumerate(ports, 1)}
        values |= {"AUTH": f"127.0.0.1:{auth.port}"}
        values |= {name: str(value) for name, value in words.items()}
        texts = [mail, main]
        for name, value in values.items():
            texts = [text.replace(f"@{name}@", value) for text in texts]
        more = {"main": texts[1]} if main else {}
        with proxies.build(kind, texts[0], list(ports), **more) as proxy:
            yield Stage(proxy, ports, auth)
            # every script of nginx's ends with this one
            wrong = [line for line in proxy.log().split("\n") if _WRONG.search(line)]
            assert not wrong, wrong
    for port in ports:
        release(port)


def to(backend: StubBackend, **more: str) -> dict[str, str]:
    """Give the answer that sends a login to this mail server, with the suite's Auth-Wait."""
    return {
        "Auth-Status": "OK",
        "Auth-Server": "127.0.0.1",
        "Auth-Port": str(backend.port),
        "Auth-Wait": "1",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def by_protocol(**backends: StubBackend) -> Decision:
    """Send each login to the mail server for its protocol."""
    ports = {protocol: str(backend.port) for protocol, backend in backends.items()}
    return lambda request: {
        "Auth-Server": "127.0.0.1",
        "Auth-Port": ports[request["Auth-Protocol"]],
    }


REFUSED = {"Auth-Status": "ERROR", "Auth-Wait": "1"}


def credentials(request: Request) -> str:
    """Give user and password, or user, salt and digest, as nginx's tests compare them."""
    parts = [request["Auth-User"], request["Auth-Salt"], request["Auth-Pass"]]
    return ":".join(parts if request.has("Auth-Salt") else (parts[0], parts[2]))


def is_external(request: Request) -> bool:
    """Tell whether this is the known user, whom somebody else has identified."""
    fields = [request[f"Auth-{name}"] for name in ("Method", "User", "Pass")]
    return fields == ["external", "test@example.com", ""]
