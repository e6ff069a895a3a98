"""What a node tells of its numbers: times as histograms, and quiet as no gap."""

from proxycore.contract.messages import Sessions, Stats
from proxycore.contract.stats import (
    AUTH_TIME,
    BACKEND_LOGIN_TIME,
    BACKEND_LOGINS,
    CONNECT_TIME,
    LOGIN_TIME,
    SERVER_WORKERS,
    observations,
    series,
)
from tests.link.conftest import ManagedNode, log_in
from tests.link.station import Station
from tests.link.test_sessions import serve


def test_the_times_of_a_login_and_its_mail_server_are_told(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    port, link = serve(station, node, auth_port)
    server = f"imap{port}"
    with log_in(port):
        opened = link.wait_for(Sessions, lambda message: message.opened).opened[0]
    counted = series(BACKEND_LOGINS, opened.backend)
    told = link.wait_for(Stats, lambda message: message.values.get(counted) == 1)
    assert told.values[series(SERVER_WORKERS, server, "imap")] >= 1
    for name in (
        series(AUTH_TIME, server),
        series(CONNECT_TIME, server),
        series(LOGIN_TIME, server),
        series(BACKEND_LOGIN_TIME, opened.backend),
    ):
        assert observations(told.histograms[name]) == 1, name
    assert told.uptime_s > 0
    assert told.age_s == 0


def test_numbers_that_do_not_change_are_told_again(
    station: Station, node: ManagedNode, auth_port: int
) -> None:
    _, link = serve(station, node, auth_port)
    first = link.wait_for(Stats, lambda message: message.values)
    again = link.wait_for(
        Stats,
        lambda message: message.seq > first.seq and message.values == first.values,
        within_s=20,
    )
    assert 4 < again.uptime_s - first.uptime_s < 20
