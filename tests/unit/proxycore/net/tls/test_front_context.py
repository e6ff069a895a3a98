"""Settings to contexts: what cannot be used is said in nginx's words, the rest shows."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.tls import Certificate, ConfCommand, FrontTls
from proxycore.net.tls.endpoint import Phase
from proxycore.net.tls.front_context import FrontContext
from proxycore.net.tls.material import inlined_front
from proxycore.net.tls.refused import Refused
from tests.support.pki import self_signed
from tests.unit.proxycore.net.tls.client import Client
from tests.unit.proxycore.net.tls.ends import AUTHORITY, SERVER, front_context, front_end, pair

TLS1_2 = ssl.TLSVersion.TLSv1_2


def refusal(**settings: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as found:
        front_context(**settings)
    return found.value.setting, str(found.value)


def test_a_bad_cipher_list() -> None:
    setting, message = refusal(ssl_ciphers="NONSENSE")
    assert setting == "ssl_ciphers"
    assert message.startswith('SSL_CTX_set_cipher_list("NONSENSE") failed (SSL: error:')
    assert message.endswith("no cipher match)")


def test_a_bad_curve() -> None:
    setting, message = refusal(ssl_ecdh_curve="nonsense")
    assert setting == "ssl_ecdh_curve"
    assert message.startswith('SSL_CTX_set1_curves_list("nonsense") failed (SSL')


def test_a_certificate_that_is_not_there() -> None:
    missing = Certificate(ssl_certificate="/nowhere/a.crt", ssl_certificate_key=Secret("x"))
    setting, message = refusal_of(certificates=(missing,))
    assert setting == "ssl_certificate"
    assert message == (
        'cannot load certificate "/nowhere/a.crt": open() failed (2: No such file or directory)'
    )


def test_a_certificate_that_is_none() -> None:
    bad = Certificate(ssl_certificate="data:hello", ssl_certificate_key=Secret("x"))
    setting, message = refusal_of(certificates=(bad,))
    assert setting == "ssl_certificate"
    assert message.startswith('cannot load certificate "data:": PEM_read_bio_X509_AUX() failed')


def test_a_key_of_another_certificate_is_not_shown() -> None:
    other = self_signed("other")
    bad = Certificate(
        ssl_certificate="data:" + SERVER.pem, ssl_certificate_key=Secret("data:" + other.key_pem)
    )
    setting, message = refusal_of(certificates=(bad,))
    assert setting == "ssl_certificate_key"
    assert message.startswith('SSL_CTX_use_PrivateKey("data:") failed (SSL: error:')
    assert "key values mismatch" in message
    assert "PRIVATE" not in message


def refusal_of(**settings: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as found:
        front_context_of(**settings)
    return found.value.setting, str(found.value)


@pytest.mark.parametrize(
    ("passwords", "good"), [("data:wrong\nsesame\n", True), ("data:wrong\n", False), ("", False)]
)
def test_an_encrypted_key_and_its_passphrases(passwords: str, good: bool) -> None:
    encrypted = Certificate(
        ssl_certificate="data:" + SERVER.pem,
        ssl_certificate_key=Secret("data:" + SERVER.key_with(b"sesame")),
    )
    settings = {"certificates": (encrypted,), "ssl_password_file": Secret(passwords)}
    if good:
        front_context_of(**settings)
        return
    setting, message = refusal_of(**settings)
    assert setting == "ssl_certificate_key"
    assert message.startswith('cannot load certificate key "data:": PEM_read_bio_PrivateKey()')


def front_context_of(**settings: Any) -> FrontContext:
    return FrontContext(FrontTls(**settings), scope="x", protocol=Protocol.IMAP)


@pytest.mark.parametrize(
    ("settings", "setting", "words"),
    [
        ({"ssl_dhparam": "data:x"}, "ssl_dhparam", 'PEM_read_bio_DHparams("data:") failed'),
        (
            {"ssl_session_ticket_key": (Secret("data:AAAA"),)},
            "ssl_session_ticket_key",
            "must be 48",
        ),
        (
            {"ssl_conf_command": (ConfCommand(name="Nonsense", value="x"),)},
            "ssl_conf_command",
            'SSL_CONF_cmd("Nonsense", "x") failed',
        ),
        (
            {"ssl_verify_client": "on", "ssl_client_certificate": "/nowhere"},
            "ssl_client_certificate",
            'SSL_CTX_load_verify_locations("/nowhere") failed (2: ',
        ),
        (
            {
                "ssl_verify_client": "on",
                "ssl_client_certificate": "data:" + SERVER.pem,
                "ssl_crl": "data:x",
            },
            "ssl_crl",
            'X509_LOOKUP_load_file("data:") failed: PEM_read_bio_X509_CRL() failed',
        ),
    ],
)
def test_other_settings_that_cannot_be_used(
    settings: dict[str, Any], setting: str, words: str
) -> None:
    found, message = refusal(**settings)
    assert found == setting
    assert words in message


def test_what_is_not_provided_is_noticed() -> None:
    notices = front_context(
        ssl_protocols=("SSLv2", "TLSv1.2"), ssl_certificate_compression=True
    ).notices
    assert [notice.split()[0] for notice in notices] == ["SSLv2", '"ssl_certificate_compression"']


def test_both_kinds_of_key_are_served() -> None:
    context = front_context(SERVER, AUTHORITY.issue("mail.example.com", kind="rsa"))
    for ciphers in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"):
        front, peer = front_end(context), Client(version=TLS1_2, ciphers=ciphers)
        peer.join(front)
        assert front.facts is not None
        assert front.facts.cipher == ciphers


@pytest.mark.parametrize(("prefer", "chosen"), [(True, 256), (False, 128)])
def test_whose_order_of_ciphers_decides(prefer: bool, chosen: int) -> None:
    mine = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
    theirs = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
    context = front_context(ssl_ciphers=mine, ssl_prefer_server_ciphers=prefer)
    front, peer = front_end(context), Client(version=TLS1_2, ciphers=theirs)
    peer.join(front)
    assert front.facts is not None
    assert f"AES{chosen}" in front.facts.cipher


# --- mail_ssl_conf_command.t ---


def commands(*pairs: tuple[str, str]) -> tuple[ConfCommand, ...]:
    return tuple(ConfCommand(name=name, value=value) for name, value in pairs)


def test_commands_come_last_and_override() -> None:
    override = self_signed("override")
    context = front_context(
        ssl_protocols=("TLSv1.2",),
        ssl_session_tickets=False,
        ssl_prefer_server_ciphers=True,
        ssl_ciphers="ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256",
        ssl_conf_command=commands(
            ("Options", "SessionTicket"),
            ("Options", "-ServerPreference"),
            ("Certificate", "data:" + override.pem),
            ("PrivateKey", "data:" + override.key_pem),
        ),
    )
    theirs = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
    front, peer = front_end(context), Client(ciphers=theirs)
    peer.join(front)
    assert ssl.DER_cert_to_PEM_cert(peer.tls.getpeercert(binary_form=True) or b"") == override.pem
    assert front.facts is not None
    assert "AES128" in front.facts.cipher
    again, front = Client(context=peer.context, session=peer.tls.session), front_end(context)
    again.join(front)
    assert again.tls.session_reused


@pytest.mark.parametrize(
    ("name", "value", "client"),
    [
        ("MinProtocol", "TLSv1.3", {"version": TLS1_2}),
        ("MaxProtocol", "TLSv1.2", {"version": ssl.TLSVersion.TLSv1_3}),
        ("CipherString", "ECDHE-RSA-AES128-GCM-SHA256", {"version": TLS1_2}),
    ],
)
def test_commands_that_forbid(name: str, value: str, client: dict[str, Any]) -> None:
    context = front_context(ssl_conf_command=commands((name, value)))
    front, peer = front_end(context), Client(**client)
    peer.join(front)
    assert front.phase is Phase.FAILED


def test_ciphersuites_of_tls_1_3_by_command() -> None:
    suite = "TLS_CHACHA20_POLY1305_SHA256"
    context = front_context(ssl_conf_command=commands(("Ciphersuites", suite)))
    front, peer = front_end(context), Client()
    peer.join(front)
    assert front.facts is not None
    assert front.facts.cipher == suite


# --- files ---


def test_files_are_read_once_and_then_are_content(tmp_path: Path) -> None:
    certificate, key = SERVER.write(tmp_path, "server")
    tickets = tmp_path / "tickets"
    tickets.write_bytes(bytes(range(80)))
    settings = FrontTls(
        certificates=(
            Certificate(ssl_certificate=str(certificate), ssl_certificate_key=Secret(str(key))),
        ),
        ssl_client_certificate=str(certificate),
        ssl_session_ticket_key=(Secret(str(tickets)),),
        ssl_conf_command=commands(("Certificate", str(certificate)), ("PrivateKey", str(key))),
        ssl_verify_client="optional",
    )
    inlined = inlined_front(settings)
    for path in (certificate, key, tickets):
        path.unlink()
    assert inlined.certificates == (pair(SERVER),)
    assert inlined_front(inlined) == inlined
    context = front_context_of(
        certificates=inlined.certificates,
        ssl_session_ticket_key=inlined.ssl_session_ticket_key,
        ssl_conf_command=inlined.ssl_conf_command,
    )
    front = front_end(context)
    Client().join(front)
    assert front.phase is Phase.OPEN


@pytest.mark.parametrize(
    ("settings", "setting", "message"),
    [
        (
            {"ssl_dhparam": "/nowhere/dh.pem"},
            "ssl_dhparam",
            'BIO_new_file("/nowhere/dh.pem") failed (2: No such file or directory)',
        ),
        ({"ssl_crl": "a\0b"}, "ssl_crl", 'X509_LOOKUP_load_file("a\0b") failed (not a path)'),
        (
            {"ssl_session_ticket_key": (Secret("/dev/null"),)},
            "ssl_session_ticket_key",
            '"/dev/null" must be 48 or 80 bytes',
        ),
        (
            {"ssl_session_ticket_key": (Secret("data:%%%"),)},
            "ssl_session_ticket_key",
            '"data:" must be 48 or 80 bytes in base64',
        ),
    ],
)
def test_files_that_cannot_be_used(settings: dict[str, Any], setting: str, message: str) -> None:
    with pytest.raises(Refused) as found:
        inlined_front(FrontTls(**settings))
    assert (found.value.setting, str(found.value)) == (setting, message)


def test_a_passphrase_that_is_too_long() -> None:
    setting, message = refusal(ssl_password_file=Secret("data:" + "x" * 5_000))
    assert setting == "ssl_password_file"
    assert message == 'too long line in "data:"'
