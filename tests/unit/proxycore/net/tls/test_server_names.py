"""Blocks that share a socket: whose certificate, dialogue, auth service and names a client gets."""

import base64
import ssl
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509

from proxycore.contract.reasons import CloseReason
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import Server
from proxycore.contract.stats import (
    LOGINS,
    SESSIONS_ACCEPTED,
    SESSIONS_CLOSED,
    SESSIONS_MOVED_IN,
    SESSIONS_MOVED_OUT,
    series,
)
from proxycore.contract.tls import FrontTls
from proxycore.net.tls.tickets import TicketKeys
from proxycore.net.tls.zone import Zone
from tests.support.pki import Pair
from tests.unit.proxycore.net.house import House
from tests.unit.proxycore.net.tls.client import client_context
from tests.unit.proxycore.net.tls.ends import AUTHORITY, front_settings
from tests.unit.proxycore.net.tls.house import TlsPeer, apply, block, client_of, serve

ONE = AUTHORITY.issue("one.example.com")
TWO = AUTHORITY.issue("two.example.com")
KEY = Secret("data:" + base64.b64encode(b"f" * 80).decode())


def certificate_of(client: TlsPeer) -> x509.Certificate:
    assert client.tls is not None
    octets = client.tls.tls.getpeercert(binary_form=True)
    assert octets is not None
    return x509.load_der_x509_certificate(octets)


def named(house: House, pair: Pair, name: str, protocol: str = "smtp", **settings: Any) -> Server:
    front = front_settings(pair, starttls="on")
    return block(
        house, protocol, front=front, name=name.partition(".")[0], server_names=(name,), **settings
    )


def two(house: House, *, ssl: bool = True, **settings: Any) -> None:
    first = named(house, ONE, "one.example.com")
    second = named(house, TWO, "two.example.com", **settings)
    apply(house, first, second, ssl=ssl)


def met(house: House, name: str | None, *, implicit: bool = True) -> TlsPeer:
    client = client_of(house)
    if not implicit:
        client.expect(b"220 one.example.com ESMTP ready\r\n")
        client.send(b"STARTTLS\r\n").expect(b"220 2.0.0 Start TLS\r\n")
    return client.shake(name=name)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("one.example.com", "one"),
        ("two.example.com", "two"),
        ("TWO.Example.COM", "two"),
        ("three.example.com", "one"),
        (None, "one"),
    ],
)
@pytest.mark.parametrize("implicit", [True, False])
def test_the_name_asked_for_decides(
    house: House, asked: str | None, given: str, implicit: bool
) -> None:
    two(house, ssl=implicit, smtp_capabilities=("SIZE 2",))
    client = met(house, asked, implicit=implicit)
    assert certificate_of(client) == {"one": ONE, "two": TWO}[given].certificate
    if implicit:
        client.expect(b"220 %b.example.com ESMTP ready\r\n" % given.encode())
    client.send(b"EHLO client.example.com\r\n")
    answer = client.expect(b"250 AUTH PLAIN LOGIN\r\n")
    assert answer.startswith(b"250-%b.example.com\r\n" % given.encode())
    assert (b"SIZE 2" in answer) == (given == "two")


@pytest.mark.parametrize("implicit", [True, False])
def test_limits_logins_and_ends_are_those_of_the_block(house: House, implicit: bool) -> None:
    two(house, ssl=implicit, max_errors=1, auth={"uri": "/second"})
    counts = house.engine.ledger.counts
    client = met(house, "two.example.com", implicit=implicit)
    if implicit:
        client.expect(b"ready\r\n")
    client.send(b"EHLO c\r\n").expect(b"250 AUTH PLAIN LOGIN\r\n")
    client.send(b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n")
    auth, question = house.asked()
    assert question.startswith(b"GET /second HTTP/1.0\r\n")
    auth.send(b"HTTP/1.0 200 OK\r\nAuth-Status: no\r\nAuth-Wait: 1\r\n\r\n")
    client.expect(b"535 5.7.0 no\r\n")
    client.send(b"NONSENSE\r\n")
    client.expect_end()
    ended = counts.get(series(SESSIONS_CLOSED, "two", CloseReason.TOO_MANY_ERRORS.value))
    assert ended == 1


def test_a_session_is_relayed_under_the_name_of_its_block(house: House) -> None:
    first = named(house, ONE, "one.example.com", "imap")
    second = named(house, TWO, "two.example.com", "imap")
    apply(house, first, second, ssl=True)
    client = met(house, "two.example.com")
    client.expect(b"ready\r\n")
    client.send(b"a1 LOGIN alice secret\r\n")
    auth, _ = house.asked()
    auth.send(house.ok())
    house.mail_login()
    client.expect(b"a1 OK logged in\r\n")
    assert [record.server for record in house.engine.ledger.records()] == ["two"]
    counts = house.engine.ledger.counts
    assert counts[series(LOGINS, "two")] == 1
    assert counts[series(SESSIONS_ACCEPTED, "one")] == 1
    assert counts[series(SESSIONS_MOVED_OUT, "one")] == 1
    assert counts[series(SESSIONS_MOVED_IN, "two")] == 1


def test_ten_thousand_names_cost_what_is_asked_for(house: House) -> None:
    first = named(house, ONE, "one.example.com")
    names = [f"mail{i}.example.com" for i in range(10_000)]
    second = replace(named(house, TWO, "two.example.com"), server_names=tuple(names))
    apply(house, first, second, ssl=True)
    fronts = house.engine._fronts
    assert fronts is not None
    assert len(fronts) == 0
    for i in range(20):
        client = met(house, f"random{i}.example.net")
        assert certificate_of(client) == ONE.certificate
        client.close()
    assert len(fronts) == 1
    for name in (names[0], names[-1]):
        assert certificate_of(met(house, name)) == TWO.certificate
    assert len(fronts) == 2


def test_a_block_whose_certificate_cannot_be_used_fails_alone_and_says_why(house: House) -> None:
    broken = replace(named(house, TWO, "two.example.com"), front_tls=FrontTls(ssl_ciphers="NONE"))
    apply(house, named(house, ONE, "one.example.com"), broken, ssl=True)
    client = met(house, "two.example.com")
    assert client.tls is not None
    assert "internal error" in str(client.tls.error)
    (line,) = [text for level, text in house.log.lines if level == "error"]
    assert 'SSL_CTX_set_cipher_list("NONE") failed' in line
    assert certificate_of(met(house, "one.example.com")) == ONE.certificate


# --- a new snapshot ---


def session_of(client: TlsPeer) -> ssl.SSLSession | None:
    assert client.tls is not None
    return client.tls.tls.session


def resumed(house: House, name: str, before: TlsPeer) -> bool:
    assert before.tls is not None
    client = client_of(house).shake(
        name=name, context=before.tls.context, session=session_of(before)
    )
    assert client.tls is not None
    assert client.tls.error is None
    client.expect(b"ready\r\n")
    return bool(client.tls.tls.session_reused)


def test_a_new_certificate_is_served_and_sessions_live_on(house: House) -> None:
    serve(house, implicit=True, front=front_settings(ONE))
    listener = house.engine._listeners[house.key]
    before = client_of(house).shake()
    before.expect(b"ready\r\n")
    before.send(b"a1 LOGIN alice secret\r\n")
    auth, _ = house.asked()
    auth.send(house.ok())
    mail = house.mail_login()
    before.expect(b"a1 OK logged in\r\n")
    serve(house, implicit=True, front=front_settings(TWO))
    after = client_of(house).shake()
    assert certificate_of(before) == ONE.certificate
    assert certificate_of(after) == TWO.certificate
    assert house.engine._listeners[house.key] is listener
    before.send(b"a2 NOOP\r\n")
    mail.expect(b"a2 NOOP\r\n")
    mail.send(b"a2 OK still there\r\n")
    before.expect(b"a2 OK still there\r\n")


def test_a_handshake_under_way_is_finished_as_it_began(house: House) -> None:
    serve(house, implicit=True, front=front_settings(ONE))
    client = client_of(house).begin()
    house.pump(lambda: house.engine.open_count == 1, "the connection is accepted")
    house.idle()
    serve(house, implicit=True, front=front_settings(TWO))
    client.shake().expect(b"ready\r\n")
    assert certificate_of(client) == ONE.certificate


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("changed", [False, True])
def test_sessions_are_resumed_over_a_snapshot_that_leaves_tls_as_it_is(
    house: House, version: ssl.TLSVersion, changed: bool
) -> None:
    """No keys are shared here: resumption shows that the context is the same."""
    front = front_settings(ONE)
    serve(house, implicit=True, front=front)
    before = client_of(house).shake(context=client_context(version=version))
    before.expect(b"ready\r\n")
    front = front_settings(ONE, ssl_session_timeout_ms=299_000 if changed else 300_000)
    serve(house, implicit=True, front=front, timeout_ms=59_000)
    assert resumed(house, "mail.example.com", before) is not changed


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("pair", [ONE, TWO], ids=["same certificate", "another"])
def test_no_session_of_one_block_is_resumed_in_another(
    house: House, version: ssl.TLSVersion, pair: Pair
) -> None:
    """Not with keys and caches they share (CVE-2025-23419)."""
    house.engine.share_tls({"SSL": Zone(bytearray(65_536))}, TicketKeys([b"k" * 80]))
    shared: dict[str, Any] = {
        "ssl_session_cache": "stored",
        "ssl_session_cache_shared_name": "SSL",
        "starttls": "on",
    }
    first = replace(named(house, ONE, "one.example.com"), front_tls=front_settings(ONE, **shared))
    second = named(house, pair, "two.example.com")
    second = replace(second, front_tls=front_settings(pair, **shared))
    apply(house, first, second, ssl=True)
    before = client_of(house).shake(name="one.example.com", context=client_context(version=version))
    before.expect(b"ready\r\n")
    assert resumed(house, "one.example.com", before)
    assert not resumed(house, "two.example.com", before)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("tickets", [True, False])
def test_a_session_without_a_certificate_does_not_open_a_block_that_wants_one(
    house: House, version: ssl.TLSVersion, tickets: bool
) -> None:
    house.engine.share_tls({"SSL": Zone(bytearray(65_536))}, TicketKeys([b"k" * 80]))
    shared: dict[str, Any] = {
        "ssl_session_cache": "stored",
        "ssl_session_cache_shared_name": "SSL",
        "ssl_session_tickets": tickets,
    }
    wanting = {"ssl_verify_client": "on", "ssl_client_certificate": "data:" + AUTHORITY.pem}
    first = replace(named(house, ONE, "one.example.com"), front_tls=front_settings(ONE, **shared))
    second = named(house, ONE, "two.example.com")
    second = replace(second, front_tls=front_settings(ONE, **shared, **wanting))
    apply(house, first, second, ssl=True)
    context = client_context(version=version)
    before = client_of(house).shake(name="one.example.com", context=context)
    before.expect(b"ready\r\n")
    assert resumed(house, "one.example.com", before)
    again = client_of(house)
    again.shake(name="two.example.com", context=context, session=session_of(before))
    assert again.expect_end() == b"421 4.7.1 No required SSL certificate\r\n"
    assert again.tls is not None
    assert not again.tls.tls.session_reused


# --- what workers share ---


def test_tickets_are_good_at_any_engine_with_the_keys(house: House) -> None:
    keys = TicketKeys([b"k" * 80])
    house.engine.share_tls({}, keys)
    serve(house, implicit=True, front=front_settings(ONE))
    before = client_of(house).shake()
    before.expect(b"ready\r\n")
    # another context, as another worker would have
    serve(house, implicit=True, front=front_settings(ONE, ssl_session_timeout_ms=200_000))
    assert resumed(house, "mail.example.com", before)


def test_renewed_keys_are_used_at_once_and_old_ones_as_long_as_they_are_given(
    house: House,
) -> None:
    serve(house, implicit=True, front=front_settings(ONE))
    first = client_of(house).shake()
    first.expect(b"ready\r\n")
    old, new = b"o" * 80, b"n" * 80
    house.engine.renew_tickets(TicketKeys([old]))
    assert not resumed(house, "mail.example.com", first)
    second = client_of(house).shake()
    second.expect(b"ready\r\n")
    house.engine.renew_tickets(TicketKeys([new, old]))
    assert resumed(house, "mail.example.com", second)
    house.engine.renew_tickets(TicketKeys([new]))
    assert not resumed(house, "mail.example.com", second)


def test_keys_of_a_block_s_own_stay_when_the_shared_ones_are_renewed(house: House) -> None:
    front = front_settings(ONE, ssl_session_ticket_key=(KEY,))
    serve(house, implicit=True, front=front)
    before = client_of(house).shake()
    before.expect(b"ready\r\n")
    house.engine.renew_tickets(TicketKeys([b"n" * 80]))
    assert resumed(house, "mail.example.com", before)


def test_a_shared_cache_outlives_the_context(house: House) -> None:
    zones = {"SSL": Zone(bytearray(65_536))}
    house.engine.share_tls(zones, None)
    settings: dict[str, Any] = {
        "ssl_session_cache": "stored",
        "ssl_session_cache_shared_name": "SSL",
        "ssl_session_tickets": False,
    }
    serve(house, implicit=True, front=front_settings(ONE, **settings))
    before = client_of(house).shake(context=client_context(version=ssl.TLSVersion.TLSv1_2))
    before.expect(b"ready\r\n")
    settings["ssl_session_timeout_ms"] = 200_000
    serve(house, implicit=True, front=front_settings(ONE, **settings))
    assert resumed(house, "mail.example.com", before)
    house.engine.share_tls({"SSL": Zone(bytearray(65_536))}, None)
    serve(house, implicit=True, front=front_settings(ONE, **settings))
    assert not resumed(house, "mail.example.com", before)
