"""An operator changes how a server block greets its clients, and lets saving publish."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Page, expect

from tests.support.appliance import Appliance
from tests.support.browser import keep_for_readme, keep_screenshot
from tests.support.clients import Line
from tests.support.wait import eventually

REVISIONS = "/admin/publish/configrevision/"


@pytest.fixture
def as_before(administrator: Appliance) -> Generator[None, None, None]:
    """Whatever is published: what was is published again."""
    before = administrator.python(
        "from appliance.publish import queries\nprint(queries.current().number)"
    ).strip()
    yield
    administrator.python(
        "from appliance.publish import on_save, services\n"
        "on_save.switch(False, 10)\n"
        f"services.roll_back({before}, load_draft=True)"
    )


def _open(page: Page, block: str) -> None:
    page.goto("/admin/servers/serverblock/")
    page.get_by_role("link", name=block, exact=True).click()


def test_capabilities_are_listed_with_suggestions_and_what_is_wrong_is_said(
    page: Page, as_before: None
) -> None:
    _open(page, "imap")
    expect(page.locator("h1").first).not_to_contain_text("Imap")
    for number, name in enumerate(("IMAP4rev1", "UIDPLUS", "no capability")):
        page.locator("#capabilities-group a.add-row, #capabilities-group tr.add-row a").last.click()
        field = page.locator(f"input[name=capabilities-{number}-text]")
        field.fill(name)
        expect(field).to_have_attribute("list", "capabilities-imap")
    page.fill("input[name=timeout_ms]", "0")
    page.get_by_role("button", name="Save and continue editing").click()
    errors = page.locator(".errorlist, .errornote, .text-red-600, .text-red-500")
    expect(errors.first).to_be_visible()
    keep_screenshot(page, "server-block-errors")
    page.fill("input[name=timeout_ms]", "90000")
    page.fill("input[name=capabilities-2-text]", "IDLE")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    expect(page.locator("input[name=capabilities-2-text]")).to_have_value("IDLE")
    keep_screenshot(page, "server-block")
    page.goto(REVISIONS)
    expect(page.locator("#pending")).to_contain_text("imap_capabilities")
    expect(page.locator("#verdicts li[data-state=fine]")).to_be_visible(timeout=15_000)
    keep_screenshot(page, "publish-page")
    keep_for_readme(page, "publish")


def test_what_is_saved_is_published_by_itself(
    page: Page, administrator: Appliance, as_before: None
) -> None:
    page.goto(REVISIONS)
    page.fill("#quiet_s", "2")
    page.click("#on-save-on")
    expect(page.get_by_text("published by themselves from now on")).to_be_visible()
    for greeting in ("good day", "good evening"):
        _open(page, "imap")
        page.fill("input[name=imap_greeting]", greeting)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("was changed successfully")).to_be_visible()
    expect(page.locator("#pending-banner")).to_contain_text("published by themselves 2 s after")
    keep_screenshot(page, "publish-on-save-waits")

    def greets() -> bool:
        with Line(administrator.front.imap) as line:
            return "good evening" in line.line()

    eventually(greets, "the node says what was saved", within_s=20)
    page.goto(REVISIONS)
    expect(page.locator("#on-save-said")).to_contain_text("was published by itself")
    expect(page.locator("#result_list")).to_contain_text("Published on save, 2 saves")
    keep_screenshot(page, "publish-on-save")
