"""SMTP without authentication: whose mail is taken."""

import pytest
from django.conf import settings

from appliance.authhttp import services
from appliance.routing import services as routing
from appliance.routing.choices import MatchKind
from appliance.routing.models import Account, MailHost, Route
from proxycore.contract.authhttp import AuthFailed, AuthOk, AuthRequest
from proxycore.contract.protocol import Protocol

REFUSED = AuthFailed(
    text=b"Recipient is not served here", error_code=b"550 5.7.1", wait_s=settings.AUTH_WAIT_S
)


def _ask(command: bytes) -> AuthOk | AuthFailed:
    return services.answer(
        AuthRequest(
            protocol=Protocol.SMTP,
            method="none",
            login=b"",
            password=b"",
            attempt=1,
            client_ip="192.0.2.7",
            smtp_from=b"MAIL FROM:<a@b>",
            smtp_to=command,
        )
    )


@pytest.fixture
def served(listing: None, second_host: MailHost) -> None:
    """A domain, a pattern, an account and one that is off; others go by first letter."""
    for match, value in (
        (MatchKind.DOMAIN, "example.com"),
        (MatchKind.PATTERN, r"[a-z]+@example\.(net|org)"),
    ):
        routing.save_route(Route(match=match, value=value, position=1, mail_host=second_host))
    routing.save_account(Account(login="ann@example.edu", smtp_enabled=False, networks="::1"))
    routing.save_account(Account(login="off@example.com", enabled=False))


@pytest.mark.parametrize(
    "command",
    [
        b"RCPT TO:<joe@example.com>",
        b"rcpt to:<joe@EXAMPLE.com> NOTIFY=NEVER",
        b"RCPT TO: <joe@example.com>",
        b"RCPT TO:<@relay.example:joe@example.com>",
        b"RCPT TO:<joe@example.org>",
        b"RCPT TO:<ann@example.edu>",
    ],
)
def test_who_is_known_gets_mail(served: None, command: bytes) -> None:
    verdict = _ask(command)
    assert isinstance(verdict, AuthOk)
    assert verdict.port == 25
    assert (verdict.login, verdict.password) == (None, None)


@pytest.mark.parametrize(
    "command",
    [
        b"RCPT TO:<joe@example.edu>",
        b"RCPT TO:<joe@sub.example.com>",
        b"RCPT TO:<off@example.com>",
        b"RCPT TO:<joe%example.com@elsewhere.test>",
        b"RCPT TO:<joe@example.com@elsewhere.test>",
        b"RCPT TO:<joe>",
        b"RCPT TO:<>",
        b"RCPT TO:joe@example.com",
        b"RCPT",
        b"",
        bytes(range(256)),
    ],
)
def test_nobody_else_does_so_we_are_no_open_relay(served: None, command: bytes) -> None:
    assert _ask(command) == REFUSED
