"""What follows from probes: rows, alerts, and where logins go."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from appliance.alerts import services as alerts
from appliance.alerts.models import Alert
from appliance.routing import queries as routing
from appliance.routing import services
from appliance.routing.choices import HealthState, HealthUse, HostHold, HostState, MatchKind
from appliance.routing.decide import Decision, DecisionInput, Hold, decide
from appliance.routing.health import alarms, policy, probe
from appliance.routing.health import services as health
from appliance.routing.health.models import HostHealth
from appliance.routing.models import MailHost, Route
from proxycore.contract.protocol import Protocol

NOW = timezone.now()
Tell = Callable[..., None]


@pytest.fixture
def tell() -> Tell:
    """Say that a round of probes found a mail host so."""
    clock = [NOW]

    def found(host: MailHost, good: bool, *, times: int = 1, address: str = "") -> None:
        for _ in range(times):
            clock[0] += timedelta(seconds=15)
            target = probe.Target(host.pk, Protocol.IMAP, address or host.address, 143, "off")
            one = probe.Found(target, 12 if good else None, "" if good else "connection refused")
            health.store(host, [one], clock[0])

    return found


@pytest.fixture
def spread(first_host: MailHost, second_host: MailHost) -> Route:
    """A route whose logins go to both mail hosts."""
    route = Route(mail_host=first_host, match=MatchKind.DEFAULT)
    return services.save_route(route, [second_host])


def _decide(login: str, protocol: Protocol = Protocol.IMAP) -> Decision:
    return decide(DecisionInput(protocol, login.encode()))


def _hosts(protocol: Protocol = Protocol.IMAP) -> set[str]:
    return {str(_decide(f"user{i}", protocol).host) for i in range(40)}


def _down(host: MailHost, tell: Tell) -> None:
    tell(host, True)
    tell(host, False, times=policy.DOWN_AFTER)


def test_what_was_found_is_written_down(first_host: MailHost, tell: Tell) -> None:
    tell(first_host, True)
    row = HostHealth.objects.get()
    assert (row.state, row.latency_ms, row.reason) == (HealthState.UP, 12, "")
    since = row.since
    tell(first_host, False, times=2)
    row.refresh_from_db()
    assert (row.state, row.since, row.reason) == (HealthState.UP, since, "connection refused")
    tell(first_host, False)
    row.refresh_from_db()
    assert row.state == HealthState.DOWN
    assert row.since == row.checked_at > since


def test_people_are_told_once_it_is_down_and_once_it_is_up(
    first_host: MailHost, spread: Route, tell: Tell
) -> None:
    tell(first_host, True)
    tell(first_host, False, times=2)
    assert not Alert.objects.exists()
    tell(first_host, False, times=5)
    alert = Alert.objects.get()
    assert (alert.kind, alert.about) == (alarms.DOWN, "mailhost01 IMAP")
    assert alert.severity == "critical"
    assert "connection refused" in alert.text
    tell(first_host, True)
    assert Alert.objects.get().cleared_at is None
    tell(first_host, True)
    assert Alert.objects.get().cleared_at is not None


def test_nobody_is_told_of_what_never_answered_or_was_set_down(
    first_host: MailHost, second_host: MailHost, tell: Tell
) -> None:
    services.save_route(Route(mail_host=first_host, match=MatchKind.DEFAULT), [second_host])
    tell(first_host, False, times=9)
    second_host.state = HostState.DOWN
    services.save_mail_host(second_host)
    _down(second_host, tell)
    assert not Alert.objects.exists()


def test_one_of_several_addresses_is_a_warning(
    first_host: MailHost, spread: Route, tell: Tell
) -> None:
    for good, times in ((True, 1), (False, policy.DOWN_AFTER)):
        for _ in range(times):
            pair = [
                probe.Found(probe.Target(first_host.pk, Protocol.IMAP, "192.0.2.1", 1, "off"), 5),
                probe.Found(
                    probe.Target(first_host.pk, Protocol.IMAP, "192.0.2.2", 1, "off"),
                    5 if good else None,
                    "no answer",
                ),
            ]
            health.store(first_host, pair, NOW)
    assert Alert.objects.get().severity == "warning"
    assert MailHost.objects.get(pk=first_host.pk).found_down == ""


def test_nobody_is_told_of_what_no_route_uses(first_host: MailHost, tell: Tell) -> None:
    route = Route(mail_host=first_host, match=MatchKind.DEFAULT, protocol="pop3")
    services.save_route(route)
    _down(first_host, tell)
    assert not Alert.objects.exists()
    route.protocol = "imap"
    services.save_route(route)
    tell(first_host, False)
    assert Alert.objects.get().severity == "critical"
    services.delete([route])
    tell(first_host, False)
    assert Alert.objects.get().cleared_text == "No route leads there any more."


def test_a_deleted_mail_host_leaves_no_alert_behind(
    first_host: MailHost, spread: Route, tell: Tell
) -> None:
    _down(first_host, tell)
    alerts.clear_orphans()
    assert Alert.objects.get().cleared_at is None
    services.delete([spread])
    services.delete([first_host])
    alerts.clear_orphans()
    assert "There is no mailhost01 IMAP any more" in Alert.objects.get().cleared_text


def test_what_an_alert_says_of_the_other_protocols(
    first_host: MailHost, spread: Route, tell: Tell
) -> None:
    def beside(state: str) -> list[probe.Found]:
        here = [probe.Target(first_host.pk, one, "192.0.2.1", 1, "off") for one in Protocol]
        return [
            probe.Found(one, 5 if one.protocol is Protocol.POP3 or state == "+" else None, "silent")
            for one in here
            if state == "+" or one.protocol is not Protocol.SMTP
        ] + [probe.Found(here[-1], None, "silent")] * (state != "+")

    health.store(first_host, [one for one in beside("+") if one.target.protocol != "smtp"], NOW)
    for _ in range(policy.DOWN_AFTER):
        health.store(first_host, beside("-"), NOW)
    text = Alert.objects.get().text
    assert "mailhost01 IMAP does not answer at 192.0.2.1 since" in text
    assert "The mail host otherwise: POP3 up in part; SMTP never answered." in text


def test_a_door_is_good_when_the_logins_of_every_server_block_get_through(
    first_host: MailHost,
) -> None:
    ways = [
        probe.Target(first_host.pk, Protocol.IMAP, "192.0.2.1", 1, "on", blocks=name)
        for name in ("inside", "outside")
    ]
    health.store(first_host, [probe.Found(one, number + 3) for number, one in enumerate(ways)], NOW)
    row = HostHealth.objects.get()
    assert (row.state, row.is_good, row.latency_ms) == (HealthState.UP, True, 4)
    health.store(
        first_host, [probe.Found(ways[0], 3), probe.Found(ways[1], None, "not pinned")], NOW
    )
    row.refresh_from_db()
    assert (row.is_good, row.in_a_row) == (False, 1)
    assert row.reason == "at server block outside: not pinned"
    # a name that only one of them can look up
    lost = replace(ways[1], address="mail.example.com")
    unknown = probe.Found(lost, None, "no such name", is_nameless=True)
    health.store(first_host, [probe.Found(ways[0], 3), unknown], NOW)
    row.refresh_from_db()
    assert (row.is_good, row.in_a_row) == (False, 2)
    assert row.reason == "at server block outside: no such name"


def test_observing_changes_no_decision(first_host: MailHost, spread: Route, tell: Tell) -> None:
    before = routing.generation()
    _down(first_host, tell)
    assert _hosts() == {"mailhost01", "mailhost02"}
    assert routing.generation() == before


def test_what_is_down_is_left_out_where_others_exist(
    first_host: MailHost, second_host: MailHost, spread: Route, tell: Tell
) -> None:
    first_host.use_health = HealthUse.AVOID
    services.save_mail_host(first_host)
    kept = {login for login in map(str, range(40)) if str(_decide(login).host) == "mailhost02"}
    before = routing.generation()
    _down(first_host, tell)
    assert _hosts() == {"mailhost02"}
    assert routing.generation() == before + 1
    assert all(str(_decide(login).host) == "mailhost02" for login in kept)
    # the other protocols were not found down
    assert _hosts(Protocol.POP3) == {"mailhost01", "mailhost02"}
    tell(first_host, True, times=policy.UP_AFTER)
    assert _hosts() == {"mailhost01", "mailhost02"}
    assert routing.generation() == before + 2


def test_a_mapped_user_never_falls_through(
    first_host: MailHost, second_host: MailHost, tell: Tell
) -> None:
    first_host.use_health = HealthUse.AVOID
    services.save_mail_host(first_host)
    services.save_route(Route(mail_host=first_host, match=MatchKind.USER, value="joe"))
    services.save_route(Route(mail_host=second_host, match=MatchKind.DEFAULT))
    _down(first_host, tell)
    decision = _decide("joe")
    assert decision.host == first_host
    # nodes try, and say that it is not available: probes alone refuse nobody
    assert decision.hold is None


def test_when_all_are_down_probes_are_not_believed(
    first_host: MailHost, second_host: MailHost, spread: Route, tell: Tell
) -> None:
    for host in (first_host, second_host):
        host.use_health = HealthUse.AVOID
        services.save_mail_host(host)
        _down(host, tell)
    assert _hosts() == {"mailhost01", "mailhost02"}


def test_logins_avoided_do_not_go_to_one_that_an_operator_set_down(
    first_host: MailHost, second_host: MailHost, spread: Route, tell: Tell
) -> None:
    first_host.use_health = HealthUse.AVOID
    services.save_mail_host(first_host)
    _down(first_host, tell)
    second_host.state = HostState.DOWN
    services.save_mail_host(second_host)
    assert _hosts() == {"mailhost01", "mailhost02"}


@pytest.mark.parametrize("hold", list(HostHold))
def test_logins_of_a_draining_host_are_held_as_chosen(first_host: MailHost, hold: HostHold) -> None:
    first_host.state, first_host.hold = HostState.DRAINING, hold
    services.save_mail_host(first_host)
    services.save_route(Route(mail_host=first_host, match=MatchKind.DEFAULT))
    assert _decide("joe").hold is Hold(hold)


def test_another_place_is_another_mail_host(first_host: MailHost, tell: Tell) -> None:
    _down(first_host, tell)
    stale = MailHost.objects.get(pk=first_host.pk)
    moved = MailHost.objects.get(pk=first_host.pk)
    moved.address = "192.0.2.99"
    services.save_mail_host(moved)
    assert not HostHealth.objects.exists()
    assert MailHost.objects.get(pk=first_host.pk).found_down == ""
    tell(stale, True)  # what was found at the old place
    assert not HostHealth.objects.exists()


def test_a_form_does_not_undo_what_probes_found(first_host: MailHost, tell: Tell) -> None:
    opened = MailHost.objects.get(pk=first_host.pk)
    _down(first_host, tell)
    opened.weight = 7
    services.save_mail_host(opened)
    assert MailHost.objects.get(pk=first_host.pk).found_down == "imap"


def test_addresses_a_name_no_longer_has_are_forgotten(first_host: MailHost, tell: Tell) -> None:
    tell(first_host, True, address="192.0.2.1")
    tell(first_host, True, address="192.0.2.2")
    assert [row.address for row in HostHealth.objects.all()] == ["192.0.2.2"]
    target = probe.Target(first_host.pk, Protocol.IMAP, "mail.example.com", 143, "off")
    lost = probe.Found(target, None, "cannot be looked up", is_nameless=True)
    health.store(first_host, [lost], NOW)
    row = HostHealth.objects.get()
    assert (row.address, row.reason) == ("192.0.2.2", "cannot be looked up")


def test_a_mail_host_is_taken_by_one_prober_and_comes_again(first_host: MailHost) -> None:
    later: datetime = NOW + health.EVERY
    assert not health.probe_due(NOW)
    assert MailHost.objects.get(pk=first_host.pk).probe_due_at == later
    assert health._claim(NOW) == []
    assert health._claim(later) == [first_host]


def test_one_that_is_not_probed_is_forgotten(
    first_host: MailHost, spread: Route, tell: Tell
) -> None:
    _down(first_host, tell)
    host = MailHost.objects.get(pk=first_host.pk)
    host.is_probed = False
    services.save_mail_host(host)
    health.forget_unprobed(NOW)
    assert not HostHealth.objects.exists()
    assert MailHost.objects.get(pk=first_host.pk).found_down == ""
    assert Alert.objects.get().cleared_at is not None
