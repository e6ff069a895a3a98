"""Tasks are hints with primary keys: what was lost is found, what is far away is left to beat."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from appliance.acme import tasks, wake
from appliance.acme.models import Account, Issuance, Order, Variant
from appliance.acme.services import issuances
from appliance.celery import app


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], Any]]:
    """What goes to the broker."""
    found: list[tuple[str, tuple[Any, ...], Any]] = []

    def note(name: str, args: Any = (), kwargs: Any = None, **options: Any) -> None:
        assert not kwargs
        found.append((name.rpartition(".")[2], tuple(args or ()), options.get("countdown")))

    monkeypatch.setattr(app, "send_task", note)
    for task in (tasks.advance, tasks.settle_account, tasks.ask_suggestion):
        name = task.name
        monkeypatch.setattr(
            task, "apply_async", lambda args=(), kw=None, name=name, **o: note(name, args, kw, **o)
        )
    return found


@pytest.fixture
def order(db: None) -> Order:
    account = Account.objects.create(name="ca", directory_url="https://ca", private_key="k")
    issuances.save(Issuance(account=account, name="mail", names=["mail.example.com"]))
    return Order.objects.get()


def test_what_is_due_is_gone_on_with(order: Order, sent: list[Any]) -> None:
    Account.objects.update(next_at=timezone.now())
    tasks.continue_due()
    account = Account.objects.get()
    assert sent == [("settle_account", (account.pk,), None), ("advance", (order.pk,), None)]


def test_what_somebody_is_at_or_is_not_due_is_left(order: Order, sent: list[Any]) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    Order.objects.update(held_until=soon)
    tasks.continue_due()
    Order.objects.update(held_until=None, next_at=soon)
    tasks.continue_due()
    assert sent == []
    Order.objects.update(held_until=timezone.now(), next_at=timezone.now())
    tasks.continue_due()
    assert len(sent) == 1


def test_a_step_sends_the_next_one_when_it_is_soon(order: Order, sent: list[Any]) -> None:
    # the account is not registered yet, so it waits
    tasks.advance(order.pk)
    ((name, arguments, countdown),) = sent
    assert (name, arguments) == ("advance", (order.pk,))
    assert 30 < countdown < 60


def test_what_comes_much_later_is_left_to_beat(sent: list[Any]) -> None:
    wake.again(tasks.advance, 1, timezone.now() + timedelta(hours=1))
    wake.again(tasks.advance, 1, None)
    assert sent == []


def test_without_a_broker_nothing_fails(
    order: Order, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(app, "send_task", refuse)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        wake.order(order.pk)
    assert callbacks


def test_who_is_to_be_asked_is_asked(order: Order, sent: list[Any]) -> None:
    now = timezone.now()
    Variant.objects.update(ask_at=now, not_after=now + timedelta(days=1))
    tasks.renew_due()
    assert ("ask_suggestion", (order.variant_id,), None) in sent
    Variant.objects.update(not_after=now)
    sent.clear()
    tasks.renew_due()
    assert not [name for name, *_ in sent if name == "ask_suggestion"]
