"""An operator gives somebody an app password and sees which passwords could be read back."""

import re

from playwright.sync_api import Page, expect

from tests.support.browser import keep_screenshot


def test_an_account_with_a_readable_password_is_marked(page: Page) -> None:
    page.goto("/admin/routing/account/add/")
    page.fill("input[name=login]", "apop@example.com")
    page.fill("input[name=password]", "canary-7f3a9c-browser")
    page.locator("label:has-text('Keep the password readable')").first.click()
    page.click("button[name=_continue], input[name=_continue]")
    expect(page.locator("#readable-mark")).to_be_visible()
    page.goto("/admin/routing/account/?q=apop")
    expect(page.locator("#result_list, table").first).to_contain_text("readable")
    keep_screenshot(page, "accounts-with-a-readable-password")


def test_an_app_password_is_made_used_up_and_revoked(page: Page) -> None:
    page.goto("/admin/routing/account/add/")
    page.fill("input[name=login]", "phone@example.com")
    page.click("button[name=_continue], input[name=_continue]")
    page.click("#new-app-password")
    page.fill("input[name=name]", "Phone")
    page.fill("input[name=networks]", "192.0.2.0/24")
    keep_screenshot(page, "app-password-new")
    page.click("text=Make it")
    shown = page.locator("#app-password").inner_text()
    assert re.fullmatch(r"(?:[a-z0-9]{5}-){3}[a-z0-9]{5}", shown)
    keep_screenshot(page, "app-password-shown-once")
    page.click("text=Done, I have copied it")
    expect(page.locator("input[name=app_passwords-0-name]")).to_have_value("Phone")
    assert shown not in page.content()
    keep_screenshot(page, "app-passwords-of-an-account")
    page.locator("input[name=app_passwords-0-DELETE]").evaluate("box => { box.checked = true }")
    page.click("button[name=_continue], input[name=_continue]")
    expect(page.locator("input[name=app_passwords-0-name]")).to_have_count(0)
