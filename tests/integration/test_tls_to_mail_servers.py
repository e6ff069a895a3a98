"""Real mail servers with TLS behind the daemon: every mode and protocol, verified by name.

And the ones that do not prove to be the one meant: the operator reads why, the client hears of a
temporary fault, and the mail server has seen no login.
"""

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import clients
from tests.support.authserver import Asked, AuthServer
from tests.support.cast import PASSWORDS
from tests.support.dovecot import Dovecot
from tests.support.fronts import Front
from tests.support.pki import Authority, Pair, self_signed
from tests.support.postfix import Postfix
from tests.support.proxycore import Proxycore
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NAME = "mail.postroad.test"
LOGIN = "alice"
MODES = ("implicit", "starttls")
_REFUSED = r"(?i)internal server error|EOF"
"""imaplib does not show an untagged answer."""
_SAID = {"implicit": "on", "starttls": "starttls"}

_CONFIG = """\
worker_processes 1;
error_log @DIR@/logs/error.log info;
pid @DIR@/logs/proxy.pid;
events {{
}}
mail {{
    server_name postroad.test;
    auth_http 127.0.0.1:{auth}/auth;
    timeout 10s;
    proxy_ssl_trusted_certificate @DIR@/authority.pem;
    proxy_ssl_crl @DIR@/revoked.pem;
    proxy_ssl_name {name};
    server {{
        listen 127.0.0.1:{imap};
        protocol imap;
    }}
    server {{
        listen 127.0.0.1:{pop3};
        protocol pop3;
    }}
    server {{
        listen 127.0.0.1:{smtp};
        protocol smtp;
        smtp_auth plain;
        proxy_smtp_auth on;
    }}
}}
"""


class House:
    """A certificate authority, mail servers, the daemon, and where it is told to go."""

    def __init__(self) -> None:
        self.authority = Authority("Postroad Test")
        self.front = Front.on_free_ports()
        self.headers: Mapping[str, str] = {}
        self.auth = AuthServer(self._decide)
        config = _CONFIG.format(
            auth=self.auth.port,
            name=NAME,
            imap=self.front.imap,
            pop3=self.front.pop3,
            smtp=self.front.smtp,
        )
        self.daemon = Proxycore.standalone(config, self.front.ports)
        directory = Path(self.daemon.directory)
        (directory / "authority.pem").write_text(self.authority.pem)
        self.revoked = self.authority.issue(NAME)
        self.authority.revoke(self.revoked)
        (directory / "revoked.pem").write_text(self.authority.revocation_list())

    def _decide(self, _asked: Asked) -> Mapping[str, str]:
        return {"Auth-Status": "OK", "Auth-Server": "127.0.0.1", **self.headers}

    def lead_to(self, port: int, mode: str, **more: str) -> None:
        self.headers = {"Auth-Port": str(port), "Auth-Proxy-SSL": _SAID[mode], **more}

    def new_lines(self, since: int) -> str:
        return self.daemon.log()[since:]


@dataclass
class Servers:
    """Dovecot and Postfix with one certificate."""

    dovecot: Dovecot
    postfix: Postfix

    def port(self, protocol: str, mode: str) -> int:
        ports = {
            ("imap", "implicit"): self.dovecot.imaps_port,
            ("imap", "starttls"): self.dovecot.imap_port,
            ("pop3", "implicit"): self.dovecot.pop3s_port,
            ("pop3", "starttls"): self.dovecot.pop3_port,
            ("smtp", "implicit"): self.postfix.smtps_port,
            ("smtp", "starttls"): self.postfix.port,
        }
        return ports[protocol, mode]


@pytest.fixture(scope="module")
def house() -> Generator[House, None, None]:
    built = House()
    with built.auth, built.daemon:
        yield built


@pytest.fixture(scope="module")
def servers(house: House) -> Generator[Servers, None, None]:
    pair = house.authority.issue(NAME)
    with (
        Dovecot("tlshost", PASSWORDS, pair=pair) as dovecot,
        Postfix("tlsmta", sasl=dovecot, sasl_required=True, pair=pair) as postfix,
    ):
        yield Servers(dovecot, postfix)


def talk(house: House, protocol: str, subject: str = "hello") -> None:
    """Log in, and see that it is the mail server meant."""
    password = PASSWORDS[LOGIN]
    if protocol == "imap":
        with clients.imap(house.front.imap, LOGIN, password) as imap:
            assert clients.imap_host(imap) == "tlshost"
    elif protocol == "pop3":
        with clients.pop3(house.front.pop3, LOGIN, password) as pop3:
            assert clients.pop3_host(pop3) == "tlshost"
    else:
        with clients.smtp(house.front.smtp, LOGIN, password) as smtp:
            smtp.send_message(clients.letter(subject))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_a_verified_mail_server_is_used(
    house: House, servers: Servers, protocol: str, mode: str
) -> None:
    house.lead_to(servers.port(protocol, mode), mode)
    subject = f"by {mode}"
    talk(house, protocol, subject)
    if protocol == "smtp":
        servers.postfix.wait_for_message(subject.encode())
        assert "TLS connection established from" in servers.postfix.log()
    else:
        # the mail server itself says that it was inside TLS
        line = f"{protocol}-login: Info: Login: user=<{LOGIN}>.*TLS"
        eventually(lambda: re.search(line, servers.dovecot.log()), "a login inside TLS")


@pytest.mark.parametrize("mode", MODES)
def test_the_second_login_resumes_the_session(house: House, servers: Servers, mode: str) -> None:
    house.lead_to(servers.port("smtp", mode), mode)
    talk(house, "smtp")
    before = len(servers.postfix.log())
    talk(house, "smtp")
    eventually(lambda: "Reusing old session" in servers.postfix.log()[before:], "a resumption")


BAD: dict[str, tuple[Callable[[House], Pair], str]] = {
    "wrong name": (
        lambda house: house.authority.issue("other.postroad.test"),
        f'the certificate is not for "{NAME}" but for DNS:other.postroad.test',
    ),
    "expired": (lambda house: house.authority.issue(NAME, days=-3), "expired on "),
    "self-signed": (lambda _house: self_signed(NAME), "is self-signed and not trusted here"),
    "stranger": (
        lambda _house: Authority("Stranger").issue(NAME),
        "is from an authority that is not trusted here",
    ),
    "revoked": (lambda house: house.revoked, "is revoked"),
}


@pytest.fixture(scope="module", params=BAD)
def impostor(
    request: pytest.FixtureRequest, house: House
) -> Generator[tuple[Servers, str], None, None]:
    make, said = BAD[request.param]
    pair = make(house)
    with (
        Dovecot("impostor", PASSWORDS, pair=pair) as dovecot,
        Postfix("impostor", sasl=dovecot, pair=pair) as postfix,
    ):
        yield Servers(dovecot, postfix), said


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_an_impostor_is_refused_and_the_operator_told(
    house: House, impostor: tuple[Servers, str], protocol: str, mode: str
) -> None:
    servers, said = impostor
    house.lead_to(servers.port(protocol, mode), mode)
    before = len(house.daemon.log())
    with pytest.raises(Exception, match=_REFUSED):
        talk(house, protocol)
    where = f'login: "{LOGIN}", upstream: 127.0.0.1:{servers.port(protocol, mode)}'
    pattern = re.compile(f"upstream SSL certificate verify error: .*{where}")
    found = eventually(lambda: pattern.search(house.new_lines(before)), "the operator's line")
    assert said in found.group()
    assert servers.dovecot.logins() == []


def test_a_mail_server_without_tls_gets_no_password(house: House) -> None:
    with Dovecot("plainhost", PASSWORDS) as dovecot:
        house.lead_to(dovecot.imap_port, "starttls")
        before = len(house.daemon.log())
        with pytest.raises(Exception, match=_REFUSED):
            talk(house, "imap")
        eventually(
            lambda: "upstream does not offer STARTTLS" in house.new_lines(before), "the line"
        )
        house.lead_to(dovecot.pop3_port, "implicit")
        with pytest.raises(Exception, match=_REFUSED):
            talk(house, "pop3")
        eventually(lambda: "it answers in clear" in house.new_lines(before), "the line")
        assert dovecot.logins() == []
