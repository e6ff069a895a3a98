"""Live sessions and numbers, as the appliance hears of them; and the orders about sessions."""

import os
import signal

from proxycore.contract.messages import Ack, CommandResult, Hello, Kick, Sessions, Stats
from tests.link.conftest import ManagedNode, log_in, snapshot
from tests.link.station import Conversation, Station
from tests.support.ports import free_port
from tests.support.wait import eventually


def users(link: Conversation) -> dict[str, str]:
    """What somebody knows who has heard every message of this conversation."""
    known: dict[str, str] = {}
    for message in link.all(Sessions):
        if message.full:
            known.clear()
        known.update((record.session, record.user) for record in message.opened)
        for session in message.closed:
            known.pop(session)
    return known


def totals(link: Conversation) -> dict[str, int]:
    return link.all(Stats)[-1].values


def serve(station: Station, node: ManagedNode, auth_port: int) -> tuple[int, Conversation]:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port, auth_port=auth_port))
    link.wait_for(Ack)
    return port, link


def test_sessions_come_move_and_go(station: Station, node: ManagedNode, auth_port: int) -> None:
    port, link = serve(station, node, auth_port)
    assert link.wait_for(Sessions).full
    with log_in(port) as session:
        opened = link.wait_for(Sessions, lambda message: message.opened).opened[0]
        assert (opened.user, opened.client, opened.listen) == (
            "alice",
            "127.0.0.1",
            f"127.0.0.1:{port}",
        )
        assert session.ask("b NOOP") == b"b OK done\r\n"
        link.wait_for(Sessions, lambda message: message.counted)
    link.wait_for(Sessions, lambda message: message.closed == (opened.session,))
    eventually(lambda: totals(link).get(f"logins{{server=imap{port}}}") == 1, "it is counted")


def test_a_new_connection_hears_every_session(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port)
    with log_in(port, "alice"), log_in(port, "zoe"):
        eventually(lambda: sorted(users(link).values()) == ["alice", "zoe"], "both are known")
        station.stop()
        with log_in(port, "carol"):
            station.start()
            again = station.conversation(1)
            eventually(lambda: len(users(again)) == 3, "all three are known")
            assert again.wait_for(Sessions).full
            assert users(again).items() >= users(link).items()


def test_a_kicked_session_ends_and_others_do_not(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port)
    with log_in(port, "alice") as alice, log_in(port, "zoe") as zoe:
        eventually(lambda: len(users(link)) == 2, "both are known")
        (target,) = (session for session, user in users(link).items() if user == "alice")
        link.send(Kick(command="c1", sessions=(target, "unknown.1")))
        result = link.wait_for(CommandResult)
        assert (result.command, result.affected) == ("c1", 1)
        assert alice.rest() == b""
        assert zoe.ask("b NOOP") == b"b OK done\r\n"
        eventually(lambda: list(users(link).values()) == ["zoe"], "the list shows it")
    kicked = f"sessions_closed{{server=imap{port},reason=kicked}}"
    eventually(lambda: totals(link).get(kicked) == 1, "it is counted with its reason")


def test_a_dead_worker_closes_its_sessions_and_keeps_the_totals(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port)
    with log_in(port):
        eventually(lambda: len(users(link)) == 1, "it is known")
        (worker,) = node.workers()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: users(link) == {}, "it is closed")
        lost = f"sessions_closed{{server=imap{port},reason=worker_lost}}"
        eventually(lambda: totals(link).get(lost) == 1, "it is counted as lost")
    with log_in(port):
        eventually(lambda: totals(link)[f"logins{{server=imap{port}}}"] == 2, "totals go on")


def test_the_last_report_balances(station: Station, node: ManagedNode, auth_port: int) -> None:
    port, link = serve(station, node, auth_port)
    with log_in(port):
        eventually(lambda: len(users(link)) == 1, "it is known")
        assert node.stop() == 0
    assert link.ended.wait(5)
    values = totals(link)
    assert values[f"sessions_accepted{{server=imap{port}}}"] == 1
    assert values[f"sessions_closed{{server=imap{port},reason=shutdown}}"] == 1
    assert users(link) == {}


def test_every_start_has_its_own_boot_id(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    link = station.conversation()
    first = link.wait_for(Hello).boot_id
    node.stop()
    node.launch_only()
    assert station.conversation(1).wait_for(Hello).boot_id != first
