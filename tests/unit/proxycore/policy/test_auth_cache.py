"""The auth cache: nobody gets an answer that was not given for exactly what they submitted."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.authhttp import AuthOk, AuthRequest, ProxyFacts, TlsFacts
from proxycore.contract.protocol import Protocol
from proxycore.policy.auth_cache import AuthCache, Freshness

KEY = b"k" * 32
BASE = AuthRequest(
    protocol=Protocol.IMAP,
    method="plain",
    login=b"joe",
    password=b"secret",
    attempt=1,
    client_ip="192.0.2.7",
)
PROXY = ProxyFacts(client_ip="192.0.2.1", client_port=1, server_ip="192.0.2.3", server_port=1)
TLS = TlsFacts(
    protocol="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    verify="SUCCESS",
    subject="CN=joe",
    issuer="CN=authority",
    serial="01",
    fingerprint="00" * 20,
)
VERDICT = AuthOk(server="192.0.2.10", port=143)


def stored(cache: AuthCache, server: str = "main", request: AuthRequest = BASE) -> bytes:
    key = cache.key_of(server, request)
    cache.store(key, request.login, VERDICT, 0.0, ttl_s=10.0, stale_s=100.0)
    return key


@pytest.mark.parametrize(
    "other",
    [
        {"login": b"jim"},
        {"password": b"wrong"},
        {"password": b""},
        {"protocol": Protocol.POP3},
        {"method": "cram-md5"},
        {"client_ip": "192.0.2.8"},
        {"client_host": "mx.example.com"},
        {"server_port": 993},
        {"server_ip": "192.0.2.1"},
        {"proxy": PROXY},
        {"proxy": replace(PROXY, client_ip="192.0.2.2")},
        {"proxy": replace(PROXY, server_ip="192.0.2.2")},
        {"proxy": replace(PROXY, server_port=2)},
        {"login": b"joes", "password": b"ecret"},
        {"login": b"joe\0secret", "password": b""},
    ],
)
def test_a_submission_that_differs_in_anything_is_not_found(other: dict[str, Any]) -> None:
    cache = AuthCache(KEY)
    stored(cache)
    assert cache.find(cache.key_of("main", replace(BASE, **other)), 1.0) is None


@pytest.mark.parametrize("name", [one.name for one in fields(TlsFacts)])
def test_who_has_another_certificate_is_somebody_else(name: str) -> None:
    """Two users of one webmail, say: the same address, and the login is empty with EXTERNAL."""
    cache = AuthCache(KEY)
    stored(cache, request=replace(BASE, tls=TLS))
    for other in (replace(TLS, **{name: getattr(TLS, name) + "1"}), None):
        assert cache.find(cache.key_of("main", replace(BASE, tls=other)), 1.0) is None


def test_facts_of_a_certificate_cannot_be_moved_from_one_to_the_next() -> None:
    cache = AuthCache(KEY)
    stored(cache, request=replace(BASE, tls=replace(TLS, subject="CN=a", issuer="b")))
    moved = replace(TLS, subject="CN=ab", issuer="")
    assert cache.find(cache.key_of("main", replace(BASE, tls=moved)), 1.0) is None


def test_the_same_user_on_another_server_block_is_not_found() -> None:
    cache = AuthCache(KEY)
    stored(cache)
    assert cache.find(cache.key_of("other", BASE), 1.0) is None


def test_another_challenge_is_not_found() -> None:
    cache = AuthCache(KEY)
    stored(cache, request=replace(BASE, salt=b"<1@mx>"))
    assert cache.find(cache.key_of("main", replace(BASE, salt=b"<2@mx>")), 1.0) is None


@pytest.mark.parametrize("other", [{"attempt": 3}, {"client_port": 5}, {"session": "boot.2"}])
def test_what_no_answer_may_depend_on_does_not_matter(other: dict[str, Any]) -> None:
    cache = AuthCache(KEY)
    stored(cache)
    assert cache.find(cache.key_of("main", replace(BASE, **other)), 1.0) is not None


def test_every_fact_of_a_request_is_known_to_matter_or_not() -> None:
    key, neither = {"protocol", "method", "login", "password", "client_ip", "client_host"}, set()
    key |= {"server_port", "server_ip", "proxy", "salt", "tls"}
    neither |= {"attempt", "client_port", "session"}
    # of a method that is never cached
    neither |= {"smtp_helo", "smtp_from", "smtp_to"}
    assert {one.name for one in fields(AuthRequest)} == key | neither


FIELDS = st.tuples(
    st.text(max_size=8),
    st.sampled_from(list(Protocol)),
    st.sampled_from(["plain", "apop", "external"]),
    st.binary(max_size=6),
    st.binary(max_size=6),
    st.sampled_from(["192.0.2.7", "192.0.2.70", "::1"]),
    st.binary(max_size=6),
)


def key_of(cache: AuthCache, fields: tuple[Any, ...]) -> bytes:
    server, protocol, method, login, password, client_ip, salt = fields
    request = AuthRequest(
        protocol=protocol,
        method=method,
        login=login,
        password=password,
        attempt=1,
        client_ip=client_ip,
        salt=salt,
    )
    return cache.key_of(server, request)


@given(FIELDS, FIELDS)
def test_keys_are_equal_exactly_when_submissions_are(
    one: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    cache = AuthCache(KEY)
    assert (key_of(cache, one) == key_of(cache, other)) == (one == other)


@given(st.binary(max_size=10), st.binary(max_size=10), st.integers(0, 10))
def test_moving_octets_between_login_and_password_changes_the_key(
    login: bytes, password: bytes, cut: int
) -> None:
    cache = AuthCache(KEY)
    both = login + password
    moved = replace(BASE, login=both[:cut], password=both[cut:])
    same = (moved.login, moved.password) == (login, password)
    original = replace(BASE, login=login, password=password)
    assert (cache.key_of("s", moved) == cache.key_of("s", original)) is same


def test_a_key_shows_nothing_and_needs_the_process_key() -> None:
    key = AuthCache(KEY).key_of("main", BASE)
    assert b"joe" not in key
    assert b"secret" not in key
    assert key != AuthCache(b"x" * 32).key_of("main", BASE)


def test_an_answer_is_fresh_then_stale_then_gone() -> None:
    cache = AuthCache(KEY)
    key = stored(cache)
    assert cache.find(key, 9.9) == (VERDICT, Freshness.FRESH)
    assert cache.find(key, 10.0) == (VERDICT, Freshness.STALE)
    assert cache.find(key, 109.9) == (VERDICT, Freshness.STALE)
    assert cache.find(key, 110.0) is None
    assert len(cache) == 0


def test_nothing_is_kept_when_caching_is_off() -> None:
    cache = AuthCache(KEY)
    cache.store(cache.key_of("main", BASE), BASE.login, VERDICT, 0.0, ttl_s=0, stale_s=0)
    assert len(cache) == 0


def test_the_least_recently_used_goes_first() -> None:
    cache = AuthCache(KEY, capacity_bytes=1_400)
    first = stored(cache, request=replace(BASE, login=b"1"))
    second = stored(cache, request=replace(BASE, login=b"2"))
    assert cache.find(first, 1.0) is not None
    third = stored(cache, request=replace(BASE, login=b"3"))
    assert len(cache) == 2
    assert cache.find(second, 1.0) is None
    assert cache.find(first, 1.0) is not None
    assert cache.find(third, 1.0) is not None


def test_a_new_generation_forgets_everything_and_the_same_one_nothing() -> None:
    cache = AuthCache(KEY, generation=4)
    key = stored(cache)
    assert cache.invalidate(4) is False
    assert cache.find(key, 1.0) is not None
    assert cache.invalidate(5) is True
    assert cache.find(key, 1.0) is None
    assert cache.generation == 5
    # a database put back from a backup counts backwards
    stored(cache)
    assert cache.invalidate(3) is True
    assert len(cache) == 0


def test_a_refused_submission_is_dropped() -> None:
    cache = AuthCache(KEY)
    key = stored(cache)
    cache.drop(key)
    cache.drop(key)
    assert cache.find(key, 1.0) is None


def test_the_bound_is_of_octets() -> None:
    cache = AuthCache(KEY, capacity_bytes=100_000)
    for i in range(100):
        key = cache.key_of("main", replace(BASE, login=b"%d" % i))
        verdict = AuthOk(server="h", port=1, login=b"x" * 16_000)
        cache.store(key, b"%d" % i, verdict, 0.0, ttl_s=10, stale_s=0)
        assert cache.size_bytes <= 100_000
    assert len(cache) == 6
    cache.invalidate(7)
    assert cache.size_bytes == 0
