"""An operator looks at what publishing will do before doing it."""

from playwright.sync_api import Page, expect

from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot
from tests.support.ports import free_port

REVISIONS = "/admin/publish/configrevision/"


def move_pop3(page: Page, port: int) -> None:
    """Have the draft's POP3 block listen on another port."""
    page.goto("/admin/servers/serverblock/")
    page.get_by_role("link", name="pop3", exact=True).click()
    page.fill("input[name=listeners-0-port]", str(port))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def test_the_page_says_what_will_be_done_on_the_nodes(page: Page, administrator: Appliance) -> None:
    old, new = administrator.front.pop3, free_port()
    move_pop3(page, new)
    page.goto(REVISIONS)
    conf = page.locator(".pr-diff")
    expect(conf.locator("[data-kind=removed]")).to_contain_text(f"listen 127.0.0.1:{old};")
    expect(conf.locator("[data-kind=added]")).to_contain_text(f"listen 127.0.0.1:{new};")
    effects = page.locator("[data-effects]")
    expect(effects).to_contain_text(f"127.0.0.1:{new}")
    expect(effects).to_contain_text("pop3 changed")
    keep_screenshot(page, "publish_what_will_be_done")
    page.locator("#discard-draft").click()
    page.locator("#confirm-button").click()
    expect(page.locator("#pending")).to_contain_text("Nothing is pending")
