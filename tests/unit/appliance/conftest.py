"""The cast of three operators, and objects that the appliance's tests share."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from appliance.credentials.writes import writes
from appliance.routing import services as routing
from appliance.routing.choices import HostTls
from appliance.routing.models import MailHost
from appliance.servers import services as servers
from appliance.servers.models import ServerBlock

AS_THE_BLOCK = dict.fromkeys(("imap_tls", "pop3_tls", "smtp_tls"), HostTls.BLOCK)


@pytest.fixture(autouse=True)
def _writes_are_done_at_once() -> None:
    """An ASGI application that an earlier test imported has started the thread for the process."""
    writes.stop()


@pytest.fixture
def administrator(db: None) -> User:
    """May do everything."""
    return User.objects.create_superuser("ada", password=None)


@pytest.fixture
def viewer(db: None) -> User:
    """May see everything and change nothing."""
    user = User.objects.create_user("vic", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return user


@pytest.fixture
def newcomer(db: None) -> User:
    """Staff without any permission."""
    return User.objects.create_user("ned", is_staff=True)


def _client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def as_administrator(administrator: User) -> Client:
    """A browser logged in as the administrator."""
    return _client_of(administrator)


@pytest.fixture
def as_viewer(viewer: User) -> Client:
    """A browser logged in as the viewer."""
    return _client_of(viewer)


@pytest.fixture
def as_newcomer(newcomer: User) -> Client:
    """A browser logged in as the newcomer."""
    return _client_of(newcomer)


@pytest.fixture
def blocks(db: None) -> dict[str, ServerBlock]:
    """The three server blocks of a first start, by name."""
    return {block.name: block for block in servers.create_default_blocks()}


@pytest.fixture
def first_host(db: None) -> MailHost:
    """The listing's first mail host."""
    return routing.save_mail_host(
        MailHost(name="mailhost01", address="192.168.1.22", **AS_THE_BLOCK)
    )


@pytest.fixture
def second_host(db: None) -> MailHost:
    """The listing's second mail host."""
    return routing.save_mail_host(
        MailHost(name="mailhost02", address="192.168.1.33", **AS_THE_BLOCK)
    )
