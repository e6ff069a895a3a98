"""mail_ssl_session_reuse: which settings let a client take its session up again."""

import ssl
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.peer.numbered import holds
from tests.peer.stage import Stage, staged
from tests.support.strangers import trusting
from tests.support.talk import Imap

_MAIL = """
    auth_http http://@AUTH@/mail/auth;
    ssl_certificate @CRT@;
    ssl_certificate_key @KEY@;
    ssl_protocols TLSv1.2 TLSv1.3;
    server { listen @1@ ssl; protocol imap; }
    server {
        listen @2@ ssl;
        protocol imap;
        ssl_session_cache shared:SSL:1m;
        ssl_session_tickets on;
    }
    server {
        listen @3@ ssl;
        protocol imap;
        ssl_session_cache shared:SSL:1m;
        ssl_session_tickets off;
    }
    server {
        listen @4@ ssl;
        protocol imap;
        ssl_session_cache builtin;
        ssl_session_tickets off;
    }
    server {
        listen @5@ ssl;
        protocol imap;
        ssl_session_cache builtin:1000;
        ssl_session_tickets off;
    }
    server {
        listen @6@ ssl;
        protocol imap;
        ssl_session_cache none;
        ssl_session_tickets off;
    }
    server {
        listen @7@ ssl;
        protocol imap;
        ssl_session_cache off;
        ssl_session_tickets off;
    }
"""


@pytest.fixture(scope="module")
def stage(kind: str, certificate: dict[str, Path]) -> Generator[Stage, None, None]:
    with staged(kind, _MAIL, lambda _: None, words=certificate) as running:
        yield running


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("number", "reused"),
    [
        (1, True),
        (2, True),
        (3, True),
        (4, True),
        (5, True),
        (6, False),
        (7, False),
    ],
)
def test_the_second_connection(
    stage: Stage, number: int, reused: bool, version: ssl.TLSVersion
) -> None:
    context = trusting(version=version)
    with Imap.greeted(stage.ports[number - 1], context) as talk:
        session = talk.tls.session
    with Imap(stage.ports[number - 1]) as talk:
        talk.seal(context, session=session)
        holds(number, talk.tls.session_reused is reused)
