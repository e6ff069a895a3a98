"""What was verified: nobody's finding is anybody else's."""

from typing import Any

import pytest

from appliance.credentials.cache import VerifiedCache
from appliance.credentials.verify import key_of
from appliance.routing.models import Account
from proxycore.contract.authhttp import AuthRequest
from proxycore.contract.protocol import Protocol
from tests.unit.appliance.credentials.conftest import submission


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> VerifiedCache:
    return VerifiedCache(b"k" * 32, ttl_s=60, capacity=3, clock=clock)


def test_a_finding_is_held_for_its_time(cache: VerifiedCache, clock: Clock) -> None:
    cache.remember(b"a")
    assert cache.holds(b"a")
    assert not cache.holds(b"b")
    clock.now += 59.9
    assert cache.holds(b"a")
    clock.now += 0.2
    assert not cache.holds(b"a")
    assert len(cache) == 0


def test_it_holds_no_more_than_it_may(cache: VerifiedCache) -> None:
    for key in (b"a", b"b", b"c", b"a", b"d"):
        cache.remember(key)
    assert [cache.holds(key) for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    cache.clear()
    assert len(cache) == 0


def test_without_a_time_nothing_is_held(clock: Clock) -> None:
    cache = VerifiedCache(b"k" * 32, ttl_s=0, clock=clock)
    cache.remember(b"a")
    assert len(cache) == 0


ACCOUNT: dict[str, Any] = {"pk": 1, "epoch": 1, "password_hash": "x"}
ASKED: dict[str, Any] = {}

CHANGES: list[tuple[dict[str, Any], dict[str, Any], tuple[bytes, ...]]] = [
    ({"pk": 2}, {}, ()),
    ({"pk": 11, "epoch": 1}, {}, ()),
    ({"epoch": 2}, {}, ()),
    ({"password_hash": "y"}, {}, ()),
    ({}, {"login": b"ann"}, ()),
    ({}, {"login": b"JOE"}, ()),
    ({}, {"login": b"joep", "password": b"w"}, ()),
    ({}, {"password": b"pw "}, ()),
    ({}, {"password": b""}, ()),
    ({}, {"protocol": Protocol.POP3}, ()),
    ({}, {"method": "external"}, ()),
    ({}, {}, (b"192.0.2.7",)),
    ({}, {}, (b"",)),
]


@pytest.mark.parametrize(("account", "asked", "more"), CHANGES)
def test_every_difference_makes_another_key(
    cache: VerifiedCache, account: dict[str, Any], asked: dict[str, Any], more: tuple[bytes, ...]
) -> None:
    def key(account: dict[str, Any], asked: dict[str, Any], *more: bytes) -> bytes:
        request: AuthRequest = submission(**asked)
        return key_of(cache, request, Account(**{**ACCOUNT, **account}), *more)

    assert key({}, {}) == key({}, {})
    assert key(account, asked, *more) != key({}, {})


def test_parts_do_not_run_into_each_other(cache: VerifiedCache) -> None:
    keys = {cache.key_of(*parts) for parts in ((b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"1:a",))}
    assert len(keys) == 4


def test_a_key_says_nothing_without_ours(cache: VerifiedCache) -> None:
    other = VerifiedCache(b"o" * 32, ttl_s=60)
    assert cache.key_of(b"joe", b"pw") != other.key_of(b"joe", b"pw")
    assert b"joe" not in cache.key_of(b"joe", b"pw")
