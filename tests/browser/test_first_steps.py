"""What an operator sees first: the sign-in page, then what there is to do."""

from playwright.sync_api import Browser, Page, expect

from tests.support.appliance import Appliance


def test_a_stranger_is_asked_to_sign_in(browser: Browser, administrator: Appliance) -> None:
    context = browser.new_context()
    try:
        page = context.new_page()
        for path in ("/", "/admin/", "/admin/routing/route/", "/admin/fleet/livesession/"):
            page.goto(administrator.url + path)
            expect(page.locator("input[name=password]")).to_be_visible()
    finally:
        context.close()


def test_the_first_password_opens_the_admin(browser: Browser, administrator: Appliance) -> None:
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(f"{administrator.url}/admin/")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", administrator.one_time_password())
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Routes").first).to_be_visible()
    finally:
        context.close()


def test_the_node_is_shown_with_the_active_revision(page: Page) -> None:
    page.goto("/admin/publish/configrevision/")
    expect(page.locator("#revision-status")).to_contain_text("local")
    expect(page.locator("#revision-status li[data-tone=success]")).to_be_visible()
