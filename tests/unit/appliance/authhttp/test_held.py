"""What a caller is told about logins that have to wait, are rewritten, or change soon."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from appliance.authhttp import services as auth
from appliance.routing import services
from appliance.routing.choices import HostState, MatchKind
from appliance.routing.models import Account, DomainAlias, MailHost, Route, Verifier
from proxycore.contract.authhttp import AuthFailed, AuthOk, AuthRequest, AuthWait
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret


def _ask(login: bytes, password: bytes = b"pw", protocol: Protocol = Protocol.IMAP) -> Any:
    return auth.answer(
        AuthRequest(
            protocol=protocol,
            method="plain",
            login=login,
            password=password,
            attempt=1,
            client_ip="192.0.2.1",
        )
    )


def _route(host: MailHost, **more: Any) -> Route:
    return services.save_route(Route(mail_host=host, match=MatchKind.DEFAULT, **more))


@pytest.mark.parametrize(
    ("protocol", "text", "code"),
    [
        (Protocol.IMAP, b"[UNAVAILABLE]", b""),
        (Protocol.POP3, b"[SYS/TEMP]", b""),
        (Protocol.SMTP, b"Temporary", b"454 4.7.0"),
    ],
)
def test_a_mail_host_that_is_down_is_a_temporary_error(
    first_host: MailHost, protocol: Protocol, text: bytes, code: bytes
) -> None:
    _route(first_host)
    first_host.state = HostState.DOWN
    services.save_mail_host(first_host)
    verdict = _ask(b"joe", protocol=protocol)
    assert isinstance(verdict, AuthFailed)
    assert verdict.text.startswith(text)
    assert verdict.error_code == code


def test_a_wrong_password_is_not_told_that_logins_are_held(first_host: MailHost) -> None:
    _route(first_host, action="wait")
    services.save_account(Account(login="joe"), password=Secret("right"))
    assert _ask(b"joe", b"wrong") == auth.refusal()
    assert isinstance(_ask(b"joe", b"right"), AuthWait)


def test_a_verifier_is_not_asked_while_logins_are_held(first_host: MailHost) -> None:
    verifier = services.save_verifier(Verifier(name="v", mail_host=None))
    services.save_account(Account(login="joe", verifier=verifier))
    _route(first_host, action="wait")
    assert isinstance(_ask(b"joe"), AuthWait)


def test_the_mail_server_is_told_the_rewritten_login(first_host: MailHost) -> None:
    _route(first_host, rewrite="strip")
    verdict = _ask(b"joe@example.com")
    assert isinstance(verdict, AuthOk)
    assert verdict.login == b"joe"
    assert _ask(b"joe").login is None


@pytest.mark.parametrize("login", [b"joe\r\nAuth-Pass: x@a", b" joe@a", b"joe\x00@a"])
def test_a_rewritten_login_that_no_header_carries_is_refused(
    first_host: MailHost, login: bytes
) -> None:
    _route(first_host, rewrite="strip")
    assert _ask(login) == auth.refusal()


def test_a_login_of_an_alias_domain_proves_itself_as_the_account(first_host: MailHost) -> None:
    services.save_alias(DomainAlias(domain="example.net", target="example.com"))
    services.save_account(Account(login="joe@example.com"), password=Secret("right"))
    _route(first_host)
    assert _ask(b"joe@example.net", b"right").login == b"joe@example.com"
    assert _ask(b"joe@example.net", b"wrong") == auth.refusal()


@pytest.mark.parametrize(
    ("ttl_ms", "in_s", "told"), [(60_000, 20, 20), (60_000, 900, 60), (0, 9, 0)]
)
def test_no_verdict_is_remembered_beyond_the_time_of_a_route(
    first_host: MailHost, settings: Any, ttl_ms: int, in_s: int, told: int
) -> None:
    settings.AUTH_CACHE_TTL_MS = ttl_ms
    _route(first_host, ends_at=timezone.now() + timedelta(seconds=in_s))
    verdict = _ask(b"joe")
    assert told - 1 <= verdict.cache_ttl_s <= told


def test_a_time_that_is_far_takes_nothing_from_what_is_configured(
    first_host: MailHost, settings: Any
) -> None:
    settings.AUTH_CACHE_TTL_MS, settings.AUTH_CACHE_STALE_MS = 60_000, 3_600_000
    route = _route(first_host, ends_at=timezone.now() + timedelta(minutes=62))
    assert _ask(b"joe").cache_ttl_s is None
    route.ends_at = timezone.now() + timedelta(minutes=60)
    services.save_route(route)
    assert _ask(b"joe").cache_ttl_s == 60


def test_without_a_time_the_configured_one_holds(first_host: MailHost) -> None:
    _route(first_host)
    assert _ask(b"joe").cache_ttl_s is None


def test_mail_for_a_held_recipient_is_put_off(first_host: MailHost) -> None:
    services.save_route(
        Route(mail_host=first_host, match=MatchKind.DOMAIN, value="example.com", action="later")
    )
    request = AuthRequest(
        protocol=Protocol.SMTP,
        method="none",
        login=b"",
        password=b"",
        attempt=1,
        client_ip="192.0.2.1",
        smtp_to=b"RCPT TO:<joe@example.com>",
    )
    verdict = auth.answer(request)
    assert isinstance(verdict, AuthFailed)
    assert verdict.error_code.startswith(b"4")
