"""One record per session, whatever became of it, and nothing in it that a peer can break."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.access import MOST_LOGIN_BYTES, AccessRecord
from proxycore.contract.authhttp import ProxyFacts
from proxycore.contract.reasons import CloseReason
from proxycore.net.access import Course, keep, write_record
from tests.unit.proxycore.net.access_sink import Records, read, read_refusal, records_of
from tests.unit.proxycore.net.house import House
from tests.unit.proxycore.net.house import house as built

REFUSAL = b"HTTP/1.0 200 OK\r\nAuth-Status: Invalid login\r\nAuth-Session: n-1\r\n\r\n"
CANARY = b"canary-7f3a9"


def ended(house: House, records: Records) -> AccessRecord:
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    return records.one()


def test_a_relayed_session(house: House) -> None:
    records = records_of(house)
    house.serve()
    before = datetime.now(UTC)
    client, mail = house.login()
    client.send(b"a2 NOOP\r\n")
    mail.expect(b"a2 NOOP\r\n")
    port = client.sock.getsockname()[1]
    assert records.lines == []
    client.close()
    mail.expect_end()
    mail.close()
    record = ended(house, records)
    assert record.time.endswith("Z")
    began = datetime.fromisoformat(record.time)
    assert abs((began - before).total_seconds()) < 10
    assert (record.session, record.server, record.protocol) == ("boot.1", "main", "imap")
    assert (record.listen, record.client, record.client_port) == (house.key, "127.0.0.1", port)
    assert (record.login, record.method, record.attempts) == ("alice", "plain", 1)
    assert not record.cached
    assert record.backend == f"127.0.0.1:{house.mail.getsockname()[1]}"
    assert (record.proxy, record.front_tls, record.back_tls) == (None, None, None)
    assert (record.bytes_to_back, record.reason, record.fault) == (9, "done", "")
    assert record.bytes_to_front == len(b"a1 OK logged in\r\n")
    phases = record.ms
    assert phases.tls is None
    parts = (phases.credentials, phases.auth, phases.connect, phases.login, phases.relay)
    assert all(part is not None and part >= 0 for part in parts)
    assert 0 <= phases.total - sum(part or 0 for part in parts) <= 5


def test_a_refused_login(house: House) -> None:
    records = records_of(house)
    house.serve()
    client = house.client()
    client.send(b"a1 LOGIN bob %b\r\n" % CANARY)
    house.asked()[0].send(REFUSAL)
    client.expect_end()
    record = ended(house, records)
    assert (record.reason, record.login, record.attempts) == ("login_failed", "bob", 1)
    assert record.auth_session == "n-1"
    assert (record.backend, record.ms.connect, record.ms.relay) == ("", None, None)
    assert record.ms.auth is not None


def test_a_live_session_tells_what_the_auth_service_calls_it(house: House) -> None:
    house.serve()
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\n")
    named = house.ok().replace(b"\r\n\r\n", b"\r\nAuth-Session: s-2\r\n\r\n")
    house.asked()[0].send(named)
    house.mail_login()
    client.expect(b"a1 OK logged in\r\n")
    (opened,), _, _ = house.engine.ledger.take_changes()
    assert opened.auth_session == "s-2"


def test_a_session_that_never_submitted_anything(house: House) -> None:
    records = records_of(house)
    house.serve()
    house.client().close()
    record = ended(house, records)
    assert (record.reason, record.login, record.method, record.attempts) == (
        "client_closed",
        "",
        "",
        0,
    )
    assert record.ms.credentials is None


def test_what_came_from_the_cache_is_said(house: House) -> None:
    records = records_of(house)
    house.serve(auth={"cache_ttl_ms": 60_000})
    for end in house.login():
        end.close()
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\n")
    house.mail_login().close()
    client.close()
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    assert [record.cached for record in records.all()] == [False, True]


def test_a_bad_proxy_header_and_a_good_one(house: House) -> None:
    records = records_of(house)
    house.serve(proxied=True, set_real_ip_from=("127.0.0.1",))
    house.client(greeting=b"").send(b"GET / HTTP/1.0\r\n\r\n").expect_end()
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    client = house.client(greeting=b"")
    client.send(b"PROXY TCP4 192.0.2.1 192.0.2.9 4711 143\r\n").expect(b"ready\r\n")
    port = client.sock.getsockname()[1]
    client.close()
    house.pump(lambda: house.engine.open_count == 0, "the session's end")
    bad, good = records.all()
    assert (bad.reason, bad.client, bad.proxy) == ("bad_proxy_header", "127.0.0.1", None)
    assert (good.reason, good.client, good.client_port) == ("client_closed", "192.0.2.1", 4711)
    assert good.proxy is not None
    assert (good.proxy.peer, good.proxy.peer_port) == ("127.0.0.1", port)
    assert (good.proxy.client, good.proxy.server, good.proxy.server_port) == (
        "192.0.2.1",
        "192.0.2.9",
        143,
    )


@pytest.mark.parametrize("logged_in", [True, False])
@pytest.mark.parametrize("reason", [CloseReason.KICKED, CloseReason.SHUTDOWN])
def test_sessions_that_are_ended_by_others(
    house: House, logged_in: bool, reason: CloseReason
) -> None:
    records = records_of(house)
    house.serve()
    if logged_in:
        house.login()
    else:
        house.client()
    if reason is CloseReason.KICKED:
        assert house.engine.kick(["boot.1"]) == 1
    else:
        assert house.engine.close_sessions(reason) == 1
    record = ended(house, records)
    assert record.reason == reason
    assert record.login == ("alice" if logged_in else "")


def test_no_password_is_ever_in_a_record(house: House) -> None:
    records = records_of(house)
    house.serve(auth={"cache_ttl_ms": 60_000})
    for line in (
        b"a1 LOGIN alice %b\r\n" % CANARY,
        b'a1 LOGIN {5}\r\n%b "%b"\r\n' % (b"alice", CANARY),
        b"a1 LOGIN %b\r\n" % CANARY,
        b"%b\r\n" % CANARY,
    ):
        client = house.client()
        client.send(line)
        house.idle()
        client.close()
        house.pump(lambda: house.engine.open_count == 0, "the session's end")
    assert len(records.lines) == 4
    assert CANARY.decode() not in "".join(records.lines)


def test_a_session_keeps_little_for_its_record() -> None:
    course = Course(1000.0, 0.0)
    assert keep(course, 1001.0, connecting=False).__sizeof__() <= 64


@pytest.mark.parametrize(
    ("login", "shown"),
    [
        (b"\x1b[31mred\x07", r"\x1B[31mred\x07"),
        (b'a"b\\c', 'a"b\\c'),
        (b"a\r\nb\x00", r"a\x0D\x0Ab\x00"),
        ("bidi\u202eabc\u2028".encode(), r"bidi\u202Eabc\u2028"),
        ("grün".encode(), "grün"),
        (b"\xff\xfe", r"\xff\xfe"),
        (b"x" * 1000, "x" * MOST_LOGIN_BYTES),
    ],
)
def test_a_login_is_shown_as_people_may_see_it(house: House, login: bytes, shown: str) -> None:
    records = records_of(house)
    house.serve()
    client = house.client()
    client.send(b"a1 LOGIN {%d}\r\n" % len(login))
    client.expect(b"+ ")
    client.send(login + b" {6}\r\n")
    house.idle()
    client.send(b"secret\r\n")
    if re.search(rb"[\r\n\0]", login):
        client.expect(b"a1 NO")
        client.close()
        assert ended(house, records).login == ""
        return
    house.asked()[0].send(REFUSAL)
    client.expect_end()
    assert ended(house, records).login == shown


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(
    login=st.binary(max_size=80),
    session=_TEXT,
    backend=_TEXT,
    ip=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    listen=_TEXT,
    client=_TEXT,
    method=st.sampled_from(["plain", "apop", "unheard-of", ""]),
    attempts=st.integers(0, 2**40),
    began_at=st.floats(0, 1e9),
    started_at=st.floats(0, 4e9),
    steps=st.lists(st.floats(0, 1e6), min_size=4, max_size=4),
    connecting=st.booleans(),
)
def test_whatever_is_in_it_a_record_is_one_line_of_json(
    login: bytes,
    session: str,
    backend: str,
    ip: str,
    listen: str,
    client: str,
    method: str,
    attempts: int,
    began_at: float,
    started_at: float,
    steps: list[float],
    connecting: bool,
) -> None:
    with built() as it:
        records = records_of(it)
        it.serve()
        block = it.engine._listeners[it.key].door.block
        course = Course(began_at, started_at)
        course.method, course.attempts, course.peer = method, attempts, (ip, 1)
        course.asked_at = began_at + steps[0]
        course.decided_at = course.asked_at + steps[1]
        course.connected_at = course.decided_at + steps[2] if connecting else 0.0
        now = began_at + sum(steps)
        it.reactor.now = now
        facts = ProxyFacts(client_ip=ip, client_port=2, server_ip=ip, server_port=3)
        kept = keep(course, now, connecting=connecting, proxy=facts)
        write_record(block, 1, listen, client, 9, login, session, backend, started_at, kept, "done")
        record = read(records.lines[0])
    assert record.auth_session == session
    assert record.listen == listen
    assert record.attempts == min(attempts, 65_535)


def test_each_refused_login_is_told_and_the_session_goes_on(house: House) -> None:
    records = records_of(house)
    house.serve(auth={"cache_ttl_ms": 60_000})
    client = house.client()
    wait = b"HTTP/1.0 200 OK\r\nAuth-Status: No\x1b, %b\r\nAuth-Wait: 1\r\n\r\n"
    client.send(b"a1 LOGIN alice %b\r\n" % CANARY)
    house.asked()[0].send(wait % b"alice")
    client.expect(b"a1 NO")
    port = client.sock.getsockname()[1]
    client.send(b"a2 LOGIN bob %b\r\n" % CANARY)
    house.asked()[0].send(wait % b"bob")
    client.expect(b"a2 NO")
    client.close()
    first, second = map(read_refusal, records.refusals)
    assert (first.session, first.server, first.protocol) == ("boot.1", "main", "imap")
    assert (first.listen, first.client, first.client_port) == (house.key, "127.0.0.1", port)
    assert (first.login, first.method, first.attempt, first.cached) == ("alice", "plain", 1, False)
    assert (first.text, first.tls) == ("No?, alice", "")
    assert (second.login, second.attempt, second.text) == ("bob", 2, "No?, bob")
    assert datetime.fromisoformat(first.time) <= datetime.fromisoformat(second.time)
    assert ended(house, records).attempts == 2
    assert CANARY.decode() not in "".join([*records.lines, *records.refusals])


def test_a_refusal_that_was_remembered_is_told_as_such(house: House) -> None:
    records = records_of(house)
    house.serve(auth={"cache_ttl_ms": 60_000})
    refusal = b"HTTP/1.0 200 OK\r\nAuth-Status: No\r\n\r\n"
    for number in (1, 2):
        client = house.client()
        client.send(b"a1 LOGIN bob wrong\r\n")
        if number == 1:
            house.asked()[0].send(refusal)
        client.expect_end()
    assert [read_refusal(line).cached for line in records.refusals] == [False, True]


def test_who_reads_no_refusals_is_told_none(house: House) -> None:
    records = records_of(house)
    records.wants_refusals = False
    house.serve()
    client = house.client()
    client.send(b"a1 LOGIN bob wrong\r\n")
    house.asked()[0].send(REFUSAL)
    client.expect_end()
    assert ended(house, records).reason == "login_failed"
    assert records.refusals == []


def test_a_login_that_the_auth_service_changed_is_told_as_it_was_sent(house: House) -> None:
    records = records_of(house)
    house.serve()
    client = house.client()
    client.send(b"a1 LOGIN alice@example.com secret\r\n")
    named = house.ok().replace(b"\r\n\r\n", b"\r\nAuth-User: alice\r\n\r\n")
    house.asked()[0].send(named)
    house.mail_login().close()
    client.close()
    record = ended(house, records)
    assert (record.login, record.submitted) == ("alice", "alice@example.com")
