"""Charts as an operator sees them: live on the home page, and what became of them afterwards."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Page, expect

from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot

PAGE = "/admin/stats/rollup/charts/"

_HISTORY = """\
import math, random
from datetime import timedelta
from django.utils import timezone
from appliance.stats.levels import LENGTH, Level, floor
from appliance.stats.models import RollUp
from appliance.stats.numbers import Gauge, Numbers
from proxycore.contract.stats import HISTOGRAM_SIZE
dice, now, rows = random.Random(1), timezone.now(), []
for level, count in ((Level.MINUTE, 1450), (Level.HOUR, 200)):
    for i in range(1, count):
        if level is Level.MINUTE and 300 < i < 345:
            continue
        start, length_s = floor(level, now) - LENGTH[level] * i, LENGTH[level].total_seconds()
        busy = 1.2 + math.sin((start.hour + start.minute / 60) / 24 * 2 * math.pi - 1.6)
        numbers = Numbers()
        for server, share in (("imap", 4), ("submission", 1)):
            logins = int(length_s * busy * share * dice.uniform(0.9, 1.1))
            row = [0] * HISTOGRAM_SIZE
            row[3], row[5], row[8] = logins, logins // 8, logins // 70
            numbers.counts |= {
                f"logins{{server={server}}}": logins,
                f"login_failures{{server={server}}}": logins // 15,
                f"bytes_to_front{{server={server}}}": logins * 200_000,
                f"sessions_closed{{server={server},reason=done}}": logins,
            }
            numbers.histograms[f"auth_time{{server={server}}}"] = row
            numbers.histograms[f"login_time{{server={server}}}"] = row
            numbers.gauges[f"server_sessions{{server={server}}}"] = Gauge(900 * busy * share, 1, 0)
        rows.append(RollUp(
            level=level, start=start, node=0, covered_ms=int(1000 * length_s), data=numbers.pack()
        ))
RollUp.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
"""
_FORGET = "from appliance.stats.models import RollUp\nRollUp.objects.all().delete()"


@pytest.fixture
def history(administrator: Appliance) -> Generator[None, None, None]:
    """A week of numbers, with a gap in the last day."""
    administrator.python(_HISTORY)
    yield
    administrator.python(_FORGET)


def test_a_login_moves_the_charts_of_the_home_page(page: Page) -> None:
    page.goto("/admin/")
    charts = page.locator("#now-charts .chart-card")
    expect(charts).to_have_count(4)
    # the appliance's own node reports by itself
    connected = charts.nth(1).locator("polyline")
    expect(connected.first).to_be_attached(timeout=40_000)


@pytest.mark.usefixtures("history")
def test_a_day_has_its_gap_and_values_under_the_pointer(page: Page) -> None:
    page.goto(f"{PAGE}?range=day")
    logins = page.locator('.chart-card[data-name="logins"]')
    assert logins.locator("polyline.chart-c0").count() >= 2
    box = logins.locator(".chart-svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2)
    tip = logins.locator(".chart-tip")
    expect(tip).to_contain_text("Good")
    expect(tip).to_contain_text("/s")
    after = logins.locator(".chart-svg").bounding_box()
    assert after == box
    keep_screenshot(page, "charts_day")


@pytest.mark.usefixtures("history")
def test_a_line_leads_to_its_server_block_and_back(page: Page) -> None:
    page.goto(f"{PAGE}?range=week&by=server")
    first = page.locator(".chart-card").first
    # others may have logged in meanwhile, elsewhere
    assert {"imap", "submission"} <= set(first.locator(".chart-legend a").all_text_contents())
    first.get_by_role("link", name="submission").click()
    expect(page.locator(".charts-only")).to_contain_text("Only submission")
    expect(page.locator(".chart-card").first).to_contain_text("Good")
    page.get_by_label("Show all").click()
    expect(page.locator(".chart-card").first).to_contain_text("imap")
    page.evaluate("document.documentElement.classList.add('dark')")
    keep_screenshot(page, "charts_dark")


def test_a_part_that_is_looked_at_again_replaces_the_charts(page: Page) -> None:
    page.goto(PAGE)
    page.evaluate("document.querySelector('#charts').firstElementChild.dataset.old = 'yes'")
    expect(page.locator("[data-old]")).to_have_count(0, timeout=15_000)
    expect(page.locator("#charts .chart-card")).to_have_count(7)
