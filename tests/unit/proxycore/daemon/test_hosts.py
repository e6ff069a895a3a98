"""Names of sockets become addresses; what is wrong with one is said at its own setting."""

from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import AuthHttp, Listen, Server, Snapshot
from proxycore.daemon.hosts import locate

LOCAL = Listen(address="localhost", port=143, backlog=7)


def snapshot(*listens: Listen) -> Snapshot:
    server = Server(name="s", protocol=Protocol.IMAP, listens=listens, auth_http=AuthHttp(host="a"))
    return Snapshot(servers=(server,))


def test_a_snapshot_of_addresses_is_left_as_it_is() -> None:
    given = snapshot(Listen(port=1), Listen(address="::1", port=2), Listen(address="unix:/x"))
    assert locate(given).snapshot is given


def test_every_address_of_a_name_gets_a_socket_with_the_same_options() -> None:
    located = locate(snapshot(Listen(port=1), LOCAL, Listen(port=2)))
    assert located.problems == ()
    listens = located.snapshot.servers[0].listens
    assert {one.key for one in listens[1:-1]} <= {"127.0.0.1:143", "[::1]:143"}
    assert "127.0.0.1:143" in {one.key for one in listens}
    assert {one.backlog for one in listens[1:-1]} == {7}
    last = f"servers[0].listens[{len(listens) - 1}]"
    assert located.paths[last] == "servers[0].listens[2]"


def test_a_name_nobody_knows() -> None:
    located = locate(snapshot(Listen(port=1), Listen(address="nowhere.invalid", port=143)))
    assert [(p.path, p.message) for p in located.problems] == [
        (
            "servers[0].listens[1]",
            'host not found in "nowhere.invalid:143" of the "listen" directive',
        )
    ]


def test_a_name_of_an_address_that_is_named_itself() -> None:
    located = locate(snapshot(LOCAL, Listen(address="127.0.0.1", port=143)))
    assert [(p.path, p.message) for p in located.problems] == [
        ("servers[0].listens[0]", 'duplicate "127.0.0.1:143" address and port pair')
    ]
