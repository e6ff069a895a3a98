"""People are told when logins begin to fail, and when that is over."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.alerts.models import Alert
from appliance.stats import alarms
from appliance.stats.levels import Level
from appliance.stats.models import RollUp
from appliance.stats.numbers import Numbers

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def failed(minutes_ago: int, count: int, server: str = "imap") -> None:
    RollUp.objects.update_or_create(
        level=Level.MINUTE,
        start=NOW.replace(second=0) - timedelta(minutes=minutes_ago),
        node=0,
        defaults={
            "covered_ms": 60_000,
            "data": Numbers({f"login_failures{{server={server}}}": count}).pack(),
        },
    )


def open_alerts() -> list[str]:
    return [
        *Alert.objects.filter(kind=alarms.KIND, cleared_at=None).values_list("about", flat=True)
    ]


def test_many_more_than_usual_are_an_alert_until_it_is_over() -> None:
    for minute in range(7, 130):
        failed(minute, 2)
    for minute in range(2, 7):
        failed(minute, 20)
    alarms.watch_failures(NOW)
    assert open_alerts() == ["imap"]
    alert = Alert.objects.get()
    assert "100 logins failed at imap" in alert.text
    assert "only=imap" in alert.url
    alarms.watch_failures(NOW + timedelta(minutes=10))
    assert open_alerts() == []


def test_a_server_block_that_is_gone_leaves_no_alert_behind() -> None:
    failed(3, 60)
    alarms.watch_failures(NOW)
    RollUp.objects.all().delete()
    alarms.watch_failures(NOW + timedelta(hours=3))
    assert open_alerts() == []


def test_the_usual_and_the_few_are_none() -> None:
    for minute in range(2, 130):
        failed(minute, 100)
    alarms.watch_failures(NOW)
    assert open_alerts() == []
    RollUp.objects.all().delete()
    failed(3, 49)
    alarms.watch_failures(NOW)
    assert open_alerts() == []


def test_single_bad_spans_before_do_not_hide_an_attack() -> None:
    for minute in range(60, 90):
        failed(minute, 500)
    failed(3, 60)
    alarms.watch_failures(NOW)
    assert open_alerts() == ["imap"]


def test_it_can_be_turned_off(settings) -> None:
    settings.LOGIN_ALARM_LEAST = 0
    failed(3, 6000)
    alarms.watch_failures(NOW)
    assert open_alerts() == []


def test_failed_logins_are_refused_ones_and_those_that_came_to_nothing() -> None:
    numbers = Numbers(
        {
            "login_failures{server=a}": 1,
            "sessions_closed{server=a,reason=login_failed}": 10,
            "sessions_closed{server=a,reason=backend_refused}": 100,
            "sessions_closed{server=a,reason=done}": 1000,
            "logins{server=a}": 10_000,
        }
    )
    assert alarms.failed_logins(numbers) == {"a": 101}
