"""Headless Chromium as an operator uses it."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support import require

ARTEFACTS = Path(__file__).resolve().parents[1] / ".artefacts"

_FLAGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
]


@contextmanager
def chromium() -> Generator[Browser, None, None]:
    """Run Debian's Chromium."""
    program = require.program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS, headless=True)
        try:
            yield browser
        finally:
            browser.close()


def keep_screenshot(page: Page, name: str) -> Path:
    """Write what the page shows to ``tests/.artefacts`` and give the file's path."""
    ARTEFACTS.mkdir(exist_ok=True)
    path = ARTEFACTS / (re.sub(r"[^\w.-]+", "_", name) + ".png")
    page.screenshot(path=path, full_page=True)
    return path


def keep_for_readme(page: Page, name: str) -> None:
    """Keep a picture of one screen that ``make screenshots`` puts into the README."""
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"readme-{name}.png")


def sign_in(page: Page, url: str, user: str, password: str) -> None:
    """Sign in to the admin."""
    page.goto(f"{url}/admin/")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.locator("#login-form button[type=submit], #login-form input[type=submit]").first.click()
    page.wait_for_load_state()
