"""The configuration document: what it forbids, and its digest."""

import json
from dataclasses import replace
from time import process_time
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
from proxycore.contract.tls import Certificate, FrontTls
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


PAIR = Certificate(ssl_certificate="/c", ssl_certificate_key=Secret("/k"))
TLS: dict[str, Any] = {
    "listens": (Listen(port=993, ssl=True),),
    "front_tls": FrontTls(certificates=(PAIR,)),
}
TWICE = 'servers[1].listens[0]: duplicate "*:993" address and port pair'


def test_blocks_with_tls_share_a_socket_and_are_told_apart_by_name() -> None:
    default = replace(server("a"), **TLS)
    others = [replace(server(name), **TLS, server_names=(f"{name}.example",)) for name in "bc"]
    assert conflicts(default, *others) == []


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"server_names": ()}, ", and no server_name to tell the blocks apart by"),
        ({"server_names": ("x", "A.example")}, ', and server name "A.example" is in both blocks'),
        ({"protocol": Protocol.POP3}, ", with another protocol (imap, pop3)"),
        ({"listens": (Listen(port=993, ssl=True, bind=True),)}, ", with other options"),
        ({"listens": (Listen(port=993),)}, ""),
        ({"listens": (Listen(port=993, ssl=True),) * 2}, None),
    ],
)
def test_what_keeps_blocks_from_sharing_a_socket(changed: dict[str, Any], why: str | None) -> None:
    first = replace(server("a"), **TLS, server_names=("a.example",))
    second = replace(server("b"), **{**TLS, "server_names": ("b.example",), **changed})
    told = TWICE.replace("listens[0]", "listens[1]") if why is None else TWICE + why
    assert conflicts(first, second) == [told]


def test_ten_thousand_blocks_on_one_socket_are_compared_at_once() -> None:
    many = [replace(server(f"s{i}"), **TLS, server_names=(f"s{i}.example",)) for i in range(10_000)]
    before = process_time()
    assert conflicts(*many) == []
    assert process_time() - before < 2


def test_a_shared_cache_has_one_size() -> None:
    def sized(number: int, size: int) -> Server:
        tls = FrontTls(ssl_session_cache_shared_name="TLS", ssl_session_cache_shared_bytes=size)
        return server(f"s{number}", Listen(port=number), front_tls=tls)

    assert conflicts(sized(1, 40_000), sized(2, 40_000)) == []
    assert conflicts(sized(1, 40_000), sized(2, 40_001)) == [
        "servers[1].front_tls.ssl_session_cache_shared_bytes: the size 40001 of shared memory "
        'zone "TLS" conflicts with already declared size 40000'
    ]


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
