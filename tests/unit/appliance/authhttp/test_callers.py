"""Who may ask the auth service."""

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appliance.authhttp import callers, services
from appliance.authhttp.models import CallerSecret
from tests.unit.appliance.authhttp.conftest import NODE_TOKEN, SECRET

NODE = {"x-postroad-node-token": NODE_TOKEN.encode()}
NGINX = {"x-ngx-auth-key": SECRET.encode()}


def test_a_node_may_ask_and_does_as_it_is_told(db: None) -> None:
    assert callers.who_asks(NODE) == callers.Caller(obeys_proxy_auth=True)


def test_who_holds_a_secret_may_ask_and_does_what_the_operator_says(nginx: CallerSecret) -> None:
    assert callers.who_asks(NGINX) == callers.Caller(obeys_proxy_auth=False)
    nginx.proxy_smtp_auth = True
    services.save_caller_secret(nginx)
    assert callers.who_asks(NGINX) == callers.Caller(obeys_proxy_auth=True)
    services.save_caller_secret(CallerSecret(name="the same", secret=SECRET))
    assert callers.who_asks(NGINX) == callers.Caller(obeys_proxy_auth=False)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-postroad-node-token": b""},
        {"x-postroad-node-token": b"another"},
        {"x-postroad-node-token": b"\xff\x00"},
        {"x-ngx-auth-key": b""},
        {"x-ngx-auth-key": b"between-nginx-and-u"},
        {"x-ngx-auth-key": b"\xff\xfe"},
        {"x-other-key": SECRET.encode()},
        {"x-postroad-node-token": SECRET.encode()},
    ],
)
def test_anybody_else_may_not(nginx: CallerSecret, headers: dict[str, bytes]) -> None:
    assert not callers.who_asks(headers)


def test_a_secret_that_is_off_opens_nothing(nginx: CallerSecret) -> None:
    nginx.enabled = False
    services.save_caller_secret(nginx)
    assert not callers.who_asks(NGINX)
    services.delete_caller_secrets([nginx])
    assert not CallerSecret.objects.exists()


def test_an_empty_token_opens_nothing_even_if_a_check_took_it(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers.register_node_check(lambda token: True)
    assert not callers.who_asks({})


def test_without_a_fleet_no_token_is_good(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "_node_checks", [])
    assert not callers.who_asks(NODE)


def test_every_refusal_does_the_same_work(
    nginx: CallerSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.save_caller_secret(CallerSecret(name="second", secret="another-long-secret"))
    compared: list[bytes] = []
    asked: list[str] = []

    def compare(given: bytes, known: bytes) -> bool:
        compared.append(known)
        return given == known

    monkeypatch.setattr(callers.hmac, "compare_digest", compare)
    callers.register_node_check(lambda token: bool(asked.append(token)))
    for headers in ({}, {"x-ngx-auth-key": b"wrong"}, {"x-postroad-node-token": b"wrong"}):
        compared.clear()
        asked.clear()
        with CaptureQueriesContext(connection) as queries:
            assert not callers.who_asks(headers)
        assert (len(asked), len(compared), len(queries)) == (1, 2, 1), headers


def test_a_short_secret_is_refused(db: None) -> None:
    with pytest.raises(ValidationError, match="at least 16 characters"):
        services.save_caller_secret(CallerSecret(name="x", secret="short"))


def test_a_header_name_is_one(db: None) -> None:
    with pytest.raises(ValidationError, match="Letters, digits and hyphens"):
        services.save_caller_secret(CallerSecret(name="x", header="X_Key", secret=SECRET))


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_node_that_asked_a_moment_ago_is_recognised_for_a_moment(db: None) -> None:
    asked: list[str] = []
    callers.register_node_check(lambda token: asked.append(token) or token == NODE_TOKEN)  # type: ignore[func-returns-value]
    clock = Clock()
    doorkeeper = callers.Doorkeeper(clock)
    assert doorkeeper.who_asks(NODE)
    asked.clear()
    assert doorkeeper.who_asks(NODE)
    assert asked == []
    callers.register_node_check(lambda token: False)
    clock.now += callers.RECOGNISED_S
    assert not doorkeeper.who_asks(NODE)
    assert callers.RECOGNISED_S < 5


def test_only_what_was_good_is_recognised(nginx: CallerSecret) -> None:
    doorkeeper = callers.Doorkeeper()
    wrong = {"x-postroad-node-token": b"another"}
    for _ in range(2):
        assert not doorkeeper.who_asks(wrong)
        assert not doorkeeper.who_asks({})
    assert doorkeeper.who_asks({**wrong, **NGINX})
    assert not doorkeeper.who_asks(wrong)
    assert doorkeeper.who_asks(NGINX) == callers.Caller(obeys_proxy_auth=False)
