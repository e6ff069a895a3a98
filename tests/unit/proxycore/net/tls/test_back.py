"""The back leg: whom it believes, and how it says why not."""

from pathlib import Path
from typing import Any

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.server_names import is_address
from proxycore.contract.tls import BackTls
from proxycore.net.tls.back_context import BackContext, SystemRoots
from proxycore.net.tls.certificate import pin_of
from proxycore.net.tls.endpoint import Phase
from proxycore.net.tls.front import FrontTlsEndpoint
from proxycore.net.tls.pem import certificates
from proxycore.net.tls.refused import Refused
from tests.support.pki import Authority, Pair, self_signed
from tests.unit.proxycore.net.tls.ends import (
    AUTHORITY,
    SERVER,
    back_context,
    back_end,
    front_context,
    front_end,
    is_open,
    join,
    joined,
    pair,
)


def pin(of: Pair) -> str:
    return pin_of(certificates(of.pem.encode(), "", "")[0])


def met(server: Pair, name: str = "mail.example.com", **policy: Any) -> tuple[Any, Any]:
    return joined(front_context(server), back_context(**policy), name)


def refused(server: Pair, name: str = "mail.example.com", **policy: Any) -> str:
    """Give why the mail server is refused, after checking that it has learnt nothing."""
    front, back = met(server, name, **policy)
    assert back.phase is Phase.FAILED
    assert back.facts is None
    assert front.phase is Phase.FAILED, "the mail server was not told"
    assert front.facts is None, "the mail server believes in this connection"
    reason: str = back.failure.reason
    return reason


def test_a_good_server_is_believed() -> None:
    front, back = met(SERVER)
    assert is_open(front, back)
    assert back.facts.verify == "SUCCESS"
    assert back.facts.peer.subject == "CN=mail.example.com"
    assert front.server_name == "mail.example.com"


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (("*.example.com",), "mail.example.com"),
        (("192.0.2.7",), "192.0.2.7"),
        (("2001:db8::7",), "2001:db8::7"),
        (("a.example.com", "mail.example.com"), "mail.example.com"),
    ],
)
def test_names_that_match(names: tuple[str, ...], asked: str) -> None:
    assert is_open(*met(AUTHORITY.issue(*names), asked))


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (("other.example.com",), "mail.example.com"),
        (("*.example.com",), "a.mail.example.com"),
        (("m*.example.com",), "mail.example.com"),
        (("192.0.2.7",), "192.0.2.8"),
        (("mail.example.com",), "192.0.2.8"),
    ],
)
def test_a_wrong_name_is_said_with_the_right_ones(names: tuple[str, ...], asked: str) -> None:
    reason = refused(AUTHORITY.issue(*names), asked)
    assert reason.startswith(f'the certificate is not for "{asked}" but for ')
    assert names[0] in reason


@pytest.mark.parametrize("name", ["", "999.0.0.1"])
def test_a_name_no_certificate_could_be_for_is_no_name(name: str) -> None:
    # OpenSSL would then check none
    with pytest.raises(Refused, match="nothing a certificate can be for"):
        back_end(back_context(), name)
    assert back_end(back_context(proxy_ssl_verify=False), name).start()


def test_without_server_name_none_is_sent() -> None:
    front, back = met(SERVER, proxy_ssl_server_name=False)
    assert is_open(front, back)
    assert front.server_name == ""


def test_an_address_is_never_sent_as_server_name() -> None:
    front, _ = met(AUTHORITY.issue("192.0.2.7"), "192.0.2.7")
    assert front.server_name == ""
    assert is_address("2001:db8::1")
    assert not is_address("1.2.3.4.example.com")


def test_an_expired_certificate_says_when() -> None:
    bad = AUTHORITY.issue("mail.example.com", days=-2)
    year = str(bad.certificate.not_valid_after_utc.year)
    reason = refused(bad)
    assert 'of "CN=mail.example.com" expired on ' in reason
    assert year in reason


def test_one_not_valid_yet_says_so() -> None:
    assert "is valid from" in refused(AUTHORITY.issue("mail.example.com", since_days=5, days=9))


def test_a_self_signed_one_is_called_that() -> None:
    assert "self-signed and not trusted here" in refused(self_signed("mail.example.com"))


def test_a_stranger_s_authority_is_not_trusted() -> None:
    stranger = Authority("Stranger").issue("mail.example.com")
    assert "authority that is not trusted here" in refused(stranger)


def test_a_self_signed_one_is_trusted_when_it_is_the_bundle() -> None:
    own = self_signed("mail.example.com")
    assert is_open(*met(own, proxy_ssl_trusted_certificate="data:" + own.pem))


def test_the_system_s_roots_do_not_know_our_authority() -> None:
    assert "not trusted here" in refused(SERVER, proxy_ssl_trusted_certificate="")


def test_the_system_s_roots_are_read_once_for_all_policies_of_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "roots.pem"
    bundle.write_text(AUTHORITY.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    roots = SystemRoots()
    listed = BackTls(proxy_ssl="implicit", proxy_ssl_crl="data:" + AUTHORITY.revocation_list())
    assert is_open(*joined(front_context(), BackContext(listed, roots)))
    assert is_open(*joined(front_context(), BackContext(BackTls(proxy_ssl="implicit"), roots)))
    bundle.write_text("")
    # a list is another policy's affair, and what was read is not read again
    front, back = joined(front_context(), BackContext(BackTls(proxy_ssl="starttls"), roots))
    assert is_open(front, back)
    _, back = joined(front_context(), BackContext(BackTls(proxy_ssl="starttls"), SystemRoots()))
    assert back.phase is Phase.FAILED


def test_a_revoked_one_is_called_that() -> None:
    authority = Authority("Revoking")
    good, bad = authority.issue("mail.example.com"), authority.issue("mail.example.com")
    authority.revoke(bad)
    policy = {
        "proxy_ssl_trusted_certificate": "data:" + authority.pem,
        "proxy_ssl_crl": "data:" + authority.revocation_list(),
    }
    assert "is revoked" in refused(bad, **policy)
    assert is_open(*met(good, **policy))


def test_an_authority_without_list_is_named_as_the_fault() -> None:
    other = Authority("Other")
    lists = "data:" + other.revocation_list()
    assert "there is no revocation list" in refused(SERVER, proxy_ssl_crl=lists)


def test_a_chain_longer_than_the_depth() -> None:
    root = Authority("Root")
    server = Authority("Below", Authority("Middle", root)).issue("mail.example.com")
    bundle = "data:" + root.pem
    assert is_open(*met(server, proxy_ssl_trusted_certificate=bundle))
    reason = refused(server, proxy_ssl_trusted_certificate=bundle, proxy_ssl_verify_depth=1)
    assert "proxy_ssl_verify_depth" in reason


def test_a_client_s_certificate_does_not_make_a_server() -> None:
    bad = AUTHORITY.issue("mail.example.com", client=True)
    assert "was not accepted (26:" in refused(bad)


def test_a_pinned_key_is_believed_whatever_its_name_and_authority() -> None:
    own = self_signed("whatever", days=-1)
    assert is_open(*met(own, proxy_ssl_pins=(pin(own),)))


def test_another_key_than_the_pinned_one_is_refused_and_named() -> None:
    own = self_signed("mail.example.com")
    reason = refused(SERVER, proxy_ssl_pins=(pin(own),))
    assert "is not pinned" in reason
    assert pin(SERVER) in reason


def test_a_pin_is_checked_although_the_authority_is_trusted() -> None:
    assert is_open(*met(SERVER, proxy_ssl_pins=(pin(SERVER),)))
    assert "is not pinned" in refused(
        AUTHORITY.issue("mail.example.com"), proxy_ssl_pins=(pin(SERVER),)
    )


def test_without_verification_anybody_is_believed_and_nothing_claimed() -> None:
    _, back = met(self_signed("somebody"), proxy_ssl_verify=False)
    assert back.phase is Phase.OPEN
    assert back.facts.verify == ""


def test_our_own_certificate_is_given_to_who_asks() -> None:
    ours = AUTHORITY.issue("proxy.example.com", client=True)
    context = front_context(ssl_verify_client="on", ssl_client_certificate="data:" + AUTHORITY.pem)
    own = pair(ours)
    front, back = joined(
        context,
        back_context(
            proxy_ssl_certificate=own.ssl_certificate,
            proxy_ssl_certificate_key=own.ssl_certificate_key,
        ),
    )
    assert is_open(front, back)
    assert front.refusal == ""
    assert front.facts is not None
    assert front.facts.peer is not None
    assert front.facts.peer.subject == "CN=proxy.example.com"


@pytest.mark.parametrize(
    ("policy", "server"),
    [
        ({"proxy_ssl_protocols": ("TLSv1.3",)}, {"ssl_protocols": ("TLSv1.2",)}),
        (
            {"proxy_ssl_protocols": ("TLSv1.2",), "proxy_ssl_ciphers": "AES128-GCM-SHA256"},
            {"ssl_protocols": ("TLSv1.2",)},
        ),
    ],
)
def test_protocols_and_ciphers_of_the_policy_hold(
    policy: dict[str, Any], server: dict[str, Any]
) -> None:
    front, back = front_end(front_context(**server)), back_end(back_context(**policy))
    join(front, back)
    assert back.phase is Phase.FAILED
    assert back.failure is not None
    assert "alert" in back.failure.reason


def test_a_server_that_answers_in_clear_is_refused() -> None:
    back = back_end(back_context())
    back.start()
    assert back.feed(b"* OK IMAP4rev1 ready\r\n") == b""
    assert back.phase is Phase.FAILED
    assert back.failure is not None
    assert "wrong version number" in back.failure.reason


@pytest.mark.parametrize(
    ("policy", "setting"),
    [
        ({"proxy_ssl_ciphers": "NONSENSE"}, "proxy_ssl_ciphers"),
        ({"proxy_ssl_trusted_certificate": "data:nothing"}, "proxy_ssl_trusted_certificate"),
        ({"proxy_ssl_trusted_certificate": "/nowhere/x.pem"}, "proxy_ssl_trusted_certificate"),
        ({"proxy_ssl_crl": "data:nothing"}, "proxy_ssl_crl"),
        ({"proxy_ssl_certificate": "data:nothing"}, "proxy_ssl_certificate"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(policy: dict[str, Any], setting: str) -> None:
    with pytest.raises(Refused) as refusal:
        back_context(**policy)
    assert refusal.value.setting == setting


def test_old_protocols_are_noticed() -> None:
    (notice,) = back_context(proxy_ssl_protocols=("SSLv3", "TLSv1.2")).notices
    assert notice.startswith("SSLv3")


def test_contexts_of_protocols_differ_only_in_alpn() -> None:
    ends = (
        FrontTlsEndpoint(lambda _: front_context(protocol=Protocol.POP3)),
        back_end(back_context()),
    )
    join(*ends)
    assert is_open(*ends)
