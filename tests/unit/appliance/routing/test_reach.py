"""Which routes are never reached."""

import pytest

from appliance.routing.models import Route
from appliance.routing.reach import unreachable

Given = tuple[str, str, str]


def _shadowed(*given: Given) -> dict[int, int]:
    routes = [
        Route(pk=number, match=match, value=value, protocol=protocol)
        for number, (match, value, protocol) in enumerate(given)
    ]
    return {number: taker.pk for number, taker in unreachable(routes).items()}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("default", "", ""), ("user", "joe", "")),
        (("default", "", "imap"), ("user", "joe", "imap")),
        (("user", "joe", ""), ("user", "joe", "pop3")),
        (("domain", "example.com", ""), ("user", "joe@example.com", "")),
        (("letters", "jJx", ""), ("user", "joe", "")),
        (("letters", "acfg", ""), ("letters", "ca", "")),
        (("pattern", "a.*", ""), ("pattern", "a.*", "")),
        (("default", "", ""), ("default", "", "smtp")),
    ],
)
def test_an_earlier_route_takes_it_all(first: Given, second: Given) -> None:
    assert _shadowed(first, second) == {1: 0}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("default", "", "imap"), ("user", "joe", "")),
        (("default", "", "imap"), ("user", "joe", "pop3")),
        (("user", "joe", ""), ("user", "ann", "")),
        (("letters", "j", ""), ("user", "joe", "")),
        (("letters", "a", ""), ("letters", "ac", "")),
        (("user", "joe", ""), ("default", "", "")),
        (("domain", "example.com", ""), ("user", "joe@example.org", "")),
        (("pattern", "a.*", ""), ("user", "ann", "")),
    ],
)
def test_something_is_left_for_it(first: Given, second: Given) -> None:
    assert _shadowed(first, second) == {}


def test_three_protocols_are_all() -> None:
    stops = [("default", "", protocol) for protocol in ("imap", "pop3", "smtp")]
    assert list(_shadowed(*stops, ("user", "joe", ""))) == [3]


def test_a_route_that_is_off_takes_nothing() -> None:
    off = Route(pk=1, match="default", value="", enabled=False)
    assert unreachable([off, Route(pk=2, match="user", value="joe")]) == {}
