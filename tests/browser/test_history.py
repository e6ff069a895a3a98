"""The help desk looks up what became of somebody's logins."""

import imaplib
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot

_SEEN_WITHIN_MS = 5_000

WRONG = "canary-wrong-7f3a9"


@pytest.fixture(scope="module")
def past(administrator: Appliance) -> None:
    """Alice was in and out, Zoe mistyped her password and gave up."""
    port = administrator.front.imap
    with clients.imap(port, cast.ALICE, cast.PASSWORDS[cast.ALICE]) as alice:
        alice.select(readonly=True)
        clients.fetch(alice, "1", "(RFC822)")
    with clients.imap(port) as zoe, pytest.raises(imaplib.IMAP4.error):
        zoe.login(cast.ZOE, WRONG)


def search(page: Page, **asked: str) -> None:
    """Fill the form and search until something is found: a record takes a moment."""
    for _ in range(10):
        page.goto("/admin/history/sessionrecord/")
        for name, value in asked.items():
            field = page.locator(f"#id_{name}")
            if name == "outcome":
                field.select_option(label=value)
            else:
                field.fill(value)
        page.get_by_role("button", name="Search", exact=True).click()
        if page.locator("#history-list").count():
            return
        page.wait_for_timeout(500)
    raise AssertionError("nothing was found")


def test_a_users_sessions_are_found_and_explained(page: Page, past: None) -> None:
    search(page, user=cast.ALICE.upper())
    row = page.locator("#history-list tbody tr").first
    expect(row).to_contain_text(cast.ALICE)
    expect(row).to_contain_text("127.0.0.1")
    expect(row).to_contain_text("Logged in")
    keep_screenshot(page, "history_list")
    row.get_by_role("link").click()
    expect(page.locator("#session")).to_contain_text("Logged in")
    expect(page.locator("#way li").first).to_contain_text("Waited for the login")
    expect(page.locator("#way")).to_contain_text("Logged in there")
    expect(page.locator(".history-bar rect")).to_have_count(4)
    widths = page.locator(".history-bar rect").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().width)"
    )
    assert all(width >= 4 for width in widths)
    keep_screenshot(page, "history_session")
    page.get_by_role("link", name="Where would this user go now?").click()
    expect(page.locator("#decision")).to_contain_text("Goes to")
    page.locator("#its-sessions").click()
    expect(page.locator("#history-list tbody tr").first).to_contain_text(cast.ALICE)


def test_a_failed_login_says_why_and_what_to_do(page: Page, past: None) -> None:
    search(page, user=cast.ZOE, outcome="failed logins")
    row = page.locator("#history-list tbody tr").first
    expect(row).to_contain_text("Failed login")
    row.get_by_role("link").click()
    cause = page.locator("#cause")
    expect(cause).to_contain_text("The auth service refused the credentials.")
    expect(cause).to_contain_text("What to do:")
    assert WRONG not in page.content()
    keep_screenshot(page, "history_failed_login")


def test_failures_of_a_network_are_counted_out_and_taken_away(
    page: Page, past: None, tmp_path: Path
) -> None:
    search(page, address="127.0.0.0/8", outcome="failed logins")
    with page.expect_download() as begun:
        page.locator("#history-export").click()
    path = tmp_path / "history.csv"
    begun.value.save_as(path)
    lines = path.read_text().splitlines()
    assert lines[0].startswith("began_at,ended_at,kind,address,node,account")
    # others who share the appliance have failed there, too
    assert all(",failed login,127." in line for line in lines[1:])
    assert any(",failed login,127.0.0.1,local," in line for line in lines[1:])
    assert WRONG not in path.read_text()


def test_an_account_shows_its_last_sessions(
    page: Page, past: None, administrator: Appliance
) -> None:
    administrator.python(
        "from appliance.routing.models import Account\n"
        "from appliance.credentials import services\n"
        f"if not Account.objects.filter(login={cast.ALICE!r}).exists():\n"
        f"    services.save_account(Account(login={cast.ALICE!r}))\n"
    )
    page.goto(f"/admin/routing/account/?q={cast.ALICE}")
    row = page.locator("#result_list tbody tr").filter(has_text=cast.ALICE).first
    expect(row.locator(".field-show_last")).to_have_text(re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d"))
    row.get_by_role("link", name=cast.ALICE).click()
    sessions = page.locator("#account-sessions")
    expect(sessions).to_contain_text("Last let in on")
    expect(sessions.locator("tbody tr").first).to_contain_text("Logged in")
    keep_screenshot(page, "history_of_account")
    sessions.get_by_role("link", name="All").click()
    expect(page.locator("#history-list tbody tr").first).to_contain_text(cast.ALICE)
