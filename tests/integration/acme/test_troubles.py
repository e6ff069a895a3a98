"""What goes wrong at a CA ends in a certificate or in a reason, in the CA's own words.

Pebble has no rate limits and never closes an order: a doorman in front of it says what it does not.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from appliance.acme import queries
from appliance.acme.choices import OrderState
from appliance.acme.models import Account, Order
from appliance.acme.services import issuances, lease, orders, renewals
from appliance.certs.models import Certificate
from tests.support.acme import (
    issuance_for,
    issued,
    leaf,
    led_on,
    open_order,
    registered,
    renewed,
    step,
)
from tests.support.acme_doorman import Doorman, Refusal
from tests.support.pebble import Pebble

URN = "urn:ietf:params:acme:error:"


@pytest.fixture
def doorman(pebble: Pebble) -> Iterator[Doorman]:
    """Between the appliance and Pebble."""
    with Doorman(pebble) as man:
        yield man


@pytest.fixture
def watched(answering: None, doorman: Doorman) -> Account:
    """An account at the doorman's."""
    return registered(doorman)


def test_a_proof_that_is_not_found_fails_with_the_words_of_the_ca(db: None, pebble: Pebble) -> None:
    # nobody answers on the port where the CA looks
    issuance = issuance_for(registered(pebble), "mail.example.com")
    variant = issuance.variants.get()
    order = led_on(open_order(variant))
    assert order.state == OrderState.FAILED
    assert order.problem["kind"] == "connection"
    assert "mail.example.com" in order.problem["words"]
    assert "port 80" in order.problem["advice"]
    variant.refresh_from_db()
    assert variant.failures == 1
    assert not Certificate.objects.exists()
    assert queries.pending_answers() == {}
    # not at once again, but by itself
    assert renewals.begin_due() == 0
    assert variant.try_at is not None
    assert renewals.begin_due(variant.try_at) == 1


def test_waiting_after_failures_grows_to_a_day(db: None, pebble: Pebble) -> None:
    issuance = issuance_for(registered(pebble), "mail.example.com")
    variant = issuance.variants.get()
    waits = []
    for failures in (0, 1, 9):
        type(variant).objects.filter(pk=variant.pk).update(failures=failures)
        led_on(open_order(variant))
        variant.refresh_from_db()
        assert variant.try_at is not None
        waits.append(variant.try_at - timezone.now())
        issuances.order_now(issuance)
    assert timedelta(minutes=9) < waits[0] < timedelta(minutes=13)
    assert waits[0] < waits[1] < waits[2] < timedelta(hours=31)


def test_a_rate_limit_is_waited_for_as_long_as_the_ca_says(
    watched: Account, doorman: Doorman
) -> None:
    said = "too many certificates (5) already issued for this exact set of identifiers"
    document = {"type": f"{URN}rateLimited", "detail": said}
    doorman.refusals = [Refusal("/order-plz", 429, document, {"Retry-After": "86400"})]
    order = open_order(issuance_for(watched, "mail.example.com").variants.get())
    step(order)
    assert order.state == OrderState.WANTED
    assert order.problem["words"] == said
    assert "staging" in order.problem["advice"]
    assert order.next_at is not None
    assert order.next_at > timezone.now() + timedelta(hours=23)
    assert orders.advance(order.pk) is None
    orders.hurry(order, timezone.now())
    led_on(order)
    assert order.state == OrderState.DONE
    assert order.problem == {}


def test_the_ca_in_trouble_is_asked_again(watched: Account, doorman: Doorman) -> None:
    doorman.refusals = [
        Refusal("/order-plz", 503, {}, {"Retry-After": "120"}),
        Refusal("/finalize-order", 500, {"type": f"{URN}serverInternal", "detail": "oops"}),
    ]
    order = open_order(issuance_for(watched, "mail.example.com").variants.get())
    step(order)
    assert order.next_at is not None
    assert timedelta(seconds=100) < order.next_at - timezone.now() < timedelta(seconds=121)
    assert led_on(order).state == OrderState.DONE


def test_an_order_that_the_ca_has_closed_is_followed_by_another(
    watched: Account, doorman: Doorman
) -> None:
    variant = issuance_for(watched, "mail.example.com").variants.get()
    order = led_on(open_order(variant), until=lambda one: one.state == OrderState.READY)
    document = {"type": f"{URN}malformed", "detail": "order not found"}
    doorman.refusals = [Refusal("/my-order", 404, document)]
    led_on(order)
    assert order.state == OrderState.FAILED
    assert order.problem["words"] == "order not found"
    variant.refresh_from_db()
    assert variant.try_at is not None
    assert renewals.begin_due(variant.try_at) == 1
    assert led_on(open_order(variant)).state == OrderState.DONE


def test_an_order_that_has_expired_is_not_asked_about(watched: Account, doorman: Doorman) -> None:
    variant = issuance_for(watched, "mail.example.com").variants.get()
    order = led_on(open_order(variant), until=lambda one: one.state == OrderState.PREPARED)
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now())
    asked = len(doorman.seen)
    led_on(order)
    assert order.state == OrderState.FAILED
    assert order.problem["kind"] == "expired"
    assert "expired" in order.problem["words"]
    assert len(doorman.seen) == asked


@pytest.mark.parametrize("path", ["/order-plz", "/chalZ/", "/finalize-order/", "/certZ/"])
def test_an_answer_that_is_lost_is_read_again(
    watched: Account, doorman: Doorman, path: str
) -> None:
    doorman.lost = [path]
    issuance = issuance_for(watched, "mail.example.com")
    (variant,) = issued(issuance)
    assert doorman.lost == []
    assert leaf(variant)
    order = Order.objects.get()
    assert any(one.words for one in order.steps.all())


def test_a_name_that_the_ca_rejects_waits_for_somebody(watched: Account, doorman: Doorman) -> None:
    document = {
        "type": f"{URN}compound",
        "detail": "errors",
        "subproblems": [
            {
                "type": f"{URN}rejectedIdentifier",
                "detail": "policy forbids it",
                "identifier": {"type": "dns", "value": "mail.example.com"},
            }
        ],
    }
    doorman.refusals = [Refusal("/order-plz", 403, document)]
    variant = issuance_for(watched, "mail.example.com").variants.get()
    order = led_on(open_order(variant))
    assert order.state == OrderState.FAILED
    assert "mail.example.com: policy forbids it" in order.problem["words"]
    variant.refresh_from_db()
    assert variant.try_at is not None
    assert variant.try_at > timezone.now() + timedelta(hours=23)


def test_the_ca_says_when_to_renew_and_is_told_what_is_replaced(
    watched: Account, doorman: Doorman
) -> None:
    start = timezone.now() - timedelta(days=2)
    doorman.renewal_info = {
        "suggestedWindow": {
            "start": start.isoformat(),
            "end": (start + timedelta(days=1)).isoformat(),
        },
        "explanationURL": "https://ca.example/why",
    }
    doorman.renewal_headers = {"Retry-After": "7200"}
    (variant,) = issued(issuance_for(watched, "mail.example.com"))
    assert "replaces" not in doorman.posted("/order-plz")[0]
    now = variant.ask_at
    assert now is not None
    assert queries.to_be_asked(now) == [variant.pk]
    renewals.ask(variant.pk, now)
    variant.refresh_from_db()
    assert variant.explanation_url == "https://ca.example/why"
    assert variant.ask_at is not None
    assert timedelta(minutes=115) < variant.ask_at - now < timedelta(minutes=121)
    assert variant.renew_at is not None
    assert start <= variant.renew_at <= start + timedelta(days=1)
    order = renewed(variant)
    assert (order.state, order.cause) == (OrderState.DONE, "suggested")
    assert doorman.posted("/order-plz")[-1]["replaces"] == order.replaces
    assert order.replaces.count(".") == 1


def test_what_was_replaced_already_is_renewed_all_the_same(
    watched: Account, doorman: Doorman
) -> None:
    doorman.renewal_info = {}
    (variant,) = issued(issuance_for(watched, "mail.example.com"))
    doorman.refusals = [Refusal("/order-plz", 409, {"type": f"{URN}alreadyReplaced"})]
    assert renewed(variant).state == OrderState.DONE


def test_changed_settings_end_what_is_under_way(watched: Account) -> None:
    issuance = issuance_for(watched, "mail.example.com")
    variant = issuance.variants.get()
    order = led_on(open_order(variant), until=lambda one: one.state == OrderState.PREPARED)
    issuance.names = ["imap.example.com"]
    issuances.save(issuance)
    assert led_on(order).state == OrderState.FAILED
    assert renewals.begin_due() == 1
    assert led_on(open_order(variant)).names == ["imap.example.com"]
    variant.refresh_from_db()
    assert variant.certificate is not None
    assert variant.certificate.names == ["imap.example.com"]


def test_a_worker_that_lost_its_order_stores_nothing(watched: Account) -> None:
    order = open_order(issuance_for(watched, "mail.example.com").variants.get())
    taken = lease.take(Order, order.pk, timezone.now())
    assert taken is not None
    assert orders.advance(order.pk) is None
    later = timezone.now() + lease.LEASE
    assert orders.advance(order.pk, later) is not None
    assert not lease.is_held(order, taken)
