"""An operator watches live sessions and disconnects one."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.browser import keep_for_readme

_SEEN_WITHIN_MS = 5_000


def _row(page: Page, user: str) -> Locator:
    return page.locator("#live-sessions tbody tr").filter(has=page.get_by_text(user, exact=True))


def test_a_session_appears_and_goes_without_reloading(page: Page, administrator: Appliance) -> None:
    page.goto("/admin/fleet/livesession/")
    expect(page.locator("#live-sessions")).to_have_attribute("data-connection", "live")
    with clients.imap(administrator.front.imap, cast.ZOE, cast.PASSWORDS[cast.ZOE]):
        row = _row(page, cast.ZOE)
        expect(row).to_have_count(1, timeout=_SEEN_WITHIN_MS)
        expect(row.locator("[data-field=protocol]")).to_have_text("imap", ignore_case=True)
        expect(row.locator("[data-field=client]")).to_have_text("127.0.0.1")
        expect(row.locator("[data-field=node]")).to_have_text("local")
    expect(_row(page, cast.ZOE)).to_have_count(0, timeout=_SEEN_WITHIN_MS)


def test_disconnect_ends_the_session_and_only_that(page: Page, administrator: Appliance) -> None:
    port = administrator.front.imap
    with (
        clients.imap(port, cast.ZOE, cast.PASSWORDS[cast.ZOE]) as kept,
        clients.imap(port, cast.ALICE, cast.PASSWORDS[cast.ALICE]) as ended,
    ):
        page.goto("/admin/fleet/livesession/")
        row = _row(page, cast.ALICE)
        expect(row).to_have_count(1, timeout=_SEEN_WITHIN_MS)
        expect(_row(page, cast.ZOE)).to_have_count(1, timeout=_SEEN_WITHIN_MS)
        keep_for_readme(page, "live-sessions")
        row.get_by_role("button", name="Disconnect").click()
        page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
        expect(row).to_have_count(0, timeout=_SEEN_WITHIN_MS)
        with pytest.raises(ended.abort):
            ended.noop()
        assert kept.noop()[0] == "OK"


def test_search_narrows_the_list(page: Page, administrator: Appliance) -> None:
    port = administrator.front.imap
    with (
        clients.imap(port, cast.ZOE, cast.PASSWORDS[cast.ZOE]),
        clients.imap(port, cast.ALICE, cast.PASSWORDS[cast.ALICE]),
    ):
        page.goto("/admin/fleet/livesession/")
        expect(_row(page, cast.ALICE)).to_have_count(1, timeout=_SEEN_WITHIN_MS)
        page.get_by_role("searchbox", name="Search live sessions").fill(cast.ZOE)
        expect(_row(page, cast.ALICE)).to_have_count(0)
        expect(_row(page, cast.ZOE)).to_have_count(1)
