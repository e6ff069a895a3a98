"""mail_proxy_protocol: the PROXY header, both ways, and who the client is then."""

from collections.abc import Generator

import pytest

from tests.peer.numbered import like, ok
from tests.peer.stage import REFUSED, Stage, staged, to
from tests.support.stub_auth import Answer, Request
from tests.support.stub_backends import SmtpStub
from tests.support.talk import Smtp, plain

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    proxy_pass_error_message on;
    proxy_smtp_auth on;
    proxy_protocol on;
    proxy_timeout 15s;
    smtp_auth login plain;
    server {
        listen @1@ proxy_protocol;
        protocol smtp;
        auth_http_header X-Type proxy;
    }
    server {
        listen @2@ proxy_protocol;
        protocol smtp;
        auth_http_header X-Type realip;
        set_real_ip_from 127.0.0.1/32;
    }
"""
_HEADER = "PROXY TCP4 192.0.2.1 192.0.2.2 123 5678"
_ACCEPTED = ("proxy:127.0.0.1:192.0.2.1", "realip:192.0.2.1:192.0.2.1")


@pytest.fixture(scope="module")
def stage(kind: str, smtp_backend: SmtpStub) -> Generator[Stage, None, None]:
    def decide(request: Request) -> Answer:
        told = [request[name] for name in ("X-Type", "Client-IP", "Proxy-Protocol-Addr")]
        return to(smtp_backend) if ":".join(told) in _ACCEPTED else REFUSED

    with staged(kind, _MAIL, decide) as running:
        yield running


def test_01_to_04_header_of_a_stranger(stage: Stage) -> None:
    with Smtp(stage.ports[0]) as talk:
        like(1, talk.ask(_HEADER), "^220 ")
        like(2, talk.ask("EHLO example.com"), "^250 ")
        like(3, talk.ask(f"AUTH PLAIN {plain('test@example.com', 'secret')}"), talk.authenticated)
        like(4, talk.ask("XPROXY"), r"^211 PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+")


def test_05_to_08_header_that_is_believed(stage: Stage) -> None:
    with Smtp(stage.ports[1]) as talk:
        talk.send(_HEADER)
        ok(5, talk)
        like(6, talk.ask("EHLO example.com"), "^250 ")
        like(7, talk.ask(f"AUTH PLAIN {plain('test@example.com', 'secret')}"), talk.authenticated)
        like(8, talk.ask("XPROXY"), r"^211 PROXY TCP4 192\.0\.2\.1 127\.0\.0\.1 \d+ \d+")
