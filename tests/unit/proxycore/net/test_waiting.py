"""Surveys of the sessions that have not logged in, and turning an address away."""

import socket
from collections.abc import Callable
from contextlib import closing

import pytest

from proxycore.contract.messages import MOST_WAITING
from proxycore.contract.session import Standing, WaitingSession
from proxycore.contract.stats import SESSIONS_CLOSED, series
from proxycore.net import waiting
from proxycore.net.waiting import Surveyed
from tests.unit.proxycore.net.house import House, Peer


def survey(house: House, most: int = MOST_WAITING) -> Surveyed:
    """Ask, and wait for the answer."""
    answers: list[Surveyed] = []
    house.engine.survey(most, answers.append)
    assert not answers, "a survey does nothing in the round it is asked for"
    house.pump(lambda: answers, "the survey's answer")
    return answers[0]


def until(house: House, fits: Callable[[WaitingSession], bool]) -> WaitingSession:
    """Ask until there is a session like this, and give it."""

    def found() -> WaitingSession | None:
        return next((one for one in survey(house).sessions if fits(one)), None)

    session = house.pump(found, "a session as wanted")
    assert session is not None
    return session


def standing(house: House, wanted: Standing) -> WaitingSession:
    """Ask until a session stands there."""
    return until(house, lambda one: one.standing is wanted)


def turn_away(house: House, address: str) -> int:
    answers: list[int] = []
    house.engine.turn_away(address, answers.append)
    house.pump(lambda: answers, "that it is done")
    return answers[0]


def from_address(house: House, address: str) -> Peer:
    """Give a greeted client that comes from another address of this host."""
    sock = socket.socket()
    sock.bind((address, 0))
    sock.connect(house.address)
    client = house.peer(sock)
    client.expect(b"ready\r\n")
    return client


# --- where sessions stand ---


def test_nobody_waits(house: House) -> None:
    house.serve()
    assert survey(house) == Surveyed(by_standing={}, by_address={}, sessions=[])


def test_a_greeted_client_is_described(house: House) -> None:
    house.serve()
    client = house.client()
    (found,) = survey(house).sessions
    assert found == WaitingSession(
        session="boot.1",
        server="main",
        protocol="imap",
        client="127.0.0.1",
        client_port=client.sock.getsockname()[1],
        listen=house.key,
        standing=Standing.IDENTIFYING,
        age_s=found.age_s,
    )
    assert 0 <= found.age_s < 5


def test_an_smtp_greeting_that_is_held_back(house: House) -> None:
    house.serve("smtp", smtp_greeting_delay_ms=60_000)
    house.client(b"")
    assert standing(house, Standing.DELAYING).protocol == "smtp"


def test_a_login_on_its_way(house: House) -> None:
    house.serve()
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\n")
    auth, _ = house.asked()
    asked = standing(house, Standing.AUTHORISING)
    assert (asked.user, asked.backend) == ("alice", "")
    auth.send(house.ok())
    mail = house.accept(house.mail)
    assert standing(house, Standing.CONNECTING).user == "alice"
    mail.send(b"* OK ready\r\n").expect(b"\r\n")
    logging_in = standing(house, Standing.LOGGING_IN)
    port = house.mail.getsockname()[1]
    assert (logging_in.user, logging_in.backend) == ("alice", f"127.0.0.1:{port}")
    mail.send(b"a1 OK logged in\r\n")
    client.expect(b"a1 OK logged in\r\n")
    assert survey(house).sessions == []


def test_a_mail_server_that_does_not_answer_the_connection(house: House) -> None:
    house.serve()
    with closing(socket.socket()) as busy, closing(socket.socket()) as first:
        # a queue of one, and that one in it: the next connection stays without an answer
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        first.connect(busy.getsockname())
        port = busy.getsockname()[1]
        house.client().send(b"a1 LOGIN alice secret\r\n")
        auth, _ = house.asked()
        auth.send(b"HTTP/1.0 200 OK\r\n" + house.ok_at("127.0.0.1", port))
        assert standing(house, Standing.CONNECTING).backend == f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("status", "wanted"), [("no", Standing.REFUSING), ("WAIT", Standing.RETRYING)]
)
def test_what_the_auth_service_has_wait(house: House, status: str, wanted: Standing) -> None:
    house.serve()
    house.client().send(b"a1 LOGIN alice secret\r\n")
    auth, _ = house.asked()
    auth.send(f"HTTP/1.0 200 OK\r\nAuth-Status: {status}\r\nAuth-Wait: 60\r\n\r\n".encode())
    standing(house, wanted)


def test_a_proxy_header_that_does_not_come(house: House) -> None:
    house.serve(proxied=True)
    house.client(b"")
    found = standing(house, Standing.PROXY_HEADER)
    assert (found.client, found.user) == ("127.0.0.1", "")


def test_the_client_a_proxy_names_is_the_one_that_waits(house: House) -> None:
    house.serve(proxied=True, set_real_ip_from=("127.0.0.1",))
    client = house.client(b"")
    client.send(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 143\r\n").expect(b"ready\r\n")
    found = survey(house)
    assert [(one.client, one.client_port) for one in found.sessions] == [("192.0.2.7", 4711)]
    assert found.by_address == {"192.0.2.7": 1}


def test_a_client_that_does_not_take_its_last_reply(house: House) -> None:
    house.serve(max_errors=1)
    client = house.client()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    driver = house.engine._context.drivers[1]
    # a reply that no kernel takes at once stands for the many a client had before and did not read
    driver._front_out = b"* OK still here\r\n" * 1_000_000
    driver._flush_front()
    driver._remask_front()
    assert house.engine.kick(["boot.1"]) == 1
    assert survey(house).by_standing == {"closing": 1}
    assert house.engine.kick(["boot.1"]) == 1
    house.idle()
    assert survey(house).by_standing == {}


# --- many ---


def test_of_many_the_oldest_are_described_and_all_are_counted(house: House) -> None:
    house.serve()
    for _ in range(7):
        house.client()
    found = survey(house, most=3)
    assert found.by_standing == {"identifying": 7}
    assert found.by_address == {"127.0.0.1": 7}
    assert [one.session for one in found.sessions] == ["boot.1", "boot.2", "boot.3"]


def test_one_address_does_not_hide_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "FAIR_ROWS", 2)
    house.serve()
    for _ in range(6):
        from_address(house, "127.0.0.66")
    from_address(house, "127.0.0.77")
    found = survey(house, most=4)
    shown = [one.client for one in found.sessions]
    assert shown == ["127.0.0.66", "127.0.0.66", "127.0.0.77"]
    assert list(found.by_address.items()) == [("127.0.0.66", 6), ("127.0.0.77", 1)]
    # with room for all, all are shown
    assert len(survey(house, most=7).sessions) == 7


def test_a_survey_of_many_lets_others_go_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOKED_AT_PER_ROUND", 2)
    house.serve()
    for _ in range(9):
        house.client()
    answers: list[Surveyed] = []
    house.engine.survey(100, answers.append)
    rounds = 0
    while not answers:
        house.reactor.step(0)
        rounds += 1
        if rounds == 2:
            # one that has gone meanwhile is left out
            assert house.engine.kick(["boot.9"]) == 1
    assert rounds == 5
    assert len(answers[0].sessions) == 8


# --- turning away ---


def test_an_address_is_turned_away_and_no_other(house: House) -> None:
    house.serve()
    bad = [from_address(house, "127.0.0.66") for _ in range(3)]
    good = from_address(house, "127.0.0.77")
    assert turn_away(house, "127.0.0.66") == 3
    for client in bad:
        client.expect_end()
    assert survey(house).by_address == {"127.0.0.77": 1}
    good.send(b"a1 NOOP\r\n").expect(b"a1 OK")
    assert house.engine.ledger.counts[series(SESSIONS_CLOSED, "main", "kicked")] == 3


def test_who_has_logged_in_from_there_stays(house: House) -> None:
    house.serve()
    client, mail = house.login()
    assert turn_away(house, "127.0.0.1") == 0
    client.send(b"a2 NOOP\r\n")
    mail.expect(b"a2 NOOP\r\n")


def test_thousands_are_turned_away_a_few_at_a_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "ENDED_PER_ROUND", 2)
    house.serve()
    for _ in range(5):
        house.client()
    answers: list[int] = []
    house.engine.turn_away("127.0.0.1", answers.append)
    house.reactor.step(0)
    assert house.engine.open_count == 3
    assert not answers
    house.pump(lambda: answers, "that it is done")
    assert answers == [5]
    assert house.engine.open_count == 0
