"""Sessions that have not logged in: asked for over the link, and turned away by it."""

from contextlib import ExitStack
from dataclasses import replace

from proxycore.contract.messages import Ack, CommandResult, Kick, Survey, Waiting
from proxycore.contract.snapshot import Process
from tests.link.conftest import ManagedNode, log_in, snapshot
from tests.link.station import Conversation, Station
from tests.support.ports import free_port
from tests.support.talk import Imap


def serve(
    station: Station, node: ManagedNode, auth_port: int, workers: int = 1
) -> tuple[int, Conversation]:
    port, link = free_port(), station.conversation()
    wanted = snapshot(node, port, auth_port=auth_port)
    process: Process = replace(wanted.process, worker_processes=workers)
    link.apply(1, replace(wanted, process=process))
    link.wait_for(Ack)
    return port, link


def from_address(port: int, source: str) -> Imap:
    """Give a greeted client from this address of this host."""
    talk = Imap(port, source=source)
    assert talk.line().startswith("* OK")
    return talk


def survey(link: Conversation, number: int, most: int = 100) -> Waiting:
    link.send(Survey(number=number, most=most))
    return link.wait_for(Waiting, lambda message: message.number == number)


def test_who_waits_in_any_worker_is_told_and_who_has_logged_in_is_not(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port, workers=2)
    with ExitStack() as clients, log_in(port):
        sources = [f"127.0.0.{i}" for i in range(11, 19)]
        for source in sources:
            clients.enter_context(from_address(port, source))
        found = survey(link, 1)
        assert (found.total, found.mute, found.by_standing) == (8, 0, {"identifying": 8})
        assert found.by_address == dict.fromkeys(sources, 1)
        assert sorted(one.client for one in found.sessions) == sources
        ages = [one.age_s for one in found.sessions]
        assert ages == sorted(ages, reverse=True)
        assert survey(link, 2, most=3).total == 8
        assert len(link.all(Waiting)[-1].sessions) == 3


def test_one_is_disconnected_by_its_name(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port, workers=2)
    with from_address(port, "127.0.0.11") as ended, from_address(port, "127.0.0.12") as kept:
        named = {one.client: one.session for one in survey(link, 1).sessions}
        link.send(Kick(command="c1", sessions=(named["127.0.0.11"], "unknown.1", "")))
        assert link.wait_for(CommandResult).affected == 1
        assert ended.rest() == ""
        assert kept.ask("a NOOP").startswith("a OK")


def test_all_of_an_address_are_turned_away_in_every_worker(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port, workers=2)
    with ExitStack() as clients, log_in(port) as inside:
        bad = [clients.enter_context(from_address(port, "127.0.0.66")) for _ in range(30)]
        good = clients.enter_context(from_address(port, "127.0.0.77"))
        link.send(Kick(command="c1", sessions=(), waiting_from="127.0.0.66"))
        assert link.wait_for(CommandResult).affected == len(bad)
        for client in bad:
            assert client.rest() == ""
        assert good.ask("a NOOP").startswith("a OK")
        assert inside.ask("b NOOP") == b"b OK done\r\n"
        assert survey(link, 1).by_address == {"127.0.0.77": 1}
