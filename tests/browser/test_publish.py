"""An operator looks at what publishing will do before doing it."""

import re
import socket

from playwright.sync_api import Page, expect

from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot
from tests.support.ports import free_port
from tests.support.proxycore import greets

_SEEN_WITHIN_MS = 15_000
REVISIONS = "/admin/publish/configrevision/"


def move_pop3(page: Page, port: int) -> None:
    """Have the draft's POP3 block listen on another port."""
    page.goto("/admin/servers/serverblock/")
    page.get_by_role("link", name="pop3", exact=True).click()
    page.fill("input[name=listeners-0-port]", str(port))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def _discard(page: Page) -> None:
    page.goto(REVISIONS)
    page.locator("#discard-draft").click()
    page.locator("#confirm-button").click()
    expect(page.locator("#pending")).to_contain_text("Nothing is pending")


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
    _discard(page)


CONF = """
mail {
    auth_http 192.0.2.9:80/auth;
    server {
        # postroad: name imap-imported;
        protocol imap;
        listen 127.0.0.1:%d so_keepalive=on rcvbuf=64k;
        timeout %s;
    }
}
"""


def test_an_nginx_conf_is_looked_at_and_taken_into_the_draft(
    page: Page, administrator: Appliance
) -> None:
    page.goto(REVISIONS)
    page.locator("#import-link").click()
    page.fill("textarea[name=text]", CONF % (free_port(), "never"))
    page.locator("#preview-button").click()
    expect(page.locator("#preview")).to_contain_text("line 8")
    keep_screenshot(page, "import_problem")
    page.fill("textarea[name=text]", CONF % (free_port(), "90s"))
    page.locator("#preview-button").click()
    expect(page.locator("#preview")).to_contain_text('server block "imap-imported" added')
    keep_screenshot(page, "import_preview")
    page.locator("#take-button").click()
    expect(page.get_by_text("The file is in the draft.")).to_be_visible()
    expect(page.locator("#pending")).to_contain_text('server block "imap-imported" added')
    warned = page.locator("#verdicts li[data-state=warned]")
    expect(warned).to_contain_text("auth service 192.0.2.9:80", timeout=_SEEN_WITHIN_MS)
    keep_screenshot(page, "import_taken_and_checked")
    page.goto("/admin/servers/serverblock/")
    page.get_by_role("link", name="imap-imported", exact=True).click()
    expect(page.locator("#id_listeners-0-so_keepalive")).to_have_value("on")
    keep_screenshot(page, "import_listener_options")
    with page.expect_download() as taken:
        page.goto(REVISIONS)
        page.locator("#export-draft").click()
    assert taken.value.suggested_filename == "postroad-draft.zip"
    _discard(page)


def test_a_node_says_before_publishing_that_a_port_is_taken(
    page: Page, administrator: Appliance
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        move_pop3(page, port)
        page.goto(REVISIONS)
        refused = page.locator("#verdicts li[data-state=refused]")
        expect(refused).to_contain_text("would refuse it", timeout=_SEEN_WITHIN_MS)
        expect(refused).to_contain_text(f"bind() to 127.0.0.1:{port} failed")
        keep_screenshot(page, "publish_refused_before_it_is_published")
        page.locator("#publish-button").click()
        expect(page.get_by_text("Publish although not every node can take it?")).to_be_visible()
        keep_screenshot(page, "publish_nevertheless")
        page.get_by_role("link", name="Leave it as it is").click()
        assert greets(administrator.front.pop3), "nothing was changed to find it out"
        page.locator("#verdicts li[data-state=refused] .pr-detail a").click()
        expect(page).to_have_url(re.compile("#id_listeners-0-port$"))
        expect(page.locator("#id_listeners-0-port")).to_have_value(str(port))
        keep_screenshot(page, "publish_the_field_that_caused_it")
    page.goto(REVISIONS)
    page.locator("#check-button").click()
    fine = page.locator("#verdicts li[data-state=fine]")
    expect(fine).to_contain_text("local", timeout=_SEEN_WITHIN_MS)
    keep_screenshot(page, "publish_can_take_it")
    _discard(page)
