"""Records of what has ended: told in batches, again until they are taken, and then no more."""

from proxycore.contract.messages import Ack, Heartbeat, Records, RecordsTaken
from tests.link.conftest import ManagedNode, log_in, snapshot
from tests.link.station import Conversation, Station
from tests.support.authserver import AuthServer
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import Imap

CANARY = "canary-7f3a9"


def serve(station: Station, node: ManagedNode, auth_port: int) -> tuple[int, Conversation]:
    port, link = free_port(), station.conversation()
    link.apply(1, snapshot(node, port, auth_port=auth_port))
    link.wait_for(Ack)
    return port, link


def visit(port: int, login: str) -> None:
    """Log in and go."""
    with log_in(port, login):
        pass


def take(link: Conversation, records: Records) -> None:
    link.send(RecordsTaken(boot_id=records.boot_id, number=records.number))


def test_a_session_that_ended_is_told_with_all_its_facts(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port)
    with log_in(port) as session:
        assert session.ask("b NOOP") == b"b OK done\r\n"
        assert link.all(Records) == []
    (record,) = link.wait_for(Records).sessions
    assert (record["server"], record["login"], record["reason"]) == (f"imap{port}", "alice", "done")
    assert record["ms"]["relay"] is not None
    assert record["bytes_to_back"] == len(b"b NOOP\r\n")
    assert "secret" not in str(record)


def test_refused_logins_are_told_without_the_password(station: Station, node: ManagedNode) -> None:
    refusal = {"Auth-Status": "Not today"}
    with AuthServer(lambda asked: refusal) as auth:
        port, link = serve(station, node, auth.port)
        with Imap(port) as client:
            client.ask(f"a LOGIN mallory {CANARY}")
        logins = link.wait_for(Records, lambda told: told.logins).logins
        assert [(one["login"], one["text"], one["attempt"]) for one in logins] == [
            ("mallory", "Not today", 1)
        ]
        eventually(
            lambda: any(told.sessions for told in link.all(Records)) or take_all(link),
            "the session is told",
        )
        assert CANARY not in str(link.heard)


def take_all(link: Conversation) -> None:
    for told in link.all(Records):
        take(link, told)


def test_one_batch_is_under_way_and_the_link_stays_alive(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port)
    visit(port, "first")
    first = link.wait_for(Records)
    visit(port, "second")
    beats = len(link.all(Heartbeat))
    eventually(lambda: len(link.all(Heartbeat)) >= beats + 2, "heartbeats go on")
    assert link.all(Records) == [first]
    take(link, first)
    second = link.wait_for(Records, lambda told: told.number == first.number + 1)
    assert [record["login"] for record in second.sessions] == ["second"]


def test_what_was_not_taken_is_told_again_over_the_next_connection(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port)
    visit(port, "alice")
    told = link.wait_for(Records)
    station.stop()
    visit(port, "zoe")
    station.start()
    again = station.conversation(1)
    assert again.wait_for(Records) == told
    take(again, told)
    after = again.wait_for(Records, lambda other: other.number != told.number)
    assert [record["login"] for record in after.sessions] == ["zoe"]


def test_the_farewell_tells_what_is_left(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port)
    with log_in(port, "alice"):
        node.stop()
        assert link.ended.wait(10)
    reasons = [record["reason"] for told in link.all(Records) for record in told.sessions]
    assert reasons == ["shutdown"]


def test_an_answer_to_another_batch_takes_nothing(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port)
    visit(port, "alice")
    told = link.wait_for(Records)
    link.send(RecordsTaken(boot_id="other", number=told.number))
    link.send(RecordsTaken(boot_id=told.boot_id, number=told.number + 1))
    visit(port, "zoe")
    beats = len(link.all(Heartbeat))
    eventually(lambda: len(link.all(Heartbeat)) >= beats + 2, "heartbeats go on")
    assert len(link.all(Records)) == 1
