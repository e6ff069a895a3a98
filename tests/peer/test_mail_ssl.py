"""mail_ssl: certificates, ALPN, and STARTTLS of three protocols."""

import re
from collections.abc import Generator

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.peer.numbered import holds, like, ok
from tests.peer.stage import Stage, staged
from tests.support.pki import self_signed
from tests.support.strangers import trusting
from tests.support.talk import Imap, Smtp, Talk

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    ssl_certificate_key @DIR_OF_KEYS@/localhost.key;
    ssl_certificate @DIR_OF_KEYS@/localhost.crt;
    ssl_password_file @DIR_OF_KEYS@/password;
    server {
        listen @1@;
        listen @2@ ssl;
        protocol imap;
    }
    server {
        listen @3@ ssl;
        protocol imap;
        ssl_certificate_key @DIR_OF_KEYS@/inherits.key;
        ssl_certificate @DIR_OF_KEYS@/inherits.crt;
    }
    server { listen @4@; protocol imap; starttls on; }
    server { listen @5@; protocol imap; starttls only; }
    server { listen @6@; protocol pop3; starttls on; }
    server { listen @7@; protocol pop3; starttls only; }
    server { listen @8@; protocol smtp; starttls on; server_name mx.example.com; }
    server { listen @9@; protocol smtp; starttls only; server_name mx.example.com; }
"""
_PASSWORD = "localhost"


@pytest.fixture(scope="module")
def stage(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage, None, None]:
    directory = tmp_path_factory.mktemp("keys")
    for name in ("localhost", "inherits"):
        pair = self_signed(name, kind="rsa")
        (directory / f"{name}.crt").write_text(pair.pem)
        (directory / f"{name}.key").write_text(pair.key_with(_PASSWORD.encode()))
    (directory / "password").write_text(f"wrong\n{_PASSWORD}\n")
    words = {"DIR_OF_KEYS": directory}
    with staged(kind, _MAIL, lambda _: None, words=words) as running:
        yield running


def _common_name(talk: Talk) -> str:
    """Give the common name in the proxy's certificate."""
    der = talk.tls.getpeercert(binary_form=True)
    assert der is not None
    subject = x509.load_der_x509_certificate(der).subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_01_02_without_tls(stage: Stage) -> None:
    with Imap(stage.ports[0]) as talk:
        ok(1, talk)
        like(2, talk.ask("1 AUTHENTICATE LOGIN"), r"\+ VXNlcm5hbWU6")


def test_03_04_the_other_socket_of_the_same_server(stage: Stage) -> None:
    with Imap(stage.ports[1]) as talk:
        talk.seal(trusting())
        ok(3, talk)
        holds(4, _common_name(talk) == "localhost")


def test_05_a_certificate_of_its_own(stage: Stage) -> None:
    with Imap(stage.ports[2]) as talk:
        talk.seal(trusting())
        holds(5, _common_name(talk) == "inherits")


def test_06_alpn_of_the_protocol(stage: Stage) -> None:
    with Imap(stage.ports[1]) as talk:
        talk.seal(trusting(alpn="imap"))
        ok(6, talk)
        holds(6, talk.tls.selected_alpn_protocol() == "imap")


def test_07_alpn_of_no_protocol_of_ours(stage: Stage) -> None:
    context = trusting(alpn="unknown")
    with Imap(stage.ports[1]) as talk:
        with pytest.raises(OSError, match=r"(?i)no.application.protocol"):
            talk.seal(context)
        holds(7, talk.socket.fileno() == -1)


def test_08_09_imap_with_starttls(stage: Stage) -> None:
    with stage.imap(4) as talk:
        like(8, talk.ask("1 AUTHENTICATE LOGIN"), r"\+ VXNlcm5hbWU6")
    with stage.imap(4) as talk:
        talk.send("1 STARTTLS")
        ok(9, talk)
        _goes_on(talk, "2 NOOP", "^2 OK")


def test_10_11_imap_with_starttls_only(stage: Stage) -> None:
    with stage.imap(5) as talk:
        like(10, talk.ask("1 AUTHENTICATE LOGIN"), r"^\S+ BAD")
    with stage.imap(5) as talk:
        talk.send("1 STARTTLS")
        ok(11, talk)
        _goes_on(talk, "2 AUTHENTICATE LOGIN", r"^\+ VXNlcm5hbWU6")


def test_12_13_pop3_with_starttls(stage: Stage) -> None:
    with stage.pop3(6) as talk:
        like(12, talk.ask("AUTH LOGIN"), r"\+ VXNlcm5hbWU6")
    with stage.pop3(6) as talk:
        talk.send("STLS")
        ok(13, talk)
        _goes_on(talk, "NOOP", r"^\+OK")


def test_14_15_pop3_with_starttls_only(stage: Stage) -> None:
    with stage.pop3(7) as talk:
        like(14, talk.ask("AUTH LOGIN"), "^-ERR")
    with stage.pop3(7) as talk:
        talk.send("STLS")
        ok(15, talk)
        _goes_on(talk, "AUTH LOGIN", r"^\+ VXNlcm5hbWU6")


def test_16_17_smtp_with_starttls(stage: Stage) -> None:
    with stage.smtp(8) as talk:
        like(16, talk.ask("AUTH LOGIN"), r"^334 VXNlcm5hbWU6")
    with stage.smtp(8) as talk:
        talk.send("STARTTLS")
        ok(17, talk)
        _goes_on(talk, "NOOP", "^250 ")


def test_18_19_smtp_with_starttls_only(stage: Stage) -> None:
    with stage.smtp(9) as talk:
        like(18, talk.ask("AUTH LOGIN"), r"^5.. ")
    with stage.smtp(9) as talk:
        talk.send("STARTTLS")
        ok(19, talk)
        _goes_on(talk, "AUTH LOGIN", r"^334 VXNlcm5hbWU6")


def _goes_on(talk: Talk, command: str, answer: str) -> None:
    """Shake hands and go on; nginx's own test leaves it at the answer to STARTTLS."""
    talk.seal(trusting())
    if isinstance(talk, Smtp):  # RFC 3207 §4.2: all that was known is forgotten
        assert re.search(talk.ok, talk.ask("EHLO example.com"))
    got = talk.ask(command)
    assert re.search(answer, got), got
