"""Limits on sessions before login, and that the counts are exact however a session leaves."""

import random
import socket

import pytest

from proxycore.contract.reasons import CloseReason
from proxycore.contract.snapshot import Process
from proxycore.contract.stats import SESSIONS_ACCEPTED, SESSIONS_CLOSED, series
from proxycore.net.prelogin import FAIR_SHARE, Gate, key_of
from tests.unit.proxycore.net.access_sink import records_of
from tests.unit.proxycore.net.house import House, Peer

OK, REFUSAL = b"HTTP/1.0 200 OK\r\nAuth-Status: OK\r\n", b"Auth-Status: no\r\n\r\n"


def limit(house: House, total: int = 0, each: int = 0, exempt: tuple[str, ...] = ()) -> None:
    process = Process(
        prelogin_sessions=total, prelogin_sessions_per_address=each, prelogin_exempt=exempt
    )
    house.engine._context.gate.configure(process)


def counts(house: House) -> dict[str, int]:
    """Give the counts by address, after making sure that they agree with the sessions."""
    context = house.engine._context
    found = context.gate.counts
    assert sum(found.values()) <= len(context.drivers)
    return found


def closed(house: House, reason: CloseReason) -> int:
    return house.engine.ledger.counts.get(series(SESSIONS_CLOSED, "main", reason.value), 0)


def gone(house: House) -> None:
    house.pump(lambda: house.engine.open_count == 0, "the sessions' end")
    assert counts(house) == {}


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix:", "unix:"),
    ],
)
def test_what_counts_as_one_client(address: str, key: str) -> None:
    assert key_of(address) == key


@pytest.mark.parametrize(
    ("protocol", "reply"),
    [
        ("imap", b"* BYE [UNAVAILABLE] Too many connections, try again later\r\n"),
        ("pop3", b"-ERR [SYS/TEMP] Too many connections, try again later\r\n"),
        ("smtp", b"421 4.7.0 Too many connections, try again later\r\n"),
    ],
)
def test_one_too_many_is_told_logged_counted_and_recorded(
    house: House, protocol: str, reply: bytes
) -> None:
    records = records_of(house)
    house.serve(protocol)
    limit(house, each=2)
    waiting = [house.client() for _ in range(2)]
    for _ in range(3):
        assert house.client(greeting=b"").expect_end() == reply
    assert closed(house, CloseReason.TOO_MANY_SESSIONS) == 3
    assert house.engine.ledger.counts[series(SESSIONS_ACCEPTED, "main")] == 5
    assert [record.reason for record in records.all()] == ["too_many_sessions"] * 3
    told = [level for level, text in house.log.lines if "too many sessions before login" in text]
    assert told == ["warn", "info", "info"]
    assert "limit reached (setting prelogin_sessions_per_address 2)" in house.log.text()
    assert house.engine.open_count == 2
    for client in waiting:
        client.close()
    gone(house)
    house.client()


def test_the_limit_in_all_counts_every_address(house: House) -> None:
    house.serve()
    limit(house, total=3)
    waiting = [house.client() for _ in range(3)]
    assert b"Too many" in house.client(greeting=b"").expect_end()
    assert "limit reached (setting prelogin_sessions 3)" in house.log.text()
    waiting[0].close()
    house.pump(lambda: house.engine.open_count == 2, "one session's end")
    house.client()


def test_200_connections_at_once_from_one_address(house: House) -> None:
    house.serve()
    limit(house, each=50)
    clients = [house.peer(socket.create_connection(house.address)) for _ in range(200)]
    house.pump(
        lambda: house.engine.ledger.counts[series(SESSIONS_ACCEPTED, "main")] == 200, "all of them"
    )
    assert counts(house) == {"127.0.0.1": 50}
    assert closed(house, CloseReason.TOO_MANY_SESSIONS) == 150
    for client in clients:
        client.close()
    gone(house)


def test_who_has_logged_in_does_not_count(house: House) -> None:
    house.serve()
    limit(house, each=1)
    for _ in range(3):
        house.login()
    assert counts(house) == {}
    house.client()
    assert counts(house) == {"127.0.0.1": 1}


def test_an_exempt_network_is_not_turned_away(house: House) -> None:
    house.serve()
    limit(house, total=1, each=1, exempt=("127.0.0.0/8",))
    for _ in range(5):
        house.client()
    assert counts(house) == {"127.0.0.1": 5}


def test_behind_a_trusted_proxy_clients_count_and_not_the_proxy(house: House) -> None:
    house.serve(proxied=True, set_real_ip_from=("127.0.0.1",))
    limit(house, each=2)

    def client(ip: str) -> Peer:
        peer = house.client(greeting=b"")
        return peer.send(b"PROXY TCP4 %b 192.0.2.9 4711 143\r\n" % ip.encode())

    silent = [house.client(greeting=b"") for _ in range(4)]
    house.idle()
    assert counts(house) == {}
    waiting = [client(f"192.0.2.{i // 2}") for i in range(8)]
    for peer in waiting:
        peer.expect(b"ready\r\n")
    assert counts(house) == {f"192.0.2.{i}": 2 for i in range(4)}
    assert b"Too many" in client("192.0.2.3").expect_end()
    client("192.0.2.200").expect(b"ready\r\n")
    for peer in (*silent, *waiting):
        peer.close()
    house.pump(lambda: house.engine.open_count == 1, "the others' end")
    assert counts(house) == {"192.0.2.200": 1}


def test_an_untrusted_peer_counts_itself_whatever_its_header_says(house: House) -> None:
    house.serve(proxied=True)
    limit(house, each=2)
    waiting = [house.client(greeting=b"") for _ in range(2)]
    house.idle()
    assert counts(house) == {"127.0.0.1": 2}
    assert b"Too many" in house.client(greeting=b"").expect_end()
    waiting[0].send(b"PROXY TCP4 192.0.2.1 192.0.2.9 4711 143\r\n").expect(b"ready\r\n")
    assert counts(house) == {"127.0.0.1": 2}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("proxied", [False, True])
def test_the_counts_are_exact_however_sessions_leave(
    house: House, seed: int, proxied: bool
) -> None:
    """Clients that do anything at any time; whatever is left at the end is nothing."""
    chance = random.Random(seed)
    trusted = ("127.0.0.1",) if seed % 2 else ()
    house.serve(proxied=proxied, set_real_ip_from=trusted, timeout_ms=300, max_errors=2)
    limit(house, total=25, each=9)
    clients: list[Peer] = []
    for _ in range(150):
        deed = chance.random()
        if deed < 0.4 or not clients:
            client = house.client(greeting=b"")
            if proxied and chance.random() < 0.8:
                ip = b"192.0.2.%d" % chance.randrange(4)
                client.send(chance.choice([b"PROXY TCP4 %b 192.0.2.9 4711 143\r\n" % ip, b"X\r\n"]))
            clients.append(client)
        elif deed < 0.6:
            clients.pop(chance.randrange(len(clients))).close()
        elif deed < 0.9:
            words = chance.choice([b"a1 LOGIN u p\r\n", b"a1 LOGOUT\r\n", b"x\r\n", b"x" * 9000])
            try:
                chance.choice(clients).send(words)
            except OSError:
                continue
        elif deed < 0.93:
            numbers = range(1, house.engine.newest + 1)
            house.engine.kick([f"boot.{number}" for number in chance.sample(numbers, 1)])
        elif deed < 0.95:
            house.engine.close_sessions(CloseReason.SHUTDOWN)
        _answer_auth(house, chance)
        house.idle(chance.randrange(4))
        assert max(counts(house).values(), default=0) <= 9
        assert len(house.engine._context.drivers) <= 25
    for client in clients:
        client.close()
    house.pump(lambda: house.engine.open_count == 0, "the sessions' end")
    assert counts(house) == {}
    assert house.engine._context.drivers == {}


def _answer_auth(house: House, chance: random.Random) -> None:
    """Answer one question in some way, if there is one."""
    try:
        sock = house.auth.accept()[0]
    except BlockingIOError:
        return
    port = house.mail.getsockname()[1]
    good = b"Auth-Server: 127.0.0.1\r\nAuth-Port: %d\r\n\r\n" % chance.choice([port, 1])
    answer = chance.choice([OK + good, b"HTTP/1.0 200 OK\r\n" + REFUSAL, b"nonsense\r\n\r\n", b""])
    with sock:
        sock.send(answer)


def test_a_reached_limit_is_news_again_after_the_address_was_gone() -> None:
    gate = Gate()
    gate.configure(Process(prelogin_sessions_per_address=1, prelogin_sessions=4))
    gate.count("192.0.2.1")
    found = gate.exceeded("192.0.2.1", 1)
    assert found == "prelogin_sessions_per_address 1"
    assert [gate.is_news("192.0.2.1", found, 1) for _ in range(2)] == [True, False]
    gate.release("192.0.2.1")
    gate.count("192.0.2.1")
    assert gate.is_news("192.0.2.1", found, 1)
    in_all = gate.exceeded("192.0.2.2", 4)
    assert in_all == "prelogin_sessions 4"
    assert [gate.is_news("192.0.2.2", in_all, waiting) for waiting in (4, 4, 2, 4)] == [
        True,
        False,
        True,
        False,
    ]


def test_every_way_a_session_ends_before_login_gives_its_place_back(house: House) -> None:
    """The machine decides about most reasons; here each of them is what closes a session."""
    house.serve()
    for reason in CloseReason:
        client = house.client()
        assert counts(house) == {"127.0.0.1": 1}
        (driver,) = house.engine._context.drivers.values()
        driver.stop(reason)
        client.expect_end()
        gone(house)
    assert house.engine.ledger.counts[series(SESSIONS_ACCEPTED, "main")] == len(CloseReason)


def test_without_a_number_an_address_has_its_fair_share_once_half_is_taken() -> None:
    gate = Gate()
    gate.configure(Process(prelogin_sessions=1000))
    for _ in range(FAIR_SHARE + 300):
        gate.count("192.0.2.1")
    gate.count("192.0.2.2")
    assert gate.exceeded("192.0.2.1", 499) == ""
    limit = gate.exceeded("192.0.2.1", 500)
    assert limit == "prelogin_sessions_per_address, 100 while others wait"
    assert gate.is_news("192.0.2.1", limit, 500)
    assert not gate.is_news("192.0.2.1", limit, 500)
    assert gate.exceeded("192.0.2.2", 999) == ""
    assert gate.exceeded("unix:", 999) == ""
