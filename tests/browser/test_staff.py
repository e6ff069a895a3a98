"""What the help desk sees, who changed what, and who has to wait after wrong passwords."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.support.appliance import ADMINISTRATOR, Appliance
from tests.support.browser import keep_screenshot, sign_in

HELPER_PASSWORD = "canary-7f3a9c-helper"


@pytest.fixture
def helper(browser: Browser, administrator: Appliance) -> Generator[Page, None, None]:
    """Somebody of the help desk, signed in."""
    administrator.python(
        "from django.contrib.auth.models import Group, User\n"
        "user, _ = User.objects.get_or_create(username='helper', is_staff=True)\n"
        f"user.set_password({HELPER_PASSWORD!r})\nuser.save()\n"
        "user.groups.set(Group.objects.filter(name='Help desk'))"
    )
    context = browser.new_context(
        base_url=administrator.url, viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(15_000)
    opened = context.new_page()
    try:
        sign_in(opened, administrator.url, "helper", HELPER_PASSWORD)
        yield opened
    finally:
        context.close()


def test_the_help_desk_looks_and_changes_nothing(helper: Page, administrator: Appliance) -> None:
    administrator.python(
        "from appliance.routing import services\nfrom appliance.routing.models import *\n"
        "services.save_account(Account(login='caller@example.com'))"
    )
    expect(helper.locator("#nav-sidebar, nav").first).to_contain_text("Live sessions")
    for hidden in ("Audit trail", "Caller secrets", "Users"):
        expect(helper.get_by_role("link", name=hidden, exact=True)).to_have_count(0)
    keep_screenshot(helper, "help-desk-overview")
    helper.goto("/admin/routing/account/?q=caller")
    expect(helper.locator(".addlink")).to_have_count(0)
    helper.get_by_role("link", name="caller@example.com").click()
    expect(helper.locator("input[name=login]")).to_have_count(0)
    expect(helper.locator("button[name=_save], input[name=_save]")).to_have_count(0)
    keep_screenshot(helper, "help-desk-account")
    answer = helper.goto("/admin/auth/user/")
    assert answer is not None
    assert answer.status == 403
    expect(helper.locator("h1")).to_have_text("Not allowed")
    keep_screenshot(helper, "help-desk-not-allowed")


def test_the_trail_says_who_changed_what(page: Page) -> None:
    page.goto("/admin/routing/mailhost/add/")
    page.fill("input[name=name]", "trail-mx")
    page.fill("input[name=address]", "192.0.2.55")
    page.click("button[name=_continue], input[name=_continue]")
    page.fill("input[name=weight]", "7")
    page.click("button[name=_continue], input[name=_continue]")
    page.goto("/admin/audit/entry/?q=trail-mx")
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(ADMINISTRATOR)
    expect(rows.first).to_contain_text("127.0.0.1")
    page.goto("/admin/audit/entry/")
    keep_screenshot(page, "audit-trail")
    page.goto("/admin/audit/entry/?q=trail-mx")
    rows.first.locator("a").first.click()
    expect(page.locator(".pr-trail")).to_contain_text("weight")
    keep_screenshot(page, "audit-entry")
    page.locator("#entry").get_by_role("link", name="trail-mx", exact=True).click()
    page.goto(page.url.replace("/change/", "/history/"))
    expect(page.locator("#object-history section")).to_have_count(2)
    keep_screenshot(page, "history-of-an-object")


def test_wrong_passwords_lead_to_waiting_and_an_administrator_ends_it(
    page: Page, browser: Browser, administrator: Appliance
) -> None:
    administrator.python(
        "from django.contrib.auth.models import User\n"
        "user, _ = User.objects.get_or_create(username='clumsy', is_staff=True)\n"
        f"user.set_password({HELPER_PASSWORD!r})\nuser.save()"
    )
    context = browser.new_context(base_url=administrator.url)
    try:
        other = context.new_page()
        for _ in range(5):
            sign_in(other, administrator.url, "clumsy", "wrong")
        expect(other.locator("#locked-out")).to_be_visible()
        keep_screenshot(other, "locked-out")
        page.goto("/admin/auth/user/")
        expect(page.locator("#result_list")).to_contain_text("locked out")
        keep_screenshot(page, "staff-with-one-locked-out")
        administrator.manage("unlock", "clumsy")
        sign_in(other, administrator.url, "clumsy", HELPER_PASSWORD)
        expect(other.locator("#overview")).to_be_visible()
    finally:
        context.close()


_LIST_PAGES = """
from django.contrib import admin
from django.urls import NoReverseMatch, reverse
for model in admin.site._registry:
    first = model._default_manager.values_list('pk', flat=True).first()
    for page in ('changelist', 'add', 'change'):
        name = f'admin:{model._meta.app_label}_{model._meta.model_name}_{page}'
        try:
            if page != 'change':
                print(reverse(name))
            elif first is not None:
                print(reverse(name, args=[first]))
        except NoReverseMatch:
            pass
"""


def test_no_page_has_an_error_or_breaks_its_content_security_policy(
    page: Page, helper: Page, administrator: Appliance
) -> None:
    administrator.python(
        "from appliance.routing import services\nfrom appliance.routing.models import *\n"
        "host = MailHost.objects.first() or services.save_mail_host("
        "MailHost(name='walked', address='192.0.2.9'))\n"
        "Route.objects.exists() or services.save_route(Route(match='default', mail_host=host))"
    )
    addresses = administrator.python(_LIST_PAGES).split()
    assert len(addresses) > 30
    addresses += ["/admin/", "/admin/explain/", "/admin/import/accounts/", "/admin/top-lists/"]
    addresses += ["/admin/stats/rollup/charts/", "/admin/password_change/"]
    for who, opened in (("administrator", page), ("help desk", helper)):
        complaints = _complaints(opened)
        seen = 0
        for address in addresses:
            if who == "help desk" and address.endswith("/add/"):
                continue  # refused; a list and a form are what there is to see
            answer = opened.goto(address)
            assert answer is not None
            assert answer.status in (200, 403), address
            seen += answer.status == 200
            opened.wait_for_load_state("load")
            assert complaints == [], (who, address)
        assert seen > 20


def _complaints(opened: Page) -> list[str]:
    """Give what a page's console says from now on, but for refusals, which are meant."""
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        is_refusal = message.text.startswith("Failed to load resource") and "403" in message.text
        if message.type in ("error", "warning") and not is_refusal:
            said.append(message.text)

    opened.on("console", note)
    opened.on("pageerror", lambda error: said.append(str(error)))
    return said
