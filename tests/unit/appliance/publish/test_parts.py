"""What nodes of a group are sent of a revision."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from appliance.publish.models import ConfigRevision
from appliance.publish.parts import digests, document_for, part_of, path_in_whole
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import (
    AuthHttp,
    AuthHttpHeader,
    Listen,
    Server,
    Snapshot,
    to_plain,
)
from proxycore.contract.tls import DATA, BackTls, Certificate, FrontTls
from tests.unit.proxycore.snapshots import grouped

GROUPS = ("", "a", "b", "c", "d")


def _server(name: str, *groups: str) -> Server:
    return Server(
        name=name,
        protocol=Protocol.IMAP,
        listens=(Listen(port=143),),
        auth_http=AuthHttp(host="127.0.0.1"),
        groups=groups,
    )


WHOLE = Snapshot(servers=(_server("first", "a"), _server("all"), _server("both", "a", "b")))


def test_a_part_has_the_blocks_of_its_group_and_those_for_every_node() -> None:
    names = {group: [one.name for one in part_of(WHOLE, group).servers] for group in GROUPS}
    assert names == {
        "": ["all"],
        "a": ["first", "all", "both"],
        "b": ["all", "both"],
        "c": ["all"],
        "d": ["all"],
    }


def test_parts_have_digests_of_their_own_where_there_are_any() -> None:
    found = digests(WHOLE)
    assert set(found) == {"", "a", "b"}
    assert len({*found.values(), WHOLE.digest()}) == 4
    assert digests(part_of(WHOLE, "a")) == {}


def test_a_revision_says_what_each_group_runs() -> None:
    found = digests(WHOLE)
    revision = ConfigRevision(digest=WHOLE.digest(), parts=found)
    assert revision.digest_for("a") == found["a"]
    assert revision.digest_for("c") == revision.digest_for("") == found[""]
    assert revision.group_of(found["b"]) == "b"
    # the whole is for nobody, so nobody runs it
    assert revision.group_of(WHOLE.digest()) is None
    plain = ConfigRevision(digest="of before there were groups")
    assert plain.digest_for("a") == plain.digest
    assert plain.group_of(plain.digest) == ""
    assert plain.group_of("another") is None


def test_what_a_node_says_of_its_part_is_found_in_the_whole() -> None:
    groups = [one.groups for one in WHOLE.servers]
    assert path_in_whole("servers[1].listens[0]", groups, "b") == "servers[2].listens[0]"
    assert path_in_whole("servers[1]", groups, "a") == "servers[1]"
    assert path_in_whole("servers[0].name", groups, "") == "servers[1].name"
    assert path_in_whole("process.user", groups, "b") == "process.user"
    assert path_in_whole("servers[7]", groups, "b") == "servers[7]"


@given(grouped(), st.sampled_from(GROUPS))
def test_a_stored_document_is_cut_as_a_snapshot_is(snapshot: Snapshot, group: str) -> None:
    document = document_for(to_plain(snapshot, reveal=True), group)
    part = part_of(snapshot, group)
    assert document == to_plain(part, reveal=True)
    revision = ConfigRevision(digest=snapshot.digest(), parts=digests(snapshot))
    assert revision.digest_for(group) == part.digest()


def _with_canary(server: Server) -> Server:
    """Put what only its nodes may know wherever a block has room for it."""
    text = f"canary-{server.name}!-{'.'.join(server.groups)}"
    return replace(
        server,
        auth_http=replace(
            server.auth_http, headers=(AuthHttpHeader(name="X", value=Secret(text)),)
        ),
        front_tls=FrontTls(
            certificates=(Certificate(ssl_certificate=text, ssl_certificate_key=Secret(text)),),
            ssl_session_ticket_key=(Secret(f"{DATA}{text}"),),
        ),
        back_tls=BackTls(proxy_ssl_certificate=text, proxy_ssl_certificate_key=Secret(text)),
    )


@given(grouped(), st.sampled_from(GROUPS))
def test_nothing_of_another_group_s_blocks_is_in_a_part(snapshot: Snapshot, group: str) -> None:
    whole = replace(snapshot, servers=tuple(map(_with_canary, snapshot.servers)))
    sent = json.dumps(document_for(to_plain(whole, reveal=True), group))
    for server in whole.servers:
        canary = json.dumps(server.auth_http.headers[0].value.reveal())[1:-1]
        is_own = not server.groups or group in server.groups
        assert (canary in sent) == is_own
    assert '"groups"' not in sent
