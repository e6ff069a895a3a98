"""``/auth_http`` as ASGI, in front of Django."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError

from appliance.authhttp import views
from appliance.authhttp.asgi import AuthHttp
from tests.unit.appliance.authhttp.conftest import Raw, request

pytestmark = pytest.mark.django_db(transaction=True)


class Asked:
    """An application that notes what reached it."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.paths.append(scope["path"])


def _get(app: AuthHttp, raw: Raw, path: str = "/auth_http", method: str = "GET") -> Any:
    sent: list[dict[str, Any]] = []
    scope = {"type": "http", "method": method, "path": path, "headers": raw}

    async def receive() -> Any:
        raise AssertionError("nothing of a request's body is needed")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async_to_sync(app)(scope, receive, send)  # type: ignore[arg-type]
    return sent


@pytest.fixture
def app() -> Iterator[AuthHttp]:
    app = AuthHttp(Asked())
    yield app
    app.desk.close()


def test_an_answer_is_headers_and_no_body(app: AuthHttp, listing: None) -> None:
    start, body = _get(app, request())
    assert start["status"] == 200
    assert start["headers"][:3] == [
        (b"Auth-Status", b"OK"),
        (b"Auth-Server", b"192.168.1.22"),
        (b"Auth-Port", b"143"),
    ]
    assert (b"Content-Length", b"0") in start["headers"]
    assert body["body"] == b""
    assert app.others.paths == []


def test_a_stranger_gets_403(app: AuthHttp) -> None:
    start, _ = _get(app, [])
    assert start["status"] == 403


def test_only_get_is_answered(app: AuthHttp) -> None:
    start, _ = _get(app, request(), method="POST")
    assert start["status"] == 405


@pytest.mark.parametrize("path", ["/", "/auth_http/", "/auth_httpx", "/admin/"])
def test_everything_else_is_handed_on(app: AuthHttp, path: str) -> None:
    assert _get(app, [], path) == []
    assert app.others.paths == [path]


def test_a_database_that_is_away_is_a_retryable_answer_without_a_login_in_the_log(
    app: AuthHttp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(raw: Raw, may_ask: object) -> None:
        raise OperationalError("could not connect: canary-login")

    monkeypatch.setattr(views, "begin", fail)
    with caplog.at_level(logging.ERROR):
        start, _ = _get(app, request())
    assert start["status"] == 503
    assert "OperationalError" in caplog.text
    assert "canary-login" not in caplog.text
