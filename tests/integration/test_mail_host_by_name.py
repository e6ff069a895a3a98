"""A mail host given by name: nodes ask the server block's resolver, and the admin says the same."""

import json
from collections.abc import Generator

import pytest

from tests.support import cast, clients, stub_dns
from tests.support.appliance import Appliance
from tests.support.dovecot import Dovecot
from tests.support.stub_dns import Failure, Question, Record, StubDns
from tests.support.talk import Imap
from tests.support.wait import eventually

ONE, SEVERAL, LOST = "one.mail.test", "several.mail.test", "lost.mail.test"
REFUSES = "127.0.9.9"
ADDRESSES = {ONE: ("127.0.0.1",), SEVERAL: (REFUSES, "127.0.0.1")}
LOGINS = {f"user@{name}": name for name in (ONE, SEVERAL, LOST)}
PASSWORD = f"{cast.CANARY}-named"

_SETUP = """
import json, os
from appliance.publish import services as publish
from appliance.routing import services
from appliance.routing.models import MailHost, Route
from appliance.servers import services as servers
from appliance.servers.models import ServerBlock
for number, name in enumerate(json.loads(os.environ["TEST_NAMES"]), 1):
    host = MailHost(name=name, address=name, imap_port=int(os.environ["TEST_PORT"]))
    host.imap_tls = "none"
    services.save_mail_host(host)
    services.save_route(Route(match="domain", value=name, mail_host=host, position=number))
block = ServerBlock.objects.get(name="imap")
block.resolver = [os.environ["TEST_RESOLVER"]]
servers.save_block(block)
publish.publish()
"""

_UNDO = """
from appliance.publish import services as publish
from appliance.routing import services
from appliance.routing.models import MailHost, Route
from appliance.servers import services as servers
from appliance.servers.models import ServerBlock
services.delete(Route.objects.filter(mail_host__name__endswith=".mail.test"))
services.delete(MailHost.objects.filter(name__endswith=".mail.test"))
block = ServerBlock.objects.get(name="imap")
block.resolver = []
servers.save_block(block)
publish.publish()
"""

_COUNTED = """
import json, os
from appliance.stats import queries
print(json.dumps(queries.totals()))
"""

_EXPLAIN = """
import os
from appliance.authhttp.explain import Asked, explain
from proxycore.contract.protocol import Protocol
found = explain(Asked(os.environ["TEST_LOGIN"], Protocol.IMAP))
print(*(line.text for stage in found.stages for line in stage.lines), sep="\\n")
"""


def _decide(question: Question) -> stub_dns.Answer:
    if question.name not in ADDRESSES:
        return Failure(stub_dns.NXDOMAIN)
    found = ADDRESSES[question.name] if question.type == stub_dns.A else ()
    return [Record(stub_dns.A, stub_dns.address(one)) for one in found]


@pytest.fixture(scope="module")
def named(appliance: Appliance) -> Generator[Dovecot, None, None]:
    """A mail server that three names lead to, or one of them would if there were it."""
    with StubDns(_decide) as dns, Dovecot("named", dict.fromkeys(LOGINS, PASSWORD)) as server:
        appliance.python(
            _SETUP,
            TEST_NAMES=json.dumps([ONE, SEVERAL, LOST]),
            TEST_PORT=str(server.imap_port),
            TEST_RESOLVER=dns.address,
        )
        eventually(lambda: appliance.node_is_up_to_date("local"), "the node has it", within_s=20)
        yield server
        appliance.python(_UNDO)
        eventually(lambda: appliance.node_is_up_to_date("local"), "it is as before", within_s=20)


def _log_in(appliance: Appliance, name: str) -> str:
    with clients.imap(appliance.front.imap, f"user@{name}", PASSWORD) as client:
        return clients.imap_host(client)


def test_a_login_goes_where_the_name_leads(appliance: Appliance, named: Dovecot) -> None:
    assert _log_in(appliance, ONE) == "named"
    said = appliance.python(_EXPLAIN, TEST_LOGIN=f"user@{ONE}")
    assert f"{ONE} is 127.0.0.1" in said


def test_an_address_that_refuses_is_followed_by_the_next(
    appliance: Appliance, named: Dovecot
) -> None:
    assert _log_in(appliance, SEVERAL) == "named"
    tried = f"upstream: {REFUSES}:{named.imap_port}"
    eventually(lambda: tried in appliance.log(), "the node tried the other first")
    assert "connect() failed (111: Connection refused)" in appliance.log()
    said = appliance.python(_EXPLAIN, TEST_LOGIN=f"user@{SEVERAL}")
    assert f"{SEVERAL} is {REFUSES}, 127.0.0.1" in said


def test_a_name_that_nobody_knows_is_no_verdict_on_the_password(
    appliance: Appliance, named: Dovecot
) -> None:
    with Imap(appliance.front.imap) as talk:
        talk.line()
        # nginx's words for a mail server that is away; NO would be taken for a wrong password
        reply = talk.ask(f'a LOGIN "user@{LOST}" "{PASSWORD}"')
        assert reply == "* BAD internal server error"
    said = f'"{LOST}" could not be resolved (3: Host not found)'
    eventually(lambda: said in appliance.log(), "the log says why")
    series = f"backend_failures{{backend={LOST}:{named.imap_port},reason=backend_refused}}"
    eventually(
        lambda: json.loads(appliance.python(_COUNTED)).get(series) == 1,
        "it is counted",
        within_s=20,
    )
    explained = appliance.python(_EXPLAIN, TEST_LOGIN=f"user@{LOST}")
    assert f"The name {LOST} does not exist, says the resolver of the server block" in explained
