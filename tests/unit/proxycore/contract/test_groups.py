"""Server blocks for groups of nodes: what may clash, and what digests say."""

import hashlib
import json
from dataclasses import replace

import pytest

from proxycore.contract.codec import Invalid, encode
from proxycore.contract.listen import Listen
from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import (
    AuthHttp,
    Server,
    Snapshot,
    find_conflicts,
    from_plain,
    groups_of,
    to_plain,
)
from proxycore.contract.tls import FrontTls


def server(name: str, *groups: str, protocol: Protocol = Protocol.IMAP, port: int = 143) -> Server:
    return Server(
        name=name,
        protocol=protocol,
        listens=(Listen(port=port),),
        auth_http=AuthHttp(host="127.0.0.1"),
        groups=groups,
    )


def conflicts(*servers: Server) -> list[str]:
    return [str(problem) for problem in find_conflicts(Snapshot(servers=servers))]


def test_blocks_of_other_groups_may_have_one_socket() -> None:
    assert conflicts(server("a", "dmz"), server("b", "inside", protocol=Protocol.SMTP)) == []


def test_blocks_of_one_group_may_not() -> None:
    assert conflicts(server("a", "dmz"), server("b", "inside", "dmz")) == [
        'servers[1].listens[0]: duplicate "*:143" address and port pair, on nodes of group dmz'
    ]


def test_a_block_for_every_node_clashes_with_those_of_each_group() -> None:
    clash = 'duplicate "*:143" address and port pair'
    assert conflicts(server("a"), server("b", "dmz"), server("c", "inside")) == [
        f"servers[1].listens[0]: {clash}, on nodes of group dmz",
        f"servers[2].listens[0]: {clash}, on nodes of group inside",
    ]
    assert conflicts(server("a", "dmz"), server("b")) == [
        f"servers[1].listens[0]: {clash}, on nodes of group dmz"
    ]
    assert conflicts(server("a"), server("b"), server("c", "dmz", port=1)) == [
        f"servers[1].listens[0]: {clash}"
    ]


def test_names_of_blocks_are_for_all_groups() -> None:
    assert conflicts(server("a", "dmz"), server("a", "inside")) == [
        'servers[1].name: "a" is used by another block'
    ]


def test_a_shared_cache_has_one_size_on_a_node() -> None:
    def caching(name: str, size: int, *groups: str, port: int) -> Server:
        front = FrontTls(
            ssl_session_cache_shared_name="common", ssl_session_cache_shared_bytes=size
        )
        return replace(server(name, *groups, port=port), front_tls=front)

    small, big = caching("a", 2**20, "dmz", port=1), caching("b", 2**21, "inside", port=2)
    assert conflicts(small, big) == []
    (told,) = conflicts(small, big, caching("c", 2**20, port=3))
    assert told.startswith("servers[2].front_tls.ssl_session_cache_shared_bytes: the size")


def test_a_group_that_nobody_could_have_made_is_refused() -> None:
    for name in ("", "two words", "-x", "a\n", "x" * 51):
        with pytest.raises(Invalid):
            from_plain(to_plain(Snapshot(servers=(server("a", name),))))


def test_groups_are_named_once_and_in_order() -> None:
    assert groups_of(Snapshot(servers=(server("a", "c", "a"), server("b"), server("d", "b")))) == (
        *("a", "b", "c"),
    )


def test_a_document_of_before_there_were_groups_has_the_digest_it_had() -> None:
    snapshot = Snapshot(servers=(server("a"),))
    plain = encode(snapshot, reveal=True)
    del plain["accepting"], plain["servers"][0]["groups"]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    assert snapshot.digest() == hashlib.sha256(text.encode()).hexdigest()
    assert to_plain(snapshot, reveal=True) == plain
    assert from_plain(plain) == snapshot


def test_the_groups_of_a_block_are_part_of_the_digest() -> None:
    one, other = Snapshot(servers=(server("a", "dmz"),)), Snapshot(servers=(server("a"),))
    assert one.digest() != other.digest()
    assert from_plain(to_plain(one, reveal=True)) == one
