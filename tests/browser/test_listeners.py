"""An operator moves a listener to another port."""

import re
from collections.abc import Generator

import pytest
from playwright.sync_api import Page, expect

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.ports import free_port, release
from tests.support.proxycore import greets
from tests.support.wait import eventually


@pytest.fixture
def other_port(administrator: Appliance) -> Generator[int, None, None]:
    """A port to move the POP3 listener to; afterwards it is back where it was."""
    port = free_port()
    yield port
    administrator.python(
        "from appliance.publish import services as publish\n"
        "from appliance.servers import services\n"
        "from appliance.servers.models import Listener\n"
        f"for listener in Listener.objects.filter(port={port}):\n"
        f"    listener.port = {administrator.front.pop3}\n"
        "    services.save_listener(listener)\n"
        "publish.publish()"
    )
    eventually(lambda: greets(administrator.front.pop3), "POP3 is back on its port")
    release(port)


def test_a_listener_moves_while_a_session_on_another_one_goes_on(
    page: Page, administrator: Appliance, other_port: int
) -> None:
    front = administrator.front
    with clients.imap(front.imap, cast.ALICE, cast.PASSWORDS[cast.ALICE]) as client:
        page.goto("/admin/servers/serverblock/")
        page.get_by_role("link", name="pop3", exact=True).click()
        page.fill("input[name=listeners-0-port]", str(other_port))
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("was changed successfully")).to_be_visible()
        assert greets(front.pop3), "a draft changes nothing"

        page.locator("#pending-banner").click()
        page.fill("input[name=note]", "POP3 moves")
        page.locator("#publish-button").click()
        expect(page.get_by_text(re.compile(r"Revision \d+ is published\. Below"))).to_be_visible()

        eventually(lambda: greets(other_port), "the listener is on its new port")
        eventually(lambda: not administrator.answers(front.pop3), "the old port is closed")
        # the page looks again by itself
        expect(page.locator("#revision-status li[data-tone=success]")).to_have_count(1)
        expect(page.locator("#result_list")).to_contain_text("running")
        assert client.noop()[0] == "OK"
        assert clients.imap_host(client) == cast.MAILHOST01
    with clients.pop3(other_port, cast.ZOE, cast.PASSWORDS[cast.ZOE]) as moved:
        assert clients.pop3_host(moved) == cast.MAILHOST02
