"""Somebody to verify, and submissions of his."""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest

from appliance.credentials import verify
from appliance.routing import services as routing
from appliance.routing.choices import MatchKind
from appliance.routing.models import MailHost, Route
from proxycore.contract.authhttp import AuthRequest
from proxycore.contract.protocol import Protocol

CHALLENGE = b"<42707877.1795342490@mx.example.com>"


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """Each test begins without a memory of what was verified."""
    verify.verified().clear()
    yield
    verify.verified().clear()


@pytest.fixture
def everybody(first_host: MailHost) -> MailHost:
    """One mail host for all."""
    routing.save_route(Route(match=MatchKind.DEFAULT, mail_host=first_host))
    return first_host


def submission(login: bytes = b"joe", password: bytes = b"pw", **more: Any) -> AuthRequest:
    """Give a submission as a node tells it."""
    fields = {"protocol": Protocol.IMAP, "method": "plain", "attempt": 1, "client_ip": "192.0.2.7"}
    return AuthRequest(**{"login": login, "password": password, **fields, **more})


def cram(login: bytes, password: bytes, **more: Any) -> AuthRequest:
    """Give a submission by CRAM-MD5."""
    digest = hmac.digest(password, CHALLENGE, "md5").hex().encode()
    return submission(login, digest, **{"method": "cram-md5", "salt": CHALLENGE, **more})


def apop(login: bytes, password: bytes, **more: Any) -> AuthRequest:
    """Give a submission by APOP."""
    digest = hashlib.md5(CHALLENGE + password).hexdigest().encode()
    given = {"method": "apop", "salt": CHALLENGE, "protocol": Protocol.POP3}
    return submission(login, digest, **{**given, **more})
