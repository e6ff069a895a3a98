"""Warnings before a certificate expires: at which days, how often, and when they are taken back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from appliance.alerts.models import Alert, Delivery, Recipient
from appliance.certs import expiry, making, services
from appliance.certs.models import Authority, Certificate
from appliance.certs.queries import Use, _finders, register_uses
from appliance.certs.services import Wanted

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        (365, {22: 0, 21: 1, 15: 1, 14: 2, 7: 3, 3: 4, 1: 5, 0: 6, -1: 6}),
        (90, {22: 0, 21: 1, 14: 2, 1: 5}),
        # renewed by itself with 15 and with two days left: a warning means that it was not
        (45, {15: 0, 14: 1, 7: 2, 3: 3, 1: 4, 0: 5}),
        (6, {3: 0, 2: 0, 1: 1, 0: 2}),
    ],
)
def test_the_level_rises_at_each_threshold(life: int, expected: dict[int, int]) -> None:
    end = START + timedelta(days=life)
    found = {left: expiry.level(START, end, end - timedelta(days=left)) for left in expected}
    assert found == expected


@pytest.fixture
def certificate(db: None) -> Iterator[Certificate]:
    made = services.make_self_signed("mail", ["mail.example.com"])
    register_uses("test", lambda: {made.pk: [Use("imap", "/imap/"), Use("imap", "/imap/")]})
    yield made
    _finders.pop("test")


def test_somebody_is_told_once_at_each_threshold(certificate: Certificate) -> None:
    Recipient.objects.create(name="on call", addresses=["a@example.com"], remind_h=0)
    end = certificate.not_after
    for hours in range(24 * 25, -24, -5):
        expiry.look(end - timedelta(hours=hours))
    told = Delivery.objects.order_by("pk").values_list("occasion", "severity", "level")
    assert list(told) == [
        ("raised", "warning", 1),
        ("worse", "warning", 2),
        ("worse", "critical", 3),
        ("worse", "critical", 4),
        ("worse", "critical", 5),
        ("worse", "critical", 6),
    ]
    first, last = Delivery.objects.earliest("pk"), Delivery.objects.latest("pk")
    assert "in 20 days. It is for mail.example.com. Used by imap." in first.text
    assert last.text.startswith("It expired on ")
    assert Alert.objects.get().url == f"/admin/certs/certificate/{certificate.pk}/change/"


def test_a_successor_takes_the_warning_back_at_once(certificate: Certificate) -> None:
    expiry.look(certificate.not_after - timedelta(days=2))
    material = making.self_signed(["mail.example.com"], timezone.now())
    services.save(certificate, material)
    alert = Alert.objects.get()
    assert not alert.is_open
    assert "successor is valid until" in alert.cleared_text


def test_what_is_renamed_deleted_or_unused_is_not_warned_of(certificate: Certificate) -> None:
    soon = certificate.not_after - timedelta(days=2)
    expiry.look(soon)
    certificate.name = "renamed"
    services.save(certificate)
    expiry.look(soon)
    assert [one.about for one in Alert.objects.filter(cleared_at=None)] == ["renamed"]
    register_uses("test", dict)
    expiry.look(soon)
    assert not Alert.objects.filter(cleared_at=None).exists()


@pytest.mark.django_db
def test_authorities_and_what_they_issue_are_watched_until_there_is_a_newer_one() -> None:
    authority = services.make_authority(Authority(name="Internal"), 3650)
    services.issue(authority, Wanted(["mx1.internal"], 100))
    expiry.look(timezone.now() + timedelta(days=95))
    assert [one.about for one in Alert.objects.all()] == ["mx1.internal of authority Internal"]
    services.issue(authority, Wanted(["mx1.internal"], 365))
    expiry.look(timezone.now() + timedelta(days=95))
    assert not Alert.objects.filter(cleared_at=None).exists()
    expiry.look(timezone.now() + timedelta(days=3645))
    assert "authority Internal" in {one.about for one in Alert.objects.filter(cleared_at=None)}
