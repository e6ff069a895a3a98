"""Every setting of TLS towards mail servers holds on both ways to begin it (CVE-2013-4584).

A mail server that the policy refuses has learnt no octet of the login, and the operator is told
why.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from proxycore.contract.reasons import CloseReason
from proxycore.contract.secret import Secret
from proxycore.contract.stats import SESSIONS_CLOSED, series
from proxycore.contract.tls import BackTls, ConfCommand
from proxycore.net.back_policy import BackPolicies
from proxycore.net.driver import Driver
from proxycore.net.tls.certificate import pin_of
from proxycore.net.tls.pem import certificates
from proxycore.net.tls.refused import Refused
from tests.support.pki import Authority, Pair, self_signed
from tests.unit.proxycore.net.house import House
from tests.unit.proxycore.net.sealed import (
    AUTHORITY,
    NAME,
    SERVER,
    let_in,
    met,
    server_context,
    submit,
)

MODES = ["implicit", "starttls"]
TRUSTING = {"proxy_ssl_trusted_certificate": "data:" + AUTHORITY.pem, "proxy_ssl_name": NAME}
OURS = AUTHORITY.issue("proxy.example.com", client=True)

REVOKING = Authority("Revoking")
REVOKED, KEPT = REVOKING.issue(NAME), REVOKING.issue(NAME)
REVOKING.revoke(REVOKED)
LISTED = {
    "proxy_ssl_trusted_certificate": "data:" + REVOKING.pem,
    "proxy_ssl_crl": "data:" + REVOKING.revocation_list(),
}
ROOT = Authority("Root")
DEEP = Authority("Below", Authority("Middle", ROOT)).issue(NAME)
UNTRUSTED, FAILED = CloseReason.BACKEND_UNTRUSTED, CloseReason.BACKEND_TLS_FAILED


def pin(of: Pair) -> str:
    return pin_of(certificates(of.pem.encode(), "", "")[0])


def only(version: str) -> ssl.SSLContext:
    context = server_context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    return context


def with_ciphers(ciphers: str) -> ssl.SSLContext:
    context = only("TLSv1_2")
    context.set_ciphers(ciphers)
    return context


def with_curve(curve: str) -> ssl.SSLContext:
    context = server_context()
    context.set_ecdh_curve(curve)
    return context


def asking_for_ours() -> ssl.SSLContext:
    # in TLS 1.3 a server that refuses a client says so when that has begun to speak
    context = server_context(trusting=AUTHORITY)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def presenting(pair: Pair, **more: Any) -> dict[str, Any]:
    key = Secret("data:" + pair.key_pem)
    certificate = "data:" + pair.pem
    return {"proxy_ssl_certificate": certificate, "proxy_ssl_certificate_key": key, **more}


@dataclass(frozen=True)
class Case:
    """A policy, and a mail server it must not accept."""

    reason: CloseReason
    said: str
    server: Callable[[], ssl.SSLContext] = server_context
    policy: dict[str, Any] = field(default_factory=dict)


REFUSED = {
    "verify": Case(UNTRUSTED, "is self-signed", lambda: server_context(self_signed(NAME))),
    "name": Case(
        UNTRUSTED,
        f'the certificate is not for "{NAME}" but for DNS:other.example.com',
        lambda: server_context(AUTHORITY.issue("other.example.com")),
    ),
    "bundle": Case(
        UNTRUSTED,
        "is from an authority that is not trusted here",
        lambda: server_context(Authority("Stranger").issue(NAME)),
    ),
    "system roots": Case(
        UNTRUSTED,
        "is from an authority that is not trusted here",
        policy={"proxy_ssl_trusted_certificate": ""},
    ),
    "expired": Case(
        UNTRUSTED, "expired on ", lambda: server_context(AUTHORITY.issue(NAME, days=-2))
    ),
    "depth": Case(
        UNTRUSTED,
        "longer than proxy_ssl_verify_depth",
        lambda: server_context(DEEP),
        {"proxy_ssl_trusted_certificate": "data:" + ROOT.pem, "proxy_ssl_verify_depth": 1},
    ),
    "pin": Case(
        UNTRUSTED, "is not pinned", policy={"proxy_ssl_pins": (pin(AUTHORITY.issue(NAME)),)}
    ),
    "revoked": Case(UNTRUSTED, "is revoked", lambda: server_context(REVOKED), LISTED),
    "no list": Case(
        UNTRUSTED,
        "there is no revocation list",
        policy={"proxy_ssl_crl": LISTED["proxy_ssl_crl"]},
    ),
    "protocols": Case(
        FAILED,
        "SSL alert number 70): it speaks none of proxy_ssl_protocols",
        lambda: only("TLSv1_2"),
        {"proxy_ssl_protocols": ("TLSv1.3",)},
    ),
    "ciphers": Case(
        FAILED,
        "SSL alert number 40): it accepts no protocol, cipher or certificate of ours",
        lambda: with_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384"),
        {"proxy_ssl_ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"},
    ),
    "command": Case(
        FAILED,
        "handshake failure",
        lambda: with_curve("prime256v1"),
        {"proxy_ssl_conf_command": (ConfCommand(name="Groups", value="secp384r1"),)},
    ),
    "no certificate of ours": Case(FAILED, "handshake failure", asking_for_ours),
    "a certificate nobody asked ours to be": Case(
        FAILED,
        "unknown ca",
        asking_for_ours,
        presenting(Authority("Stranger").issue("proxy.example.com", client=True)),
    ),
}

ACCEPTED: dict[str, tuple[Callable[[], ssl.SSLContext], dict[str, Any]]] = {
    "verified": (server_context, {}),
    "not verified": (
        lambda: server_context(self_signed("whatever", days=-1)),
        {"proxy_ssl_verify": False},
    ),
    "pinned": (
        lambda: server_context(SERVER),
        {"proxy_ssl_pins": (pin(SERVER),), "proxy_ssl_trusted_certificate": ""},
    ),
    "not revoked": (lambda: server_context(KEPT), LISTED),
    "deep": (
        lambda: server_context(DEEP),
        {"proxy_ssl_trusted_certificate": "data:" + ROOT.pem},
    ),
    "protocols": (lambda: only("TLSv1_2"), {"proxy_ssl_protocols": ("TLSv1.2",)}),
    "ciphers": (
        lambda: with_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384"),
        {"proxy_ssl_ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"},
    ),
    "command": (
        lambda: with_curve("prime256v1"),
        {"proxy_ssl_conf_command": (ConfCommand(name="Groups", value="P-256"),)},
    ),
}


IN_A_TEST_OF_ITS_OWN = {
    "proxy_ssl": "all of them: MODES",
    "proxy_ssl_certificate": "test_a_mail_server_that_asks_for_our_certificate_gets_it",
    "proxy_ssl_certificate_key": "the same",
    "proxy_ssl_password_file": "the same",
    "proxy_ssl_name": "test_a_route_s_name_comes_before_the_configured_one",
    "proxy_ssl_server_name": "test_the_name_is_told_as_configured",
    "proxy_ssl_session_reuse": "test_sessions_are_resumed_as_configured",
}


def test_every_setting_is_in_the_matrix() -> None:
    policies = [case.policy for case in REFUSED.values()]
    policies += [policy for _, policy in ACCEPTED.values()]
    told = {name for policy in policies for name in policy} | set(IN_A_TEST_OF_ITS_OWN)
    assert told == set(BackTls.__dataclass_fields__)


def serve(house: House, mode: str, policy: dict[str, Any], **more: Any) -> None:
    house.serve(back_tls=BackTls(proxy_ssl=mode, **{**TRUSTING, **policy}), **more)


def closed(house: House, reason: CloseReason) -> int:
    return house.engine.ledger.counts.get(series(SESSIONS_CLOSED, "main", reason.value), 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_a_policy_refuses_gets_no_password(house: House, mode: str, case: Case) -> None:
    serve(house, mode, case.policy)
    client = submit(house)
    sealed = met(house, mode, case.server())
    assert sealed.fault, "the mail server believes in this connection"
    assert sealed.peer.expect_end() == b""
    assert sealed.received == b""
    assert client.expect_end() == b"* BAD internal server error\r\n"
    assert closed(house, case.reason) == 1
    (line,) = [text for level, text in house.log.lines if level == "error"]
    assert case.said in line
    assert "while SSL handshaking to upstream, client: 127.0.0.1" in line
    assert 'login: "alice", upstream: 127.0.0.1:' in line


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("server", "policy"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_a_policy_accepts_is_logged_in_at(
    house: House, mode: str, server: Callable[[], ssl.SSLContext], policy: dict[str, Any]
) -> None:
    serve(house, mode, policy)
    client = submit(house)
    let_in(met(house, mode, server()), mode)
    client.expect(b"a1 OK logged in\r\n")


@pytest.mark.parametrize("mode", MODES)
def test_a_mail_server_that_asks_for_our_certificate_gets_it(house: House, mode: str) -> None:
    key = Secret("data:" + OURS.key_with(b"open sesame"))
    policy = presenting(OURS, proxy_ssl_password_file=Secret("data:open sesame\n"))
    serve(house, mode, {**policy, "proxy_ssl_certificate_key": key})
    client = submit(house)
    sealed = met(house, mode, server_context(trusting=AUTHORITY))
    let_in(sealed, mode)
    client.expect(b"a1 OK logged in\r\n")
    certificate = sealed.ssl.getpeercert()
    assert certificate is not None
    assert certificate["subject"] == ((("commonName", "proxy.example.com"),),)


@pytest.mark.parametrize("mode", MODES)
def test_one_that_wants_a_certificate_after_the_handshake_is_explained(
    house: House, mode: str
) -> None:
    serve(house, mode, {})
    client = submit(house)
    sealed = met(house, mode, server_context(trusting=AUTHORITY))
    assert sealed.fault
    assert client.expect_end() == b"* BAD internal server error\r\n"
    assert closed(house, FAILED) == 1
    assert "it wants a certificate: proxy_ssl_certificate while" in house.log.text()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("told", "names"), [(True, [NAME]), (False, [None])])
def test_the_name_is_told_as_configured(
    house: House, mode: str, told: bool, names: list[str | None]
) -> None:
    serve(house, mode, {"proxy_ssl_server_name": told})
    client = submit(house)
    sealed = met(house, mode, server_context())
    let_in(sealed, mode)
    client.expect(b"a1 OK logged in\r\n")
    assert sealed.asked_names == names


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("wanted", [True, False])
def test_sessions_are_resumed_as_configured(
    house: House, mode: str, version: str, wanted: bool
) -> None:
    serve(house, mode, {"proxy_ssl_session_reuse": wanted})
    context = only(version)
    reused = []
    for _ in range(3):
        client = submit(house)
        sealed = met(house, mode, context)
        let_in(sealed, mode)
        client.expect(b"a1 OK logged in\r\n")
        reused.append(sealed.ssl.session_reused)
        client.close()
        sealed.expect_end()
    assert reused == [False, wanted, wanted]


def test_a_session_is_still_good_after_a_new_snapshot(house: House) -> None:
    context = server_context()
    for reused in (False, True):
        serve(house, "implicit", {}, timeout_ms=59_000 + reused)
        submit(house)
        sealed = met(house, "implicit", context)
        let_in(sealed, "implicit")
        assert sealed.ssl.session_reused is reused
        house.idle()


@pytest.mark.parametrize("mode", MODES)
def test_a_session_is_not_resumed_under_another_policy(house: House, mode: str) -> None:
    context = server_context()
    serve(house, mode, {"proxy_ssl_verify": False})
    submit(house)
    sealed = met(house, mode, context)
    let_in(sealed, mode)
    house.idle()
    serve(house, mode, {"proxy_ssl_trusted_certificate": "data:" + Authority("Other").pem})
    submit(house)
    assert met(house, mode, context).fault
    assert closed(house, UNTRUSTED) == 1


# --- by Auth-Proxy-SSL --------------------------------------------------------------------------

_BY_ROUTE = {"implicit": b"Auth-Proxy-SSL: on\r\n", "starttls": b"Auth-Proxy-SSL: starttls\r\n"}


@pytest.mark.parametrize("mode", MODES)
def test_a_route_that_asks_for_tls_has_the_block_s_policy(house: House, mode: str) -> None:
    serve(house, "none", {})
    client = submit(house, _BY_ROUTE[mode])
    let_in(met(house, mode, server_context()), mode)
    client.expect(b"a1 OK logged in\r\n")
    client = submit(house, _BY_ROUTE[mode])
    assert met(house, mode, server_context(self_signed(NAME))).fault
    assert client.expect_end() == b"* BAD internal server error\r\n"
    assert closed(house, UNTRUSTED) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_route_s_name_comes_before_the_configured_one(house: House, mode: str) -> None:
    serve(house, mode, {})
    named = b"Auth-Proxy-SSL-Name: other.example.com\r\n"
    client = submit(house, named)
    sealed = met(house, mode, server_context(AUTHORITY.issue("other.example.com")))
    let_in(sealed, mode)
    client.expect(b"a1 OK logged in\r\n")
    assert sealed.asked_names == ["other.example.com"]
    submit(house, named)
    assert met(house, mode, server_context()).fault
    assert '"other.example.com" but for DNS:mail.example.com' in house.log.text()


@pytest.mark.parametrize("mode", MODES)
def test_without_a_name_the_address_is_what_counts(house: House, mode: str) -> None:
    serve(house, mode, {"proxy_ssl_name": ""})
    client = submit(house)
    sealed = met(house, mode, server_context(AUTHORITY.issue("127.0.0.1")))
    let_in(sealed, mode)
    client.expect(b"a1 OK logged in\r\n")
    assert sealed.asked_names == [None]
    submit(house)
    assert met(house, mode, server_context()).fault
    assert 'not for "127.0.0.1" but for DNS:mail.example.com' in house.log.text()


# --- names and contexts -------------------------------------------------------------------------


def test_a_mail_server_nobody_could_recognise_is_not_asked() -> None:
    policies = BackPolicies()
    with pytest.raises(Refused, match="no name of its own") as refused:
        policies.policy(BackTls()).name_of("unix:/run/mail", "")
    assert refused.value.setting == "proxy_ssl_name"
    # 999.0.0.1 looks like an address, and no check of OpenSSL's would be set up for it
    with pytest.raises(Refused, match="nothing a certificate can be for"):
        policies.policy(BackTls(proxy_ssl_name="999.0.0.1")).name_of("mail.example.com", "")
    pinned = BackTls(proxy_ssl_pins=(pin(SERVER),))
    assert policies.policy(pinned).name_of("unix:/run/mail", "") == ""


@pytest.mark.parametrize(
    ("host", "asked", "configured", "name"),
    [
        ("mail.example.com", "", "", "mail.example.com"),
        ("mail.example.com.", "", "", "mail.example.com"),
        ("192.0.2.1", "", "", "192.0.2.1"),
        ("mail.example.com", "", "b.example.com", "b.example.com"),
        ("mail.example.com", "a.example.com", "b.example.com", "a.example.com"),
        ("unix:/run/mail", "", "b.example.com", "b.example.com"),
    ],
)
def test_which_name_counts(host: str, asked: str, configured: str, name: str) -> None:
    policy = BackPolicies().policy(BackTls(proxy_ssl_name=configured))
    assert policy.name_of(host, asked) == name


def test_blocks_of_one_policy_share_it_and_it_goes_with_the_last() -> None:
    policies = BackPolicies()
    one = policies.policy(BackTls(proxy_ssl="starttls"))
    assert policies.policy(BackTls(proxy_ssl="starttls")) is one
    assert policies.policy(BackTls(proxy_ssl="implicit")) is not one
    policies.keep([BackTls(proxy_ssl="starttls")])
    assert policies.policy(BackTls(proxy_ssl="starttls")) is one
    policies.keep([])
    assert policies.policy(BackTls(proxy_ssl="starttls")) is not one


def test_a_policy_that_cannot_be_used_is_said_and_nothing_connected_to(house: House) -> None:
    serve(house, "starttls", {"proxy_ssl_ciphers": "NONSENSE"})
    client = submit(house)
    assert client.expect_end() == b"* BAD internal server error\r\n"
    assert closed(house, FAILED) == 1
    assert "[error] *1 proxy_ssl_ciphers: SSL_CTX_set_cipher_list" in house.log.text()


def test_facts_of_the_handshake_are_there_for_the_record(house: House) -> None:
    serve(house, "implicit", {})
    client = submit(house)
    sealed = met(house, "implicit", server_context())
    (driver,) = house.engine._context.drivers.values()
    assert isinstance(driver, Driver)
    tls = driver._back_tls
    assert tls is not None
    facts = house.pump(lambda: tls.facts, "the proxy's handshake")
    assert facts is not None
    assert facts.verify == "SUCCESS"
    assert facts.peer is not None
    assert facts.peer.subject == f"CN={NAME}"
    let_in(sealed, "implicit")
    client.expect(b"a1 OK logged in\r\n")
