"""What a worker counts of logins, mail servers and the time they take."""

import pytest

from proxycore.contract import stats
from proxycore.contract.reasons import CloseReason
from proxycore.contract.stats import BOUNDS_S, HISTOGRAM_SIZE, observations, series
from proxycore.net import driver
from proxycore.net.ledger import MOST_BACKENDS, Ledger, Series, observe
from tests.unit.proxycore.net.house import House


def test_an_observation_is_in_the_bucket_whose_bound_it_does_not_exceed() -> None:
    times: list[float] = [0] * HISTOGRAM_SIZE
    for seconds in (0.0, BOUNDS_S[0], BOUNDS_S[0] * 1.01, BOUNDS_S[-1], BOUNDS_S[-1] + 1):
        observe(times, seconds)
    assert times[:2] == [2, 1]
    assert times[len(BOUNDS_S) - 1 : len(BOUNDS_S) + 1] == [1, 1]
    assert times[-1] == pytest.approx(BOUNDS_S[0] * 2.01 + 2 * BOUNDS_S[-1] + 1)


def test_a_way_counts_for_its_server_block_and_for_its_mail_server() -> None:
    ledger = Ledger("b")
    one, two = ledger.series("one"), ledger.series("two")
    one.way("a:143").logged_in(0.001, 0.02)
    two.way("a:143").logged_in(0.001, 0.02)
    two.way("b:143").failed(CloseReason.BACKEND_REFUSED)
    two.way("b:143").failed(CloseReason.BACKEND_REFUSED)
    counts, histograms = ledger.totals()
    assert counts[series(stats.BACKEND_LOGINS, "a:143")] == 2
    assert counts[series(stats.BACKEND_FAILURES, "b:143", "backend_refused")] == 2
    seen = {
        (stat.name, label): observations(histograms[series(stat, label)])
        for stat, label in (
            (stats.CONNECT_TIME, "one"),
            (stats.LOGIN_TIME, "two"),
            (stats.BACKEND_CONNECT_TIME, "a:143"),
            (stats.BACKEND_LOGIN_TIME, "b:143"),
        )
    }
    assert list(seen.values()) == [1, 1, 2, 0]
    assert histograms[series(stats.BACKEND_LOGIN_TIME, "a:143")][-1] == 40_000


def test_mail_servers_without_end_do_not_make_series_without_end() -> None:
    names = Series("one")
    ways = {names.way(f"192.0.2.1:{port}") for port in range(MOST_BACKENDS + 100)}
    assert len(ways) == MOST_BACKENDS + 1
    assert names.way("another:1").backend == stats.OTHER
    assert names.way("192.0.2.1:0").backend == "192.0.2.1:0"


def test_a_path_of_a_socket_is_made_a_label() -> None:
    way = Series("one").way("unix:/run/{mail},x=1")
    assert way.backend == "unix:/run/_mail__x_1"


def test_a_login_is_counted_with_its_times_and_its_octets(house: House) -> None:
    house.serve()
    _, mail = house.login()
    backend = f"127.0.0.1:{house.mail.getsockname()[1]}"
    ledger = house.engine.ledger
    gauges = ledger.gauges()
    assert gauges[series(stats.SERVER_WORKERS, "main", "imap")] == 1
    assert gauges[series(stats.SERVER_SESSIONS, "main")] == 1
    assert gauges[series(stats.BACKEND_SESSIONS, backend)] == 1
    mail.send(b"* BYE enough\r\n")
    mail.close()
    house.pump(lambda: house.engine.open_count == 0, "the end")
    counts, histograms = ledger.totals()
    assert counts[series(stats.BACKEND_LOGINS, backend)] == 1
    to_front = counts[series(stats.BACKEND_BYTES_TO_FRONT, backend)]
    assert to_front == counts[series(stats.BYTES_TO_FRONT, "main")] > 0
    for stat, label in (
        (stats.AUTH_TIME, "main"),
        (stats.CONNECT_TIME, "main"),
        (stats.LOGIN_TIME, "main"),
        (stats.BACKEND_CONNECT_TIME, backend),
        (stats.BACKEND_LOGIN_TIME, backend),
    ):
        assert observations(histograms[series(stat, label)]) == 1, stat.name
    assert ledger.gauges()[series(stats.BACKEND_SESSIONS, backend)] == 0


def test_a_login_that_fails_at_the_mail_server_is_counted_there(house: House) -> None:
    house.serve()
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\n")
    auth, _ = house.asked()
    auth.send(house.ok())
    mail = house.accept(house.mail)
    mail.send(b"* OK ready\r\n").expect(b"LOGIN")
    mail.close()
    house.pump(lambda: house.engine.open_count == 0, "the end")
    backend = f"127.0.0.1:{house.mail.getsockname()[1]}"
    counts, histograms = house.engine.ledger.totals()
    assert counts[series(stats.BACKEND_FAILURES, backend, "backend_closed")] == 1
    assert counts[series(stats.BACKEND_LOGINS, backend)] == 0
    assert observations(histograms[series(stats.BACKEND_CONNECT_TIME, backend)]) == 1
    assert observations(histograms[series(stats.BACKEND_LOGIN_TIME, backend)]) == 0


@pytest.mark.parametrize(("patience_s", "failures"), [(0.05, 1), (60.0, 0)])
def test_a_client_that_waited_for_the_mail_server_in_vain_is_counted_there(
    house: House, monkeypatch: pytest.MonkeyPatch, patience_s: float, failures: int
) -> None:
    monkeypatch.setattr(driver, "PATIENCE_S", patience_s)
    house.serve()
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\n")
    auth, _ = house.asked()
    auth.send(house.ok())
    house.accept(house.mail)
    begun = house.reactor.now
    house.pump(lambda: house.reactor.now > begun + 0.1, "a while")
    client.close()
    house.pump(lambda: house.engine.open_count == 0, "the end")
    backend = f"127.0.0.1:{house.mail.getsockname()[1]}"
    counts, _ = house.engine.ledger.totals()
    assert counts.get(series(stats.BACKEND_FAILURES, backend, "client_closed"), 0) == failures
