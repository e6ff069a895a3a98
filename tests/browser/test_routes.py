"""An operator changes where a user's mail is."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Page, expect

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.wait import eventually

_EFFECTIVE_WITHIN_S = 3.0
"""A doorbell takes milliseconds; a lost one is made up for by the next heartbeat."""


@pytest.fixture
def bobs_route(administrator: Appliance) -> Generator[None, None, None]:
    load = (
        "from appliance.routing import services\n"
        "from appliance.routing.models import MailHost, Route\n"
    )
    administrator.python(
        f"{load}services.save_route(Route(match='user', value='bob', position=1,"
        f" mail_host=MailHost.objects.get(name='{cast.MAILHOST02}')))"
    )
    yield
    administrator.python(f"{load}services.delete(Route.objects.filter(value='bob'))")


def _bobs_host(appliance: Appliance) -> str:
    with clients.imap(appliance.front.imap, cast.BOB, cast.PASSWORDS[cast.BOB]) as client:
        return clients.imap_host(client)


def test_a_changed_route_is_effective_for_the_next_login(
    page: Page, administrator: Appliance, bobs_route: None
) -> None:
    eventually(lambda: _bobs_host(administrator) == cast.MAILHOST02, "bob is on mailhost02")

    page.goto("/admin/routing/route/")
    page.get_by_role("link", name=cast.BOB, exact=True).click()
    page.select_option("select[name=mail_host]", label=cast.MAILHOST01)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()

    eventually(
        lambda: _bobs_host(administrator) == cast.MAILHOST01,
        "bob's next login goes to mailhost01",
        within_s=_EFFECTIVE_WITHIN_S,
    )
