"""An operator watches clients that have not logged in, and turns an address away."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from playwright.sync_api import Locator, Page, expect

from tests.support import cast
from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot
from tests.support.talk import Imap, Smtp, Talk

_WITHIN_MS = 10_000
"""Nodes are asked every three seconds."""

_FLOODER = "127.0.0.66"


@contextmanager
def _waiting(administrator: Appliance) -> Iterator[list[Talk]]:
    """Hold connections open: some that nobody knows, some of a flooder, one that failed to log in.

    Gives those of the flooder.
    """
    front = administrator.front
    with ExitStack() as held:
        flood = [held.enter_context(Talk(front.imap, source=_FLOODER)) for _ in range(12)]
        for client in flood:
            assert client.line().startswith("* OK")
        held.enter_context(Talk(administrator.secure.imap, source="127.0.0.7"))
        mail = held.enter_context(Smtp(front.smtp, source="127.0.0.8"))
        assert mail.line().startswith("220")
        wrong = held.enter_context(Imap(front.imap, source="127.0.0.9"))
        wrong.line()
        assert wrong.ask(f'1 LOGIN "{cast.ALICE}" "not-her-password"').startswith("1 NO")
        yield flood


def _rows(page: Page) -> Locator:
    return page.locator("#waiting-sessions tbody tr")


def _panel(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


def test_who_waits_is_shown_counted_and_turned_away(page: Page, administrator: Appliance) -> None:
    with _waiting(administrator) as flood:
        page.goto("/admin/fleet/livesession/")
        page.get_by_role("link", name="Before login").click()
        expect(page.locator("#waiting-sessions")).to_have_attribute("data-connection", "live")
        expect(_rows(page)).to_have_count(15, timeout=_WITHIN_MS)
        expect(page.locator("[data-part=total]")).to_have_text("15")
        expect(_panel(page, "By state")).to_contain_text("TLS handshake")
        addresses = _panel(page, "Top addresses").get_by_role("listitem")
        expect(addresses.first).to_contain_text(f"{_FLOODER}12")
        expect(_panel(page, "By node")).to_contain_text("local15")
        failed = _rows(page).filter(has_text="127.0.0.9")
        expect(failed.locator("[data-field=state_text]")).to_have_text("Login awaited")
        keep_screenshot(page, "before-login")

        search = page.get_by_role("searchbox", name="Search sessions before login")
        search.fill("state:handshake")
        expect(_rows(page)).to_have_count(1)
        expect(_rows(page)).to_contain_text("127.0.0.7")
        search.fill("nobody-like-this")
        expect(page.get_by_role("heading", name="No session matches")).to_be_visible()
        addresses.first.get_by_role("button", name=_FLOODER, exact=True).click()
        expect(search).to_have_value(f"client={_FLOODER}")
        expect(_rows(page)).to_have_count(12)

        addresses.first.get_by_role("button", name=f"Disconnect {_FLOODER}").click()
        box = page.get_by_role("dialog", name=f"Disconnect all of {_FLOODER}?")
        keep_screenshot(page, "before-login-dialog")
        box.get_by_role("button", name="Disconnect").click()
        expect(page.get_by_role("status").filter(has_text="Disconnecting")).to_be_visible()
        expect(_rows(page)).to_have_count(0, timeout=_WITHIN_MS)
        assert [client.rest() for client in flood] == [""] * len(flood)
        search.fill("")
        expect(_rows(page)).to_have_count(3)


def test_one_is_disconnected_and_nobody_else(page: Page, administrator: Appliance) -> None:
    port = administrator.front.imap
    with Imap(port, source="127.0.0.11") as ended, Imap(port, source="127.0.0.12") as kept:
        assert ended.line()
        assert kept.line()
        page.goto("/admin/fleet/livesession/before-login/?q=client:127.0.0.1")
        row = _rows(page).filter(has_text="127.0.0.11")
        expect(row).to_have_count(1, timeout=_WITHIN_MS)
        row.get_by_role("button", name="Disconnect").click()
        page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
        expect(row).to_have_count(0, timeout=_WITHIN_MS)
        expect(_rows(page).filter(has_text="127.0.0.12")).to_have_count(1)
        assert ended.rest() == ""
        assert kept.ask("1 NOOP").startswith("1 OK")
