"""Real mail servers with TLS behind the daemon: every mode and protocol, verified by name.

And the ones that do not prove to be the one meant: the operator reads why, the client hears of a
temporary fault, and the mail server has seen no login.
"""

import re
from collections.abc import Generator

import pytest

from tests.support import clients
from tests.support.cast import PASSWORDS
from tests.support.dovecot import Dovecot
from tests.support.postfix import Postfix
from tests.support.tls_house import NAME, House, Servers, made_bad
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

LOGIN = "alice"
MODES = ("implicit", "starttls")
_REFUSED = r"(?i)internal server error|EOF"
"""imaplib does not show an untagged answer."""


@pytest.fixture(scope="module")
def house() -> Generator[House, None, None]:
    with House() as built:
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
        with clients.imap(house.front.clear.imap, LOGIN, password) as imap:
            assert clients.imap_host(imap) == "tlshost"
    elif protocol == "pop3":
        with clients.pop3(house.front.clear.pop3, LOGIN, password) as pop3:
            assert clients.pop3_host(pop3) == "tlshost"
    else:
        with clients.smtp(house.front.clear.smtp, LOGIN, password) as smtp:
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


BAD = {
    "wrong name": f'the certificate is not for "{NAME}" but for DNS:other.postroad.test',
    "expired": "expired on ",
    "self-signed": "is self-signed and not trusted here",
    "stranger": "is from an authority that is not trusted here",
    "revoked": "is revoked",
}


@pytest.fixture(scope="module", params=BAD)
def impostor(
    request: pytest.FixtureRequest, house: House
) -> Generator[tuple[Servers, str], None, None]:
    pair = made_bad(house, request.param)
    with (
        Dovecot("impostor", PASSWORDS, pair=pair) as dovecot,
        Postfix("impostor", sasl=dovecot, pair=pair) as postfix,
    ):
        yield Servers(dovecot, postfix), BAD[request.param]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("protocol", ["imap", "pop3", "smtp"])
def test_an_impostor_is_refused_and_the_operator_told(
    house: House, impostor: tuple[Servers, str], protocol: str, mode: str
) -> None:
    servers, said = impostor
    house.lead_to(servers.port(protocol, mode), mode)
    before, records = len(house.daemon.log()), len(house.records())
    with pytest.raises(Exception, match=_REFUSED):
        talk(house, protocol)
    where = f'login: "{LOGIN}", upstream: 127.0.0.1:{servers.port(protocol, mode)}'
    pattern = re.compile(f"upstream SSL certificate verify error: .*{where}")
    found = eventually(lambda: pattern.search(house.new_lines(before)), "the operator's line")
    assert said in found.group()
    record = house.new_record(records, protocol=protocol, login=LOGIN)
    assert record["reason"] == "backend_untrusted"
    assert record["fault"].startswith("upstream SSL certificate verify error: ")
    assert said in record["fault"]
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
