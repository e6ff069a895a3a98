"""Kinds of alerts that ACME raises, and what they can be about."""

from collections.abc import Iterable
from typing import Final

from appliance.acme.models import Account, Issuance, Variant
from appliance.alerts.registry import Kind

FAILING: Final = "acme.failing"
UNPUBLISHED: Final = "acme.unpublished"
ACCOUNT: Final = "acme.account"


def _variants() -> list[str]:
    return [str(one) for one in Variant.objects.select_related("issuance")]


def _issuances() -> Iterable[str]:
    return Issuance.objects.values_list("name", flat=True)


def _accounts() -> Iterable[str]:
    return Account.objects.values_list("name", flat=True)


KINDS: Final = (
    Kind(
        FAILING,
        "A certificate cannot be issued or renewed",
        "The CA refuses it or cannot be reached; its own words and what to do are on the page of"
        " the automatic certificate.",
        _variants,
    ),
    Kind(
        UNPUBLISHED,
        "A renewed certificate waits for being published",
        "The draft holds other changes too, so it is not published by itself: look at the Publish"
        " page.",
        _issuances,
    ),
    Kind(
        ACCOUNT,
        "An ACME account does not work",
        "The CA refused to register it or does not know it any more: see its page.",
        _accounts,
    ),
)
