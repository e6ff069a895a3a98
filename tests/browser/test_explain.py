"""The help desk asks where somebody's mail goes, and why."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Page, expect

from tests.support import cast
from tests.support.appliance import Appliance
from tests.support.browser import keep_for_readme, keep_screenshot

_LOAD = (
    "from datetime import timedelta\n"
    "from django.utils import timezone\n"
    "from appliance.routing import services\n"
    "from appliance.routing.models import Account, MailHost, Route\n"
)


@pytest.fixture
def migration(administrator: Appliance) -> Generator[None, None, None]:
    """Some of a domain are being moved to the second mail host, more of them tonight."""
    administrator.python(
        f"{_LOAD}new = MailHost.objects.get(name='{cast.MAILHOST02}')\n"
        "def route(position, **more):\n"
        "    services.save_route(Route(match='domain', value='uni.example', mail_host=new,"
        " position=position, **more))\n"
        "route(1, action='later', starts_at=timezone.now() + timedelta(hours=6),"
        " ends_at=timezone.now() + timedelta(hours=7))\n"
        "route(2, percent=5)\n"
        "route(3, rewrite='strip')\n"
        "services.save_account(Account(login='zoe@uni.example', networks='192.0.2.0/24'))\n"
    )
    yield
    administrator.python(
        f"{_LOAD}services.delete(Route.objects.filter(value='uni.example'))\n"
        "services.delete(Account.objects.filter(login='zoe@uni.example'))"
    )


def test_who_goes_where_and_why(page: Page, migration: None) -> None:
    page.goto("/admin/routing/account/?q=zoe")
    page.get_by_role("link", name="zoe@uni.example").click()
    page.click("#explain-account")
    expect(page.locator("#decision")).to_contain_text(f"Goes to {cast.MAILHOST02}")
    expect(page.locator("#way")).to_contain_text("not one of the 5 %")
    expect(page.locator("#answer")).to_contain_text("zoe")
    keep_screenshot(page, "explain-a-login")
    keep_for_readme(page, "explain")

    page.fill("input[name=client_ip]", "198.51.100.7")
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("#decision")).to_have_text("blockIs refused, whatever the password")
    expect(page.locator("#way")).to_contain_text("The client is in 192.0.2.0/24")
    keep_screenshot(page, "explain-a-refusal")


def test_a_route_of_a_migration_is_made_by_hand(page: Page, migration: None) -> None:
    page.goto("/admin/routing/route/?q=uni.example")
    keep_screenshot(page, "routes-of-a-migration")
    page.get_by_role("link", name="uni.example").nth(1).click()
    page.fill("input[name=percent]", "25")
    keep_screenshot(page, "route-with-a-percentage")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("25 %")).to_be_visible()
