"""A change of one account reaches the workers' caches, and leaves everybody else's answers."""

from dataclasses import replace

from proxycore.contract.messages import Ack, Heartbeat, Invalidate
from tests.link.conftest import ManagedNode, log_in, snapshot
from tests.link.station import Conversation, Station
from tests.support.authserver import AuthServer
from tests.support.ports import free_port
from tests.unit.proxycore.daemon.serve import Backend

_HOUR_MS = 3_600_000


def tell(link: Conversation, message: Invalidate) -> None:
    link.send(message)
    link.wait_for(Heartbeat, lambda beat: beat.generation == message.generation)


def test_only_the_logins_that_changed_are_asked_for_again(
    station: Station, node: ManagedNode
) -> None:
    port, link = free_port(), station.conversation()
    with Backend() as backend:
        found = {"Auth-Status": "OK", "Auth-Server": "127.0.0.1", "Auth-Port": str(backend.port)}
        with AuthServer(lambda asked: found) as auth:
            wanted = snapshot(node, port, auth_port=auth.port)
            (server,) = wanted.servers
            cached = replace(server.auth_http, cache_ttl_ms=_HOUR_MS)
            wanted = replace(wanted, servers=(replace(server, auth_http=cached),))
            link.apply(1, wanted)
            link.wait_for(Ack)
            tell(link, Invalidate(generation=41))

            def asked_for(*logins: str) -> list[str]:
                before = len(auth.asked)
                for login in logins:
                    log_in(port, login).__exit__()
                return [asked.login for asked in auth.asked[before:]]

            everybody = ("alice", "ALICE", "bob")
            assert asked_for(*everybody, *everybody) == [*everybody]
            tell(link, Invalidate(generation=42, since=41, logins=("alice",)))
            assert asked_for(*everybody) == ["alice", "ALICE"]
            # what is not understood as the next step forgets everything
            tell(link, Invalidate(generation=50, since=49, logins=("alice",)))
            assert asked_for(*everybody) == [*everybody]
            tell(link, Invalidate(generation=51))
            assert asked_for(*everybody) == [*everybody]
