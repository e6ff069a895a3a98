"""An operator disconnects many sessions at a pace, after looking at them."""

from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot

_WITHIN_MS = 8_000


def test_a_users_sessions_are_disconnected_and_nobody_elses(
    page: Page, administrator: Appliance
) -> None:
    port = administrator.front.imap
    with ExitStack() as open_sessions:
        mine = [
            open_sessions.enter_context(clients.imap(port, cast.ALICE, cast.PASSWORDS[cast.ALICE]))
            for _ in range(6)
        ]
        kept = open_sessions.enter_context(clients.imap(port, cast.ZOE, cast.PASSWORDS[cast.ZOE]))
        page.goto("/admin/fleet/livesession/")
        row = page.locator("#live-sessions tbody tr").filter(
            has=page.get_by_text(cast.ALICE, exact=True)
        )
        expect(row).to_have_count(6, timeout=_WITHIN_MS)
        row.first.get_by_role("button", name="Disconnect").click()
        keep_screenshot(page, "live-disconnect-one")
        page.get_by_role("dialog").get_by_role("button", name="this user").click()
        search = page.get_by_role("searchbox", name="Search live sessions")
        expect(search).to_have_value(f'user="{cast.ALICE}"')
        page.get_by_role("button", name="Disconnect these 6").click()
        box = page.get_by_role("dialog", name="Disconnect 6 sessions?")
        box.get_by_label("5 a second").check()
        keep_screenshot(page, "live-disconnect-many")
        box.get_by_role("button", name="Disconnect").click()
        progress = page.get_by_role("list", name="Mass disconnects")
        expect(progress).to_contain_text("of 6 sessions gone", timeout=_WITHIN_MS)
        keep_screenshot(page, "live-progress")
        expect(progress).to_contain_text("6 of 6 sessions gone, finished", timeout=_WITHIN_MS)
        for client in mine:
            with pytest.raises(client.abort):
                client.noop()
        assert kept.noop()[0] == "OK"


def test_what_can_be_searched_for_is_said_and_found(page: Page, administrator: Appliance) -> None:
    with clients.imap(administrator.front.imap, cast.ZOE, cast.PASSWORDS[cast.ZOE]):
        page.goto("/admin/fleet/livesession/?q=client:127.0.0.0/8 tls:none state:open newer:10m")
        expect(page.locator("#live-sessions tbody tr")).to_have_count(1, timeout=_WITHIN_MS)
        page.get_by_text("What can be searched for", exact=True).click()
        keep_screenshot(page, "live-search-help")
        page.get_by_role("searchbox").fill("client:10.0.0.0/8")
        expect(page.get_by_role("heading", name="No session matches")).to_be_visible()
