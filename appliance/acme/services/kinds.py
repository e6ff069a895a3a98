"""Kinds of alerts that ACME raises."""

from typing import Final

from appliance.alerts.registry import Kind

FAILING: Final = "acme.failing"
UNPUBLISHED: Final = "acme.unpublished"
ACCOUNT: Final = "acme.account"

KINDS: Final = (
    Kind(
        FAILING,
        "A certificate cannot be issued or renewed",
        "The CA refuses it or cannot be reached; its own words and what to do are on the page of"
        " the automatic certificate.",
    ),
    Kind(
        UNPUBLISHED,
        "A renewed certificate waits for being published",
        "The draft holds other changes too, so it is not published by itself: look at the Publish"
        " page.",
    ),
    Kind(
        ACCOUNT,
        "An ACME account does not work",
        "The CA refused to register it or does not know it any more: see its page.",
    ),
)
