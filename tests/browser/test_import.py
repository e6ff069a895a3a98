"""An operator brings accounts in by CSV: what the file would do, what is wrong, then done."""

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.appliance import Appliance
from tests.support.browser import keep_for_readme, keep_screenshot


@pytest.fixture
def file(tmp_path: Path, administrator: Appliance) -> Generator[Path, None, None]:
    lines = [f"student{i}@csv.example,yes,mailhost02" for i in range(3000)]
    lines[2] = "student2@csv.example,perhaps,mailhost02"
    lines[1500] = "student1500@csv.example,yes,mailhost99"
    path = tmp_path / "accounts.csv"
    path.write_text("\n".join(["login,enabled,mail_host", *lines]) + "\n")
    yield path
    administrator.python(
        "from appliance.routing import services\n"
        "from appliance.routing.models import Account\n"
        "services.delete(Account.objects.filter(login__endswith='@csv.example'))"
    )


def test_accounts_are_imported(page: Page, file: Path) -> None:
    page.goto("/admin/routing/account/")
    page.click("#import-accounts")
    keep_screenshot(page, "import-a-file")
    page.set_input_files("input[type=file]", file)
    page.get_by_role("button", name="Check the file").click()
    expect(page.locator("#bad-lines")).to_contain_text("There is no “mailhost99”.", timeout=30_000)
    expect(page.locator("#job")).to_have_attribute("data-state", "checked", timeout=30_000)
    keep_screenshot(page, "import-what-it-would-do")
    keep_for_readme(page, "import")
    page.get_by_role("button", name="Import 2998 accounts, leave 2 out").click()
    expect(page.locator("#job")).to_contain_text("2998 accounts are imported", timeout=60_000)
    keep_screenshot(page, "import-done")
    page.goto("/admin/routing/account/?q=student2999")
    expect(page.locator("#result_list")).to_contain_text("mailhost02")
