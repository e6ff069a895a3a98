"""mail_ssl_conf_command: what OpenSSL's own commands change."""

import ssl
from collections.abc import Generator

import pytest
from cryptography import x509

from tests.peer.numbered import holds
from tests.peer.stage import Stage, staged
from tests.support.pki import self_signed
from tests.support.strangers import trusting
from tests.support.talk import Imap

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    server {
        listen @1@ ssl;
        protocol imap;
        ssl_protocols TLSv1.2;
        ssl_session_tickets off;
        ssl_conf_command Options SessionTicket;
        ssl_prefer_server_ciphers on;
        ssl_conf_command Options -ServerPreference;
        ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256;
        ssl_certificate @DIR_OF_KEYS@/localhost.crt;
        ssl_certificate_key @DIR_OF_KEYS@/localhost.key;
        ssl_conf_command Certificate @DIR_OF_KEYS@/override.crt;
        ssl_conf_command PrivateKey @DIR_OF_KEYS@/override.key;
    }
"""


@pytest.fixture(scope="module")
def stage(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage, None, None]:
    directory = tmp_path_factory.mktemp("keys")
    for name in ("localhost", "override"):
        self_signed(name, kind="rsa").write(directory, name)
    words = {"DIR_OF_KEYS": directory}
    with staged(kind, _MAIL, lambda _: None, words=words) as running:
        yield running


def test_01_02_certificate_and_tickets(stage: Stage) -> None:
    context = trusting()
    with Imap.greeted(stage.ports[0], context) as talk:
        der = talk.tls.getpeercert(binary_form=True)
        assert der is not None
        subject = x509.load_der_x509_certificate(der).subject
        holds(1, subject.rfc4514_string() == "CN=override", subject)
        session = talk.tls.session
    with Imap(stage.ports[0]) as talk:
        talk.seal(context, session=session)
        holds(2, talk.tls.session_reused)


def test_03_the_client_prefers(stage: Stage) -> None:
    ciphers = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
    context = trusting(ciphers=ciphers, version=ssl.TLSVersion.TLSv1_2)
    with Imap.greeted(stage.ports[0], context) as talk:
        chosen = talk.tls.cipher()
    holds(3, chosen is not None and chosen[0] == "ECDHE-RSA-AES128-GCM-SHA256", chosen)
