"""What the admin says of a mail host's TLS is what the node does, login by login."""

import imaplib
from collections.abc import Generator

import pytest

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.dovecot import Dovecot
from tests.support.pki import Authority
from tests.support.wait import eventually

LOGIN = "tina@secure.example"
PASSWORD = f"{cast.CANARY}-tina"

_SETUP = """
import os
from appliance.publish import services as publish
from appliance.routing import services
from appliance.routing.models import MailHost, Route
from appliance.servers import services as servers
from appliance.servers.models import ServerBlock
host = MailHost(name="secure", address="127.0.0.1", imap_port=int(os.environ["TEST_PORT"]))
host.tls_name = "mail.example.com"
services.save_mail_host(host)
services.save_route(Route(match="user", value=os.environ["TEST_LOGIN"], mail_host=host, position=1))
block = ServerBlock.objects.get(name="imap")
block.proxy_ssl_trusted_certificate = os.environ["TEST_AUTHORITY"]
servers.save_block(block)
publish.publish()
"""

_CHANGE = """
import os
from appliance.routing import services
from appliance.routing.models import MailHost
host = MailHost.objects.get(name="secure")
host.tls_name, host.imap_tls = os.environ["TEST_NAME"], os.environ["TEST_MODE"]
services.save_mail_host(host)
"""

_UNDO = """
from appliance.publish import services as publish
from appliance.routing import services
from appliance.routing.models import MailHost, Route
from appliance.servers import services as servers
from appliance.servers.models import ServerBlock
services.delete(Route.objects.filter(mail_host__name="secure"))
services.delete(MailHost.objects.filter(name="secure"))
block = ServerBlock.objects.get(name="imap")
block.proxy_ssl_trusted_certificate = ""
servers.save_block(block)
publish.publish()
"""


@pytest.fixture
def secure(appliance: Appliance) -> Generator[Dovecot, None, None]:
    """A mail server with TLS, and the appliance knowing whom to believe about it."""
    authority = Authority()
    pair = authority.issue("mail.example.com")
    with Dovecot("secure", {LOGIN: PASSWORD}, pair=pair) as server:
        appliance.python(
            _SETUP,
            TEST_PORT=str(server.imap_port),
            TEST_LOGIN=LOGIN,
            TEST_AUTHORITY=authority.pem,
        )
        eventually(lambda: appliance.node_is_up_to_date("local"), "the node has it", within_s=20)
        yield server
        appliance.python(_UNDO)
        eventually(lambda: appliance.node_is_up_to_date("local"), "it is as before", within_s=20)


def _says(appliance: Appliance, name: str, mode: str) -> None:
    appliance.python(_CHANGE, TEST_NAME=name, TEST_MODE=mode)
    eventually(lambda: appliance.node_is_up_to_date("local"), "the node knows", within_s=20)


def test_a_mail_host_proves_itself_or_hears_no_password(
    appliance: Appliance, secure: Dovecot
) -> None:
    front = appliance.front
    with clients.imap(front.imap, LOGIN, PASSWORD) as client:
        assert clients.imap_host(client) == "secure"
    assert "TLS" in [line for line in secure.log().splitlines() if "Login: user=" in line][-1]

    logins = len(secure.logins())
    _says(appliance, "other.example.com", "starttls")
    with clients.imap(front.imap) as client, pytest.raises(imaplib.IMAP4.error):
        client.login(LOGIN, PASSWORD)
    assert len(secure.logins()) == logins
    eventually(lambda: "other.example.com" in appliance.log(), "the log says which name")

    _says(appliance, "", "none")
    with clients.imap(front.imap, LOGIN, PASSWORD) as client:
        assert clients.imap_host(client) == "secure"
    assert "TLS" not in [line for line in secure.log().splitlines() if "Login: user=" in line][-1]
