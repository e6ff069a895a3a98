"""Logins that break at a mail host, as nodes count them, are told until they come through."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from appliance.alerts.models import Alert
from appliance.routing import tasks
from appliance.routing.health import alarms
from appliance.routing.models import MailHost
from appliance.stats.levels import Level, floor
from appliance.stats.models import RollUp
from appliance.stats.numbers import Numbers

NOW = timezone.now()


def _counted(host: MailHost, logins: int, failures: dict[str, int], now: datetime = NOW) -> None:
    backend = f"{host.address}:143"
    counts = {f"backend_logins{{backend={backend}}}": logins} | {
        f"backend_failures{{backend={backend},reason={reason}}}": count
        for reason, count in failures.items()
    }
    RollUp.objects.all().delete()
    start = floor(Level.MINUTE, now - timedelta(minutes=1))
    RollUp.objects.create(
        level=Level.MINUTE, node=0, start=start, covered_ms=60_000, data=Numbers(counts).pack()
    )


def _open() -> list[str]:
    alarms.watch_logins(NOW)
    return list(Alert.objects.filter(cleared_at=None).values_list("about", flat=True))


def test_more_broken_than_good_is_told_until_it_is_over(first_host: MailHost) -> None:
    _counted(first_host, 20, {"backend_timeout": 15, "backend_refused": 6})
    assert _open() == ["mailhost01 IMAP"]
    alert = Alert.objects.get()
    assert alert.kind == alarms.FAILING
    assert alert.text.startswith("21 logins broke at mailhost01 IMAP, 192.168.1.22:143, in five")
    _counted(first_host, 21, {"backend_timeout": 21})
    assert _open() == []


@pytest.mark.parametrize(
    ("logins", "failures"),
    [
        (0, {"backend_timeout": alarms.LEAST - 1}),
        (0, {"backend_rejected": 1000}),
        (1000, {"backend_timeout": 999}),
    ],
)
def test_few_failures_and_wrong_passwords_are_none(
    first_host: MailHost, logins: int, failures: dict[str, int]
) -> None:
    _counted(first_host, logins, failures)
    assert _open() == []


def test_the_task_looks(first_host: MailHost) -> None:
    # by the real clock, which may be far from when the tests began
    _counted(first_host, 0, {"backend_timeout": alarms.LEAST}, timezone.now())
    tasks.watch_logins()
    assert Alert.objects.get().cleared_at is None
