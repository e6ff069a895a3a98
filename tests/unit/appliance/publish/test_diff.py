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
    Server,
    Snapshot,
)


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
