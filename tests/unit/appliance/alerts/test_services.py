"""Raising and clearing: who is told what, how often, and what is left of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from appliance.alerts import queries, sending, services
from appliance.alerts.models import Alert, Delivery, Recipient
from tests.support.webhooks import WebhookServer
from tests.unit.appliance.alerts.conftest import KIND

pytestmark = pytest.mark.django_db


def work() -> None:
    """Do what the workers would do now."""
    for pk in queries.due(timezone.now()):
        sending.attempt(pk)


def events(taker: WebhookServer) -> list[str]:
    work()
    return [one.document["event"] for one in taker.requests]


def later(**how_long: float) -> None:
    """Let time pass for everything that is stored."""
    shift = timedelta(**how_long)
    for delivery in Delivery.objects.all():
        delivery.created_at -= shift
        delivery.next_at -= shift
        delivery.save()
    for alert in Alert.objects.all():
        alert.since -= shift
        alert.cleared_at = alert.cleared_at and alert.cleared_at - shift
        alert.save()


def test_an_alert_is_told_once_however_often_it_is_raised(
    hook: Recipient, taker: WebhookServer
) -> None:
    for _ in range(3):
        services.raise_alert(KIND, "mx1", "It is down.")
    assert events(taker) == ["raised"]
    alert = Alert.objects.get()
    assert alert.told_at is not None
    said = taker.requests[0].document["alert"]
    assert (said["kind"], said["about"], said["text"]) == (KIND, "mx1", "It is down.")


def test_its_text_changes_without_a_word_and_its_severity_with_one(
    hook: Recipient, taker: WebhookServer
) -> None:
    services.raise_alert(KIND, "mx1", "It is slow.")
    services.raise_alert(KIND, "mx1", "It is very slow.")
    assert events(taker) == ["raised"]
    services.raise_alert(KIND, "mx1", "It is down.", severity="critical")
    services.raise_alert(KIND, "mx1", "It is slow.")
    assert events(taker) == ["raised", "worse"]
    assert (Alert.objects.get().text, Alert.objects.get().severity) == ("It is slow.", "warning")


def test_a_rising_level_is_told_within_the_same_severity(
    hook: Recipient, taker: WebhookServer
) -> None:
    for level in (1, 1, 2, 1):
        services.raise_alert(KIND, "mx1", f"Level {level}.", level=level)
        work()
    assert events(taker) == ["raised", "worse"]
    assert taker.requests[1].document["alert"]["text"] == "Level 2."


def test_who_was_told_is_told_that_it_is_over(hook: Recipient, taker: WebhookServer) -> None:
    services.clear_alert(KIND, "mx1")
    services.raise_alert(KIND, "mx1", "It is down.")
    assert events(taker) == ["raised"]
    services.clear_alert(KIND, "mx1", "It is back.")
    services.clear_alert(KIND, "mx1", "It is back.")
    assert events(taker) == ["raised", "cleared"]
    assert taker.requests[1].document["alert"]["text"] == "It is back."
    assert not queries.open_alerts().exists()


def test_what_is_over_before_anybody_was_told_is_not_told(
    hook: Recipient, taker: WebhookServer
) -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    services.clear_alert(KIND, "mx1")
    assert events(taker) == []
    assert Delivery.objects.get().state == "needless"


def test_what_comes_and_goes_is_told_once(hook: Recipient, taker: WebhookServer) -> None:
    for _ in range(5):
        services.raise_alert(KIND, "mx1", "It is down.")
        work()
        services.clear_alert(KIND, "mx1")
        work()
    assert events(taker) == ["raised", "cleared"]
    services.raise_alert(KIND, "mx1", "It is down.")
    assert Alert.objects.get().times == 6
    later(minutes=11)
    services.look(timezone.now())
    assert events(taker) == ["raised", "cleared", "raised"]


def test_it_is_told_again_while_it_lasts(hook: Recipient, taker: WebhookServer) -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    work()
    for _ in range(2):
        services.look(timezone.now())
    assert events(taker) == ["raised"]
    later(hours=25)
    for _ in range(2):
        services.look(timezone.now())
    assert events(taker) == ["raised", "reminder"]


def test_who_is_added_later_hears_of_what_is_wrong_already(
    hook: Recipient, taker: WebhookServer
) -> None:
    hook.enabled = False
    hook.save()
    services.raise_alert(KIND, "mx1", "It is down.")
    services.look(timezone.now())
    assert events(taker) == []
    hook.enabled = True
    hook.save()
    services.look(timezone.now())
    assert events(taker) == ["raised"]


def test_one_attempt_is_made_whoever_else_tries(hook: Recipient, taker: WebhookServer) -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    pk = Delivery.objects.get().pk
    for _ in range(3):
        sending.attempt(pk)
    assert len(taker.requests) == 1


def test_an_attempt_that_was_lost_with_its_worker_is_made_again(
    hook: Recipient, taker: WebhookServer
) -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    assert sending._claim(Delivery.objects.get().pk, timezone.now())
    assert events(taker) == []
    later(minutes=4)
    assert events(taker) == ["raised"]


def test_what_fails_is_tried_again_and_says_why(hook: Recipient, taker: WebhookServer) -> None:
    taker.status = 503
    services.raise_alert(KIND, "mx1", "It is down.")
    work()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("waiting", 1)
    assert delivery.last_error == "127.0.0.1 answers 503."
    assert [one.pk for one in queries.troubled()] == [delivery.pk]
    taker.status = 200
    later(minutes=2)
    work()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_error) == ("sent", "")
    assert len({one.document["id"] for one in taker.requests}) == 1
    assert queries.troubled() == []


def test_after_a_day_of_failing_it_is_given_up_and_begun_anew(
    hook: Recipient, taker: WebhookServer
) -> None:
    taker.status = 500
    services.raise_alert(KIND, "mx1", "It is down.")
    work()
    later(days=1, minutes=1)
    work()
    assert Delivery.objects.get().state == "failed"
    services.look(timezone.now())
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["failed", "waiting"]


def test_nothing_is_sent_before_the_commit_nor_after_a_rollback(
    hook: Recipient,
    taker: WebhookServer,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
        services.raise_alert(KIND, "mx1", "It is down.")
    assert len(callbacks) == 1
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        services.raise_alert(KIND, "mx2", str(1 // 0))
    assert Alert.objects.count() == 1


def test_two_are_open_for_two_things_and_one_for_one(hook: Recipient) -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    services.raise_alert(KIND, "mx2", "It is down.")
    with pytest.raises(IntegrityError):
        Alert.objects.create(kind=KIND, about="mx1", text="x", since=timezone.now())


def test_raising_again_what_is_so_costs_one_query(
    hook: Recipient, django_assert_num_queries: Callable[..., Any]
) -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    with django_assert_num_queries(1):
        services.raise_alert(KIND, "mx1", "It is down.")


def test_what_is_long_over_is_forgotten(hook: Recipient) -> None:
    services.raise_alert(KIND, "mx1", "It is down.")
    services.clear_alert(KIND, "mx1")
    services.raise_alert(KIND, "mx2", "It is down.")
    services.send_test(hook)
    later(days=181)
    services.tidy(timezone.now())
    assert [alert.about for alert in Alert.objects.all()] == ["mx2"]
    assert not Delivery.objects.filter(alert=None).exists()
