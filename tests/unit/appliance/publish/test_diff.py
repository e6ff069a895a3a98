"""Differences between snapshots, in words."""

from dataclasses import replace
from typing import Any

from appliance.publish.diff import Change, compare
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import (
    AuthHttp,
    AuthHttpHeader,
    ErrorLog,
    Listen,
    Process,
    Resolver,
    Server,
    Snapshot,
)
from proxycore.contract.tls import DATA, BackTls, Certificate, FrontTls
from tests.support.pki import Authority, Pair


def _server(name: str = "imap", **changed: Any) -> Server:
    auth_http = AuthHttp(
        host="192.0.2.44", headers=(AuthHttpHeader(name="X-Key", value=Secret("one")),)
    )
    server = Server(
        name=name,
        protocol=Protocol.IMAP,
        listens=(Listen(address="*", port=143),),
        auth_http=auth_http,
    )
    return replace(server, **changed)


def _words(before: Server, after: Server) -> list[str]:
    return [str(one) for one in compare(Snapshot(servers=(before,)), Snapshot(servers=(after,)))]


def test_equal_snapshots_have_no_difference() -> None:
    snapshot = Snapshot(servers=(_server(),))
    assert compare(snapshot, replace(snapshot)) == []


def test_a_number_is_shown_with_its_unit() -> None:
    assert _words(_server(), _server(proxy_timeout_ms=1000, max_errors=9)) == [
        'server block "imap": max_errors changed from 5 to 9',
        'server block "imap": proxy_timeout_ms changed from 86400000 ms to 1000 ms',
    ]


def test_switches_words_and_protocols_read_as_an_operator_writes_them() -> None:
    after = _server(xclient=False, imap_auth=(), protocol=Protocol.SMTP)
    assert _words(_server(), after) == [
        'server block "imap": protocol changed from imap to smtp',
        'server block "imap": imap_auth changed from plain to nothing',
        'server block "imap": xclient changed from on to off',
    ]


def test_blocks_and_listeners_come_and_go() -> None:
    before = Snapshot(servers=(_server("a"), _server("b")))
    moved = _server("b", listens=(Listen(address="::1", port=143),))
    after = Snapshot(servers=(moved, _server("c")))
    assert [str(change) for change in compare(before, after)] == [
        'server block "a" removed',
        'server block "b", listener "*:143" removed',
        'server block "b", listener "[::1]:143" added',
        'server block "c" added',
    ]


def test_a_changed_secret_is_told_and_not_shown() -> None:
    headers = (AuthHttpHeader(name="X-Key", value=Secret("two")),)
    after = _server(auth_http=replace(_server().auth_http, headers=headers))
    assert _words(_server(), after) == [
        'server block "imap", auth_http_header "X-Key": value changed from ******** to ********'
    ]


def test_another_order_is_a_change() -> None:
    before = Snapshot(servers=(_server("a"), _server("b")))
    after = Snapshot(servers=before.servers[::-1])
    (change,) = compare(before, after)
    assert (change.kind, change.setting) == ("changed", "order of each server block")


def test_settings_of_the_whole_node_have_no_subject() -> None:
    process = Process(worker_processes=4, error_logs=(ErrorLog(target="stderr"),))
    assert [str(change) for change in compare(Snapshot(), Snapshot(process=process))] == [
        "worker_processes changed from 0 to 4",
        'error_log "stderr" added',
    ]


def test_a_change_of_the_whole_reads_well() -> None:
    assert str(Change("added", 'server block "imap"')) == 'server block "imap" added'


AUTHORITY = Authority("Test Authority")


def _with(*pairs: Pair) -> Server:
    certificates = tuple(
        Certificate(ssl_certificate=DATA + pair.pem, ssl_certificate_key=Secret(pair.key_pem))
        for pair in pairs
    )
    return _server(front_tls=FrontTls(certificates=certificates))


def test_a_certificate_comes_is_renewed_and_goes() -> None:
    old, new = (AUTHORITY.issue("mail.example.com", days=days) for days in (30, 90))
    rsa = AUTHORITY.issue("mail.example.com", kind="rsa")
    subject = 'server block "imap", certificate "mail.example.com (EC P-256)"'
    until, before = (f"{one.certificate.not_valid_after_utc:%Y-%m-%d}" for one in (new, old))
    assert _words(_with(), _with(old)) == [f"{subject}: added, valid until {before}"]
    assert _words(_with(old, rsa), _with(new, rsa)) == [
        f"{subject}: renewed: valid until {until}, before until {before}"
    ]
    assert _words(_with(new), _with(old)) == [
        f"{subject}: replaced by an older one: valid until {before}, before until {until}"
    ]
    assert _words(_with(old), _with()) == [f"{subject} removed"]


def test_no_key_and_no_long_text_is_shown() -> None:
    pair = AUTHORITY.issue("mail.example.com")
    other = replace(_with(pair).front_tls.certificates[0], ssl_certificate_key=Secret("other"))
    keys = FrontTls(certificates=(other,), ssl_session_ticket_key=(Secret("data:QUJD"),))
    after = _server(
        front_tls=replace(keys, ssl_client_certificate=DATA + AUTHORITY.pem),
        back_tls=BackTls(proxy_ssl_trusted_certificate=DATA + AUTHORITY.pem * 2),
    )
    assert _words(_with(pair), after) == [
        'server block "imap", certificate "mail.example.com (EC P-256)": key changed',
        'server block "imap": ssl_session_ticket_key changed from nothing to ********',
        'server block "imap": ssl_client_certificate changed from nothing'
        " to the certificate of Test Authority",
        'server block "imap": proxy_ssl_trusted_certificate changed from nothing to 2 certificates',
    ]


def test_two_of_a_name_are_both_told() -> None:
    twice = tuple(AUTHORITY.issue("mail.example.com") for _ in range(2))
    assert len(_words(_with(), _with(*twice))) == 2


def test_groups_of_a_block_are_named() -> None:
    after = _server(resolver=Resolver(addresses=("192.0.2.53",)))
    assert _words(_server(), after) == [
        'server block "imap": resolver addresses changed from nothing to 192.0.2.53'
    ]
