"""Who may resume whose session: caches, tickets, keys, time, and never across server blocks."""

import base64
import gc
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.tls import FrontTls
from proxycore.net.tls import exchange
from proxycore.net.tls.front_context import FrontContext
from proxycore.net.tls.tickets import TicketKeys, derived_keys
from proxycore.net.tls.zone import Zone
from tests.support.pki import self_signed
from tests.support.wait import eventually
from tests.unit.proxycore.net.tls.client import Client, client_context
from tests.unit.proxycore.net.tls.ends import (
    back_context,
    back_end,
    front_context,
    front_end,
    front_settings,
    join,
    joined,
)

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def resumes(first: FrontContext, second: FrontContext, context: ssl.SSLContext) -> bool:
    """Tell whether a session made with one is resumed by the other; both ends must agree."""
    peer = Client(context=context)
    front = front_end(first)
    peer.join(front)
    # tickets of TLS 1.3 come with the first answer, at the latest
    peer.hear(front, b"* OK\r\n")
    again, front = Client(context=context, session=peer.tls.session), front_end(second)
    again.join(front)
    assert again.error is None
    assert front.facts is not None
    assert front.facts.resumed == again.tls.session_reused
    return front.facts.resumed


def key_of(octets: bytes) -> Secret:
    return Secret("data:" + base64.b64encode(octets).decode())


# --- mail_ssl_session_reuse.t ---

BUILTIN = {"ssl_session_cache": "stored", "ssl_session_cache_builtin_count": 1000}
SHARED = {"ssl_session_cache": "stored", "ssl_session_cache_shared_name": "SSL"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("settings", "resumed"),
    [
        ({}, True),
        (SHARED, True),
        ({**SHARED, "ssl_session_tickets": False}, True),
        ({**BUILTIN, "ssl_session_tickets": False}, True),
        ({**BUILTIN, **SHARED, "ssl_session_tickets": False}, True),
        ({"ssl_session_cache": "none", "ssl_session_tickets": False}, False),
        ({"ssl_session_cache": "off", "ssl_session_tickets": False}, False),
    ],
)
def test_what_is_resumed_as_in_nginx(
    settings: dict[str, Any], resumed: bool, version: ssl.TLSVersion
) -> None:
    context = front_context(**settings)
    assert resumes(context, context, client_context(version=version)) is resumed


@pytest.mark.parametrize("version", VERSIONS)
def test_a_shared_cache_is_shared_by_contexts(version: ssl.TLSVersion) -> None:
    memory = bytearray(65_536)
    settings = front_settings(**SHARED, ssl_session_tickets=False)

    def worker(zones: Mapping[str, Zone]) -> FrontContext:
        return FrontContext(settings, scope="block", protocol=Protocol.IMAP, zones=zones)

    first, second = worker({"SSL": Zone(memory)}), worker({"SSL": Zone(memory)})
    assert resumes(first, second, client_context(version=version))
    assert not resumes(first, worker({}), client_context(version=version))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_builtin_cache_is_not_shared(version: ssl.TLSVersion) -> None:
    settings: dict[str, Any] = {**BUILTIN, "ssl_session_tickets": False}
    client = client_context(version=version)
    assert not resumes(front_context(**settings), front_context(**settings), client)


# --- ticket keys ---


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("size", [48, 80])
def test_contexts_with_the_same_ticket_key_resume_each_other_s_sessions(
    size: int, version: ssl.TLSVersion
) -> None:
    key = key_of(os.urandom(size))
    first, second = (front_context(ssl_session_ticket_key=(key,)) for _ in range(2))
    assert resumes(first, second, client_context(version=version))


@pytest.mark.parametrize("version", VERSIONS)
def test_contexts_without_a_common_key_do_not(version: ssl.TLSVersion) -> None:
    client = client_context(version=version)
    assert not resumes(front_context(), front_context(), client)
    first, second = (
        front_context(ssl_session_ticket_key=(key_of(os.urandom(80)),)) for _ in range(2)
    )
    assert not resumes(first, second, client)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_key_still_decrypts_and_the_new_one_encrypts(version: ssl.TLSVersion) -> None:
    old, new = key_of(os.urandom(80)), key_of(os.urandom(48))
    before = front_context(ssl_session_ticket_key=(old,))
    rotated = front_context(ssl_session_ticket_key=(new, old))
    after = front_context(ssl_session_ticket_key=(new,))
    client = client_context(version=version)
    assert resumes(before, rotated, client)
    assert resumes(rotated, after, client)
    assert not resumes(before, after, client)


@pytest.mark.parametrize("version", VERSIONS)
def test_keys_derived_from_one_secret_last_two_epochs(version: ssl.TLSVersion) -> None:
    def at(epoch: int, secret: bytes = b"s" * 32) -> FrontContext:
        keys = TicketKeys(derived_keys(secret, epoch))
        settings = front_settings()
        return FrontContext(settings, scope="b", protocol=Protocol.IMAP, tickets=keys)

    client = client_context(version=version)
    assert resumes(at(7), at(7), client)
    assert resumes(at(7), at(8), client)
    assert not resumes(at(7), at(9), client)
    assert not resumes(at(7), at(7, b"t" * 32), client)


# --- never across server blocks (CVE-2025-23419, CVE-2014-3616) ---


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("scopes", "others"),
    [
        (("a", "b"), {}),
        (("a", "a"), {"ssl_verify_client": "optional_no_ca"}),
    ],
)
def test_a_session_of_one_block_is_not_resumed_in_another(
    scopes: tuple[str, str], others: dict[str, Any], version: ssl.TLSVersion
) -> None:
    memory, key = bytearray(65_536), key_of(os.urandom(80))
    for ways in ({"ssl_session_ticket_key": (key,)}, {**SHARED, "ssl_session_tickets": False}):
        first, second = (
            FrontContext(
                front_settings(**ways, **more),
                scope=scope,
                protocol=Protocol.IMAP,
                zones={"SSL": Zone(memory)},
            )
            for scope, more in zip(scopes, ({}, others), strict=True)
        )
        client = client_context(version=version)
        assert resumes(first, first, client)
        assert not resumes(first, second, client)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_bad_client_certificate_stays_bad_when_its_session_is_resumed(
    version: ssl.TLSVersion, tmp_path: Path
) -> None:
    for ways in ({}, {**BUILTIN, "ssl_session_tickets": False}):
        context = front_context(
            ssl_verify_client="optional",
            ssl_client_certificate="data:" + self_signed("authority").pem,
            **ways,
        )
        client = client_context(version=version, identity=(self_signed("joe"), tmp_path))
        peer, front = Client(context=client), front_end(context)
        peer.join(front)
        assert front.refusal
        peer.hear(front, b"* BYE SSL certificate error\r\n")
        again, front = Client(context=client, session=peer.tls.session), front_end(context)
        again.join(front)
        assert front.refusal


# --- time ---


@pytest.mark.parametrize("version", VERSIONS)
def test_the_lifetime_is_told_to_the_client(version: ssl.TLSVersion) -> None:
    context = front_context(ssl_session_timeout_ms=90_500)
    peer, front = Client(version=version), front_end(context)
    peer.join(front)
    peer.hear(front, b"* OK\r\n")
    assert peer.tls.session is not None
    assert peer.tls.session.ticket_lifetime_hint == 91


def test_a_session_is_not_resumed_after_its_time() -> None:
    context = front_context(**BUILTIN, ssl_session_tickets=False, ssl_session_timeout_ms=1_000)
    client = client_context(version=ssl.TLSVersion.TLSv1_2)
    peer = Client(context=client)
    peer.join(front_end(context))

    def resumed() -> bool:
        again = Client(context=client, session=peer.tls.session)
        again.join(front_end(context))
        return bool(again.tls.session_reused)

    assert resumed()
    eventually(lambda: not resumed(), "the session has expired")


# --- towards mail servers ---


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_sessions_with_mail_servers_are_resumed(protocol: str) -> None:
    front, back = front_context(ssl_protocols=(protocol,)), back_context()
    resumed = [joined(front, back)[1].facts.resumed for _ in range(3)]  # type: ignore[union-attr]
    assert resumed == [False, True, True]


def test_a_session_serves_until_a_newer_one_comes() -> None:
    # many logins at once, or a mail server that renews no tickets
    front, back = front_context(), back_context()
    joined(front, back)
    ends = [(front_end(front), back_end(back)) for _ in range(3)]
    for pair in ends:
        join(*pair)
    assert [end.facts.resumed for _, end in ends] == [True, True, True]  # type: ignore[union-attr]


def test_sessions_of_another_name_are_not() -> None:
    front, back = front_context(), back_context(proxy_ssl_verify=False)
    joined(front, back, "a.example.com")
    _, other = joined(front, back, "b.example.com")
    assert other.facts is not None
    assert not other.facts.resumed


def test_reuse_can_be_switched_off() -> None:
    front, back = front_context(), back_context(proxy_ssl_session_reuse=False)
    joined(front, back)
    _, second = joined(front, back)
    assert second.facts is not None
    assert not second.facts.resumed


def test_the_default_of_a_block_is_tickets_only() -> None:
    assert FrontTls().ssl_session_cache == "none"
    assert FrontTls().ssl_session_tickets


def test_a_context_that_goes_while_another_connection_runs_disturbs_nobody() -> None:
    context = front_context(
        ssl_session_cache="stored",
        ssl_session_cache_builtin_count=20,
        ssl_session_cache_shared_name="SSL",
        ssl_session_cache_shared_bytes=1 << 20,
        ssl_session_tickets=False,
    )
    peer = Client(context=client_context(version=ssl.TLSVersion.TLSv1_2))
    peer.join(front_end(context))
    running = back_end(back_context())
    exchange.begin(running)
    # OpenSSL tells of each session it had
    del context
    gc.collect()
    assert exchange.finish() == b""
