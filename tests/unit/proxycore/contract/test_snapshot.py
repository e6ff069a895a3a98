"""The configuration document: what it forbids, and its digest."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from proxycore.contract.codec import Invalid, decode
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import (
    FORMAT,
    AuthHttp,
    AuthHttpHeader,
    Listen,
    Process,
    Server,
    Snapshot,
    find_conflicts,
    from_plain,
    to_plain,
)
from tests.unit.proxycore.snapshots import snapshots

_AUTH = AuthHttp(host="127.0.0.1")


def server(name: str = "imap", *listens: Listen, **known: Any) -> Server:
    given_listens = listens or (Listen(port=143),)
    return Server(
        name=name, protocol=Protocol.IMAP, listens=given_listens, auth_http=_AUTH, **known
    )


def conflicts(*servers: Server) -> list[str]:
    return [str(problem) for problem in find_conflicts(Snapshot(servers=servers))]


@pytest.mark.parametrize(
    ("listen", "key"),
    [
        (Listen(port=143), "*:143"),
        (Listen(address="127.0.0.1", port=1), "127.0.0.1:1"),
        (Listen(address="::1", port=1), "[::1]:1"),
        (Listen(address="unix:/run/x"), "unix:/run/x"),
    ],
)
def test_a_socket_s_key_is_how_it_is_written(listen: Listen, key: str) -> None:
    assert listen.key == key


def test_blocks_that_share_nothing_have_no_conflict() -> None:
    assert conflicts(server(), server("b", Listen(port=993), Listen(address="::", port=143))) == []


def test_a_name_used_twice_is_a_conflict() -> None:
    assert conflicts(server(), server("imap", Listen(port=1))) == [
        'servers[1].name: "imap" is used by another block'
    ]


def test_a_block_without_sockets_is_a_conflict() -> None:
    assert conflicts(replace(server(), listens=())) == [
        "servers[0].listens: needs at least one socket"
    ]


def test_a_socket_named_twice_is_a_conflict() -> None:
    assert conflicts(server(), server("b", Listen(port=1), Listen(port=143, backlog=5))) == [
        'servers[1].listens[1]: duplicate "*:143" address and port pair'
    ]


@pytest.mark.parametrize(("wildcard", "one"), [("*", "127.0.0.1"), ("::", "::1")])
def test_a_wildcard_and_an_address_share_a_port(wildcard: str, one: str) -> None:
    first, second = Listen(address=one, port=143), Listen(address=wildcard, port=143)
    assert conflicts(server("a", first), server("b", second)) == []


@pytest.mark.parametrize(("one", "other"), [("*", "0.0.0.0"), ("::1", "0::0:1")])
def test_an_address_written_in_two_ways_is_one(one: str, other: str) -> None:
    first, second = Listen(address=one, port=143), Listen(address=other, port=143)
    (problem,) = conflicts(server("a", first), server("b", second))
    assert problem.endswith("address and port pair")


def test_from_plain_refuses_conflicts_as_it_does_bad_values() -> None:
    plain = to_plain(Snapshot(servers=(server(), server())))
    with pytest.raises(Invalid, match="is used by another block"):
        from_plain(plain)


def test_a_document_of_a_later_format_is_refused() -> None:
    with pytest.raises(Invalid, match=f"format: must be at most {FORMAT}"):
        from_plain({"format": FORMAT + 1})


@pytest.mark.parametrize(
    ("cls", "plain"),
    [
        (AuthHttp, {"host": "a\r\nX: y"}),
        (AuthHttp, {"host": "a b"}),
        (AuthHttp, {"host": ""}),
        (AuthHttp, {"host": "a", "uri": "/x y"}),
        (AuthHttp, {"host": "a", "uri": "/x\r\n"}),
        (AuthHttp, {"host": "a", "uri": ""}),
        (AuthHttpHeader, {"name": "a:b", "value": ""}),
        (AuthHttpHeader, {"name": "a", "value": "b\nc"}),
        (Listen, {"address": "[::1]"}),
        (Listen, {"address": "a b"}),
        (Listen, {"port": 65_536}),
        (Process, {"user": "a\nb"}),
        (Process, {"worker_connections": 0}),
    ],
)
def test_what_could_end_a_line_or_make_no_sense_is_refused(cls: type, plain: Any) -> None:
    with pytest.raises(Invalid):
        decode(cls, plain)


# --- digest -------------------------------------------------------------------------------------


@given(snapshots())
def test_the_digest_survives_the_way_through_json(snapshot: Snapshot) -> None:
    plain = json.loads(json.dumps(to_plain(snapshot, reveal=True)))
    assert from_plain(plain).digest() == snapshot.digest()


def test_every_change_changes_the_digest_a_secret_s_too() -> None:
    def with_key(value: str) -> Snapshot:
        header = AuthHttpHeader(name="K", value=Secret(value))
        return Snapshot(servers=(replace(server(), auth_http=replace(_AUTH, headers=(header,))),))

    documents = [
        Snapshot(),
        Snapshot(servers=(server(),)),
        Snapshot(servers=(server("b"),)),
        Snapshot(servers=(server(xclient=False),)),
        Snapshot(process=Process(worker_processes=2)),
        with_key("a"),
        with_key("b"),
    ]
    assert len({document.digest() for document in documents}) == len(documents)


def test_a_document_for_eyes_has_no_secret() -> None:
    header = AuthHttpHeader(name="K", value=Secret("hunter2"))
    snapshot = Snapshot(servers=(replace(server(), auth_http=replace(_AUTH, headers=(header,))),))
    assert "hunter2" not in json.dumps(to_plain(snapshot))
    assert "hunter2" in json.dumps(to_plain(snapshot, reveal=True))
