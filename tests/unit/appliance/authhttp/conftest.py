"""A caller that is answered, and the policy of listing 15-2."""

import pytest

from appliance.authhttp import callers, services
from appliance.authhttp.models import CallerSecret
from appliance.routing import services as routing
from appliance.routing.choices import MatchKind
from appliance.routing.models import MailHost, Route

NODE_TOKEN = "a-nodes-token"
SECRET = "between-nginx-and-us"

Raw = list[tuple[bytes, bytes]]


@pytest.fixture(autouse=True)
def known_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """One node token is good, without a fleet."""
    monkeypatch.setattr(callers, "_node_checks", [])
    callers.register_node_check(lambda token: token == NODE_TOKEN)


@pytest.fixture
def nginx(db: None) -> CallerSecret:
    """A proxy that proves itself with a header."""
    return services.save_caller_secret(CallerSecret(name="nginx", secret=SECRET))


@pytest.fixture
def listing(first_host: MailHost, second_host: MailHost) -> None:
    """Listing 15-2 as data."""
    routing.save_route(Route(match=MatchKind.LETTERS, value="acfg", mail_host=first_host))
    routing.save_route(Route(match=MatchKind.DEFAULT, mail_host=second_host))


def request(login: bytes = b"alice", password: bytes = b"pw", **more: bytes) -> Raw:
    """Give the raw headers a node sends; ``more``: by header name with ``_`` for ``-``."""
    headers = {
        b"x-postroad-node-token": NODE_TOKEN.encode(),
        b"auth-method": b"plain",
        b"auth-user": login,
        b"auth-pass": password,
        b"auth-protocol": b"imap",
        b"auth-login-attempt": b"1",
        b"client-ip": b"192.0.2.7",
    }
    headers |= {name.replace("_", "-").encode(): value for name, value in more.items()}
    return list(headers.items())


def without(raw: Raw, *names: bytes) -> Raw:
    """Leave headers out."""
    return [(name, value) for name, value in raw if name not in names]
