"""Real mail servers with TLS, the daemon with TLS before them, and one authority for all.

Which of the mail servers is next, and how it is to be spoken to, ``lead_to`` says before a login.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.authserver import Asked, AuthServer
from tests.support.dovecot import Dovecot
from tests.support.fronts import Front
from tests.support.mail_programs import Tls
from tests.support.pki import Authority, Pair, self_signed
from tests.support.ports import free_port
from tests.support.postfix import Postfix
from tests.support.proxycore import Proxycore
from tests.support.wait import eventually

NAME: Final = "mail.postroad.test"
"""Of the mail servers."""
FRONT_NAME: Final = "localhost"
"""Of the daemon: a name that every client can look up."""
MODES: Final = ("plain", "starttls", "implicit")
FAULTS: Final = ("wrong name", "expired", "self-signed")
"""What can be wrong with the daemon's certificate, for clients that look."""

_SAID: Final = {"plain": "off", "starttls": "starttls", "implicit": "on"}

_CONFIG = """\
worker_processes 1;
error_log @DIR@/logs/error.log info;
access_log @DIR@/logs/access.json;
pid @DIR@/logs/proxy.pid;
events {{
}}
mail {{
    server_name postroad.test;
    auth_http 127.0.0.1:{auth}/auth;
    timeout 10s;
    starttls on;
    ssl_certificate @DIR@/front.crt;
    ssl_certificate_key @DIR@/front.key;
    proxy_ssl_trusted_certificate @DIR@/authority.pem;
    proxy_ssl_crl @DIR@/revoked.pem;
    proxy_ssl_name {name};
    proxy_smtp_auth on;
    smtp_auth plain;
    server {{
        listen 127.0.0.1:{xclient};
        protocol smtp;
        proxy_smtp_auth off;
        xclient on;
    }}
    server {{
        listen 127.0.0.1:{behind} ssl proxy_protocol;
        protocol smtp;
        xclient off;
        proxy_protocol on;
        set_real_ip_from 127.0.0.1;
    }}
{servers}
}}
"""
_SERVER = """\
    server {{
        listen 127.0.0.1:{clear};
        listen 127.0.0.1:{sealed} ssl;
        protocol {protocol};
        {more}
    }}
"""


@dataclass(frozen=True)
class Fronts:
    """Ports of server blocks that have one certificate."""

    clear: Front = field(default_factory=Front.on_free_ports)
    """With STARTTLS for who wants it."""
    sealed: Front = field(default_factory=Front.on_free_ports)

    def port(self, protocol: str, mode: str) -> int:
        """Give the port for a protocol and one of ``MODES``."""
        front = self.sealed if mode == "implicit" else self.clear
        return int(getattr(front, protocol))

    @property
    def ports(self) -> list[int]:
        """All of them."""
        return [*self.clear.ports, *self.sealed.ports]

    def servers(self, more: str = "") -> str:
        """Give the server blocks; ``more`` are settings of each."""
        return "".join(
            _SERVER.format(
                clear=self.port(protocol, "starttls"),
                sealed=self.port(protocol, "implicit"),
                protocol=protocol,
                more=more,
            )
            for protocol in ("imap", "pop3", "smtp")
        )


class House:
    """A certificate authority, the daemon, and where it is told to go."""

    def __init__(self) -> None:
        self.authority = Authority("Postroad Test")
        self.front = Fronts()
        self.faulty = {fault: Fronts() for fault in FAULTS}
        self.xclient_port = free_port()
        self.behind_port = free_port()
        """Implicit TLS behind a PROXY header, which goes on to the mail server."""
        self.headers: Mapping[str, str] = {}
        self._ports: Mapping[str, int] = {}
        self.auth = AuthServer(self._decide)
        servers = self.front.servers()
        for number, fronts in enumerate(self.faulty.values()):
            crt, key = (f"@DIR@/faulty{number}.{kind}" for kind in ("crt", "key"))
            servers += fronts.servers(f"ssl_certificate {crt}; ssl_certificate_key {key};")
        config = _CONFIG.format(
            auth=self.auth.port,
            name=NAME,
            xclient=self.xclient_port,
            behind=self.behind_port,
            servers=servers,
        )
        ports = [self.xclient_port, *self.front.ports]
        self.daemon = Proxycore.standalone(config, ports)
        self.revoked = self.authority.issue(NAME)
        self.authority.revoke(self.revoked)
        self._write_files(self.daemon.directory)

    def _write_files(self, directory: Path) -> None:
        (directory / "authority.pem").write_text(self.authority.pem)
        (directory / "revoked.pem").write_text(self.authority.revocation_list())
        self.authority.issue(FRONT_NAME, "127.0.0.1").write(directory, "front")
        faulty = {
            "wrong name": self.authority.issue("other.postroad.test"),
            "expired": self.authority.issue(FRONT_NAME, days=-3),
            "self-signed": self_signed(FRONT_NAME),
        }
        for number, fault in enumerate(FAULTS):
            faulty[fault].write(directory, f"faulty{number}")

    def _decide(self, asked: Asked) -> Mapping[str, str]:
        there = {"Auth-Server": "127.0.0.1", "Auth-Port": str(self._ports[asked.protocol])}
        return {"Auth-Status": "OK", **there, **self.headers}

    def lead_to(self, port: int, mode: str, **more: str) -> None:
        """Send the next logins to this port."""
        self._ports = dict.fromkeys(("imap", "pop3", "smtp"), port)
        self.headers = {"Auth-Proxy-SSL": _SAID[mode], **more}

    def lead_to_all(self, servers: "Servers", mode: str) -> None:
        """Send the next logins to where their protocol is spoken."""
        ports = {protocol: servers.port(protocol, mode) for protocol in ("imap", "pop3", "smtp")}
        self.lead_to(0, mode)
        self._ports = ports

    def tls(self, mode: str) -> Tls:
        """Say how a mail program is to call."""
        return Tls(mode, FRONT_NAME, self.daemon.directory / "authority.pem")

    def new_lines(self, since: int) -> str:
        """Give what the error log has more than it had."""
        return self.daemon.log()[since:]

    def records(self) -> list[dict[str, Any]]:
        """Give the access log's records so far."""
        path = self.daemon.directory / "logs" / "access.json"
        text = path.read_text(encoding="ascii") if path.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def new_record(self, since: int, **wanted: str) -> dict[str, Any]:
        """Wait for a record behind the first ``since`` that has these values."""
        return eventually(
            lambda: next(
                (one for one in self.records()[since:] if wanted.items() <= one.items()), None
            ),
            f"a record with {wanted}",
        )

    def __enter__(self) -> Self:
        self.auth.__enter__()
        try:
            self.daemon.__enter__()
        except BaseException:
            self.auth.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.daemon.__exit__(kind, error, traceback)
        self.auth.close()


@dataclass(frozen=True)
class Servers:
    """Dovecot and Postfix with one certificate."""

    dovecot: Dovecot
    postfix: Postfix

    def port(self, protocol: str, mode: str) -> int:
        """Give the port for a protocol and one of ``MODES``."""
        implicit = mode == "implicit"
        if protocol == "smtp":
            return self.postfix.smtps_port if implicit else self.postfix.port
        if protocol == "pop3":
            return self.dovecot.pop3s_port if implicit else self.dovecot.pop3_port
        return self.dovecot.imaps_port if implicit else self.dovecot.imap_port


def made_bad(house: House, fault: str) -> Pair:
    """Make a mail server's certificate that is not to be believed."""
    if fault == "wrong name":
        return house.authority.issue("other.postroad.test")
    if fault == "expired":
        return house.authority.issue(NAME, days=-3)
    if fault == "self-signed":
        return self_signed(NAME)
    return house.revoked if fault == "revoked" else Authority("Stranger").issue(NAME)
