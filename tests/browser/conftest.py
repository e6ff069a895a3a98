"""One Chromium for the run, a signed-in page for each test, a picture of each failure."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.appliance import ADMINISTRATOR, ADMINISTRATOR_PASSWORD, Appliance
from tests.support.browser import chromium, keep_screenshot, sign_in


@pytest.fixture(scope="package")
def browser() -> Generator[Browser, None, None]:
    """Chromium. Its driver runs an event loop, beside which no other test could run one."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def administrator(appliance: Appliance) -> Appliance:
    """The appliance, with the administrator whose password the tests know."""
    appliance.make_administrator()
    return appliance


@pytest.fixture
def page(
    browser: Browser, administrator: Appliance, request: pytest.FixtureRequest
) -> Generator[Page, None, None]:
    """A signed-in page; an error in its scripts or a request to anybody else fails the test."""
    context = browser.new_context(
        base_url=administrator.url, viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(15_000)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda asked: _note_stranger(asked.url, administrator.url, errors))
    try:
        sign_in(opened, administrator.url, ADMINISTRATOR, ADMINISTRATOR_PASSWORD)
        yield opened
        keep_screenshot(opened, request.node.name)
        assert errors == []
    finally:
        context.close()


def _note_stranger(url: str, ours: str, errors: list[str]) -> None:
    allowed = (ours, ours.replace("http:", "ws:"), "data:", "blob:")
    if not url.startswith(allowed):
        errors.append(f"request to {url}")
