"""An operator publishes what a node cannot do, sees that it is so, and goes back."""

import re
import socket

from playwright.sync_api import Page, expect

from tests.support.appliance import Appliance
from tests.support.proxycore import greets

_SEEN_WITHIN_MS = 10_000
REVISIONS = "/admin/publish/configrevision/"


def _move_pop3(page: Page, port: int) -> None:
    page.goto("/admin/servers/serverblock/")
    page.get_by_role("link", name="pop3", exact=True).click()
    page.fill("input[name=listeners-0-port]", str(port))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def test_a_refused_revision_is_shown_as_refused_and_rolled_back(
    page: Page, administrator: Appliance
) -> None:
    page.goto(REVISIONS)
    good = page.locator("#revision-status h2").inner_text()
    number = re.search(r"\d+", good)
    assert number is not None
    with socket.create_server(("127.0.0.1", 0)) as taken:
        _move_pop3(page, taken.getsockname()[1])
        page.goto(REVISIONS)
        page.locator("#publish-button").click()
        expect(page.locator("li[data-state=refused]")).to_contain_text("Address already in use")
        page.locator("#confirm-button").click()
        refused = page.locator("#revision-status li[data-tone=danger]")
        expect(refused).to_contain_text("refused revision", timeout=_SEEN_WITHIN_MS)
        expect(page.locator("#result_list")).to_contain_text("refused by 1 of 1 nodes")
        page.goto("/admin/routing/route/")
        expect(page.locator("#refused-banner")).to_be_visible()
        assert greets(administrator.front.pop3), "the node goes on with what it ran"

        page.goto(REVISIONS)
        page.get_by_role("link", name=number[0], exact=True).click()
        page.locator("#roll-back-button").click()
        page.fill("input[name=note]", "the port is taken")
        page.locator("#confirm-button").click()
        running = page.locator("#revision-status li[data-tone=success]")
        expect(running).to_have_count(1, timeout=_SEEN_WITHIN_MS)
        expect(page.locator("#pending")).to_contain_text("Nothing is pending")
        expect(page.locator("#refused-banner")).to_have_count(0)


def test_the_draft_is_discarded_after_a_question(page: Page, administrator: Appliance) -> None:
    _move_pop3(page, administrator.front.pop3 - 1)
    page.locator("#pending-banner").click()
    page.locator("#discard-draft").click()
    expect(page.get_by_text("These changes of the draft are lost")).to_be_visible()
    page.locator("#confirm-button").click()
    expect(page.locator("#pending")).to_contain_text("Nothing is pending")
