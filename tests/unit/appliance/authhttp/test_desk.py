"""Slow work stops no known user, and a full queue is no wrong password."""

import asyncio
import logging
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError

from appliance.authhttp import views
from appliance.authhttp.desk import Desk
from appliance.credentials import services as credentials
from appliance.credentials import verify
from appliance.routing.models import Account
from proxycore.contract.secret import Secret
from tests.unit.appliance.authhttp.conftest import Raw, request

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    verify.verified().clear()
    yield
    verify.verified().clear()


@pytest.fixture
def desk(listing: None) -> Iterator[Desk]:
    for login in ("joe", "ann"):
        credentials.save_account(Account(login=login), password=Secret("right"))
    desk = Desk(threads=2, hash_threads=1, waiting=0)
    yield desk
    desk.close()


def _ask(desk: Desk, *raws: Raw) -> list[views.Reply]:
    async def ask() -> list[views.Reply]:
        return list(await asyncio.gather(*(desk.answer(raw) for raw in raws)))

    return async_to_sync(ask)()


def _status(reply: views.Reply) -> bytes:
    return dict(reply[1])[b"Auth-Status"]


def test_first_logins_and_known_users_are_answered(desk: Desk) -> None:
    raw = request(b"joe", b"right")
    for _ in range(2):
        (reply,) = _ask(desk, raw)
        assert _status(reply) == b"OK"
    (reply,) = _ask(desk, request(b"joe", b"wrong"))
    assert _status(reply) == b"Invalid login or password"


@pytest.mark.parametrize(
    ("protocol", "status", "code"),
    [
        (b"imap", b"[UNAVAILABLE] Try again later", None),
        (b"pop3", b"[SYS/TEMP] Try again later", None),
        (b"smtp", b"Temporary authentication failure", b"454 4.7.0"),
    ],
)
def test_a_full_queue_is_said_in_the_words_of_the_protocol_and_known_users_go_on(
    desk: Desk,
    protocol: bytes,
    status: bytes,
    code: bytes | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    known = request(b"joe", b"right")
    _ask(desk, known)
    gate = Event()
    queue = desk.queues[verify.Kind.HASH]
    busy = queue.submit(gate.wait)
    try:
        with caplog.at_level(logging.WARNING):
            late, still = _ask(desk, request(b"ann", b"right", auth_protocol=protocol), known)
        assert _status(still) == b"OK"
        assert _status(late) == status
        assert dict(late[1]).get(b"Auth-Error-Code") == code
        assert queue.refused == 1
        assert "queue=hash is full" in caplog.text
        assert "ann" not in caplog.text
    finally:
        gate.set()
        busy.result(10)


def test_our_own_mistake_is_a_retryable_answer_and_quotes_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(raw: Raw, who_asks: object) -> None:
        raise RuntimeError("-".join(["canary", "login"]))

    monkeypatch.setattr(views, "begin", fail)
    with caplog.at_level(logging.ERROR):
        assert _ask(desk, request()) == [views.UNAVAILABLE]
    assert "RuntimeError" in caplog.text
    assert "canary-login" not in caplog.text


def test_a_mistake_in_slow_work_is_answered_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(stored: str, password: bytes) -> bool:
        raise RuntimeError("canary-login")

    monkeypatch.setattr(verify, "verify_password", fail)
    assert _ask(desk, request(b"joe", b"right")) == [views.UNAVAILABLE]


def test_an_imported_hash_is_replaced_while_nobody_waits(desk: Desk) -> None:
    account = Account.objects.get(login="joe")
    credentials.save_account(
        account, imported_hash=Secret("{SSHA}1pswStEF71naRHFw7vEE3bpnn923EH7m")
    )
    (reply,) = _ask(desk, request(b"joe", b"secret%20pw"))
    assert _status(reply) == b"OK"
    desk.close()  # writes what waits
    account.refresh_from_db()
    assert account.password_hash.startswith("$argon2id$")


def test_a_connection_that_was_closed_meanwhile_is_opened_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = views.begin, [OperationalError("the connection is closed")]

    def begin(raw: Raw, who_asks: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(raw, who_asks)

    monkeypatch.setattr(views, "begin", begin)
    (reply,) = _ask(desk, request(b"zoe", b"x"))
    assert _status(reply) == b"OK"
