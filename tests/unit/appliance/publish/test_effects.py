"""What publishing does on a node."""

from dataclasses import replace

from appliance.publish.effects import Block, Effects, Socket, effects
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import AuthHttp, Listen, Process, Server, Snapshot
from proxycore.contract.tls import DATA, Certificate, FrontTls
from tests.support.pki import Authority, Pair


def _server(name: str, *listens: Listen, front_tls: FrontTls | None = None) -> Server:
    return Server(
        name=name,
        protocol=Protocol.IMAP,
        listens=listens,
        auth_http=AuthHttp(host="192.0.2.44"),
        front_tls=front_tls or FrontTls(),
    )


def _on(port: int, address: str = "*") -> Listen:
    return Listen(address=address, port=port)


def _of(before: tuple[Server, ...], after: tuple[Server, ...]) -> Effects:
    return effects(Snapshot(servers=before), Snapshot(servers=after))


def test_sockets_are_opened_closed_and_kept() -> None:
    found = _of(
        (_server("a", _on(143)), _server("b", _on(144))),
        (_server("a", _on(143)), _server("b", _on(145))),
    )
    assert found.kept == (Socket("*:143", "a"),)
    assert found.closed == (Socket("*:144", "b"),)
    assert found.opened == (Socket("*:145", "b"),)
    assert found.blocks == (Block("changed", "b"),)
    assert found.untouched == 1


def test_an_address_that_a_wildcard_covers_is_no_socket_of_its_own() -> None:
    found = _of((), (_server("a", _on(143)), _server("b", _on(143, "192.0.2.1"))))
    assert found.opened == (Socket("*:143", "a, b"),)


def test_a_kept_socket_says_what_changes_about_it() -> None:
    found = _of((_server("a", _on(143)),), (_server("b", replace(_on(143), backlog=9)),))
    (kept,) = found.kept
    assert kept.note == "b, before a; its options change while it is open"
    assert found.blocks == (Block("added", "b"), Block("removed", "a"))


def test_a_node_that_runs_nothing_opens_everything() -> None:
    after = Snapshot(servers=(_server("a", _on(143)),))
    found = effects(Snapshot(), after)
    assert [one.key for one in found.opened] == ["*:143"]
    assert found.kept == found.closed == ()


def test_equal_snapshots_do_nothing() -> None:
    one = (_server("a", _on(143)),)
    assert not _of(one, one)
    assert effects(Snapshot(), Snapshot(process=Process(worker_processes=3))).is_process_changed


def _proof(pair: Pair) -> FrontTls:
    certificate = Certificate(
        ssl_certificate=f"{DATA}{pair.pem}",
        ssl_certificate_key=Secret(f"{DATA}{pair.key_pem}"),
    )
    return FrontTls(certificates=(certificate,))


def test_a_renewed_certificate_is_told_with_its_block() -> None:
    authority = Authority("Test Authority")
    old, new = (_proof(authority.issue("mail.example.org", days=days)) for days in (30, 60))
    listens = (replace(_on(993), ssl=True),)
    found = _of((_server("a", *listens, front_tls=old),), (_server("a", *listens, front_tls=new),))
    (change,) = found.certificates
    assert 'server block "a", certificate "mail.example.org' in str(change)
    assert "renewed" in str(change)
    assert found.opened == found.closed == ()
