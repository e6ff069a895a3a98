"""An operator looks after a mail host: it answers, and is emptied."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Page, expect

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot
from tests.support.wait import eventually

_PROBED_WITHIN_MS = 40_000
"""Every 15 s, once the worker has started."""
_SEEN_WITHIN_MS = 15_000


@pytest.fixture
def untouched(administrator: Appliance) -> Generator[None, None, None]:
    """The mail host takes logins again afterwards."""
    yield
    administrator.python(
        "from appliance.routing import services\n"
        "from appliance.routing.models import MailHost\n"
        f"host = MailHost.objects.get(name='{cast.MAILHOST02}')\n"
        "host.state, host.hold = 'up', 'later'\n"
        "services.save_mail_host(host)"
    )


def _is_let_in(appliance: Appliance) -> bool:
    try:
        with clients.imap(appliance.front.imap, cast.ZOE, cast.PASSWORDS[cast.ZOE]):
            return True
    except clients.imaplib.IMAP4.error:
        return False


@pytest.mark.usefixtures("untouched")
def test_a_mail_host_is_drained_and_taken_back(page: Page, administrator: Appliance) -> None:
    with clients.imap(administrator.front.imap, cast.ZOE, cast.PASSWORDS[cast.ZOE]) as session:
        page.goto("/admin/routing/mailhost/")
        row = page.locator("#result_list tbody tr").filter(has_text=cast.MAILHOST02)
        row.locator(".field-show_health a").click()
        expect(page.locator("#backend-sessions")).to_have_text("1", timeout=_SEEN_WITHIN_MS)
        door = page.locator("#doors tr").filter(has_text="IMAP")
        expect(door).to_contain_text("up", timeout=_PROBED_WITHIN_MS)
        expect(door).to_contain_text("ms")
        keep_screenshot(page, "backend")

        page.locator("#drain").get_by_role("button", name="Drain").click()
        expect(page.locator("#backend-state")).to_have_text("draining")
        expect(page.locator("#backend-progress")).to_have_text(
            "Empty: no session is left.", timeout=_SEEN_WITHIN_MS
        )
        with pytest.raises(session.abort):
            session.noop()
    eventually(lambda: not _is_let_in(administrator), "logins are held")
    keep_screenshot(page, "backend_draining")
    page.get_by_role("button", name="Take logins again").click()
    expect(page.locator("#backend-state")).to_have_text("takes logins")
    eventually(lambda: _is_let_in(administrator), "logins are let in again")
