"""An operator gives a machine a code, looks at a node, drains it and takes that back."""

from playwright.sync_api import Page, expect

from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import refuses, serves

_WITHIN_MS = 10_000


def test_a_code_is_shown_once(page: Page, administrator: Appliance) -> None:
    page.goto("/admin/fleet/enrolmentcode/add/")
    page.get_by_label("Node").fill("edge-by-code")
    keep_screenshot(page, "enrolment-add")
    page.get_by_role("button", name="Save", exact=True).click()
    code = page.locator("#enrolment-code").inner_text()
    assert len(code.replace("-", "")) == 20
    keep_screenshot(page, "enrolment-code")
    page.get_by_role("link", name="Done, I have copied it").click()
    expect(page.get_by_text("edge-by-code")).to_be_visible()
    assert code not in page.content()
    keep_screenshot(page, "enrolment-list")


def test_a_node_drains_and_serves_again(page: Page, administrator: Appliance) -> None:
    page.goto("/admin/fleet/node/")
    keep_screenshot(page, "node-list")
    page.get_by_role("link", name="local", exact=True).click()
    page.get_by_role("link", name="Drain").click()
    keep_screenshot(page, "node-drain")
    page.get_by_role("button", name="Drain").click()
    try:
        eventually(lambda: refuses(administrator.front.imap), "it closes its listeners")
        page.reload()
        expect(page.get_by_text("Nothing remains", exact=True)).to_be_visible(timeout=_WITHIN_MS)
        keep_screenshot(page, "node-draining")
    finally:
        page.get_by_role("link", name="Take new clients again").click()
        page.get_by_role("button", name="Take new clients").click()
    eventually(lambda: serves(administrator.front.imap), "it listens again")
    page.reload()
    expect(page.get_by_text("Load average, 1 min")).to_be_visible()
    keep_screenshot(page, "node")
