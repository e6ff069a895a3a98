"""An operator makes a group of nodes with a server block of its own, and moves a node there."""

from collections.abc import Generator

import pytest
from playwright.sync_api import Page, expect

from tests.support.appliance import Appliance
from tests.support.browser import keep_screenshot
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import refuses, serves

_WITHIN_MS = 15_000
_REVISIONS = "/admin/publish/configrevision/"

_AS_BEFORE = """
from appliance.fleet.models import Node
from appliance.fleet.services import groups, nodes
from appliance.publish import services
from appliance.servers.models import NodeGroup
for node in Node.objects.exclude(group=None):
    node.group = None
    nodes.configure(node)
services.roll_back({number}, load_draft=True)
for group in NodeGroup.objects.all():
    groups.delete(group)
"""


@pytest.fixture
def as_before(administrator: Appliance) -> Generator[None, None, None]:
    """Whatever is published: what was is published again, on a node in no group."""
    number = administrator.python(
        "from appliance.publish import queries\nprint(queries.current().number)"
    ).strip()
    yield
    administrator.python(_AS_BEFORE.format(number=number))


def _save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("successfully")).to_be_visible()


def test_a_group_has_a_block_of_its_own(
    page: Page, administrator: Appliance, as_before: None
) -> None:
    page.goto("/admin/servers/nodegroup/add/")
    page.get_by_label("Name").fill("dmz")
    page.get_by_label("Note").fill("towards the world")
    _save(page)
    port = free_port()
    page.goto("/admin/servers/serverblock/add/")
    page.fill("input[name=name]", "imap-dmz")
    page.select_option("select[name=protocol]", "imap")
    page.get_by_label("dmz (towards the world)").check()
    page.fill("input[name=listeners-0-address]", "127.0.0.1")
    page.fill("input[name=listeners-0-port]", str(port))
    keep_screenshot(page, "server-block-groups")
    _save(page)
    page.goto(_REVISIONS)
    expect(page.locator("#pending")).to_contain_text(
        'server block "imap-dmz": added, only for nodes of dmz'
    )
    expect(page.locator("[data-unserved]")).to_contain_text("imap-dmz")
    keep_screenshot(page, "publish-groups")
    page.locator("#publish-button").click()
    expect(page.get_by_text("is published. Below")).to_be_visible(timeout=_WITHIN_MS)
    assert refuses(port)
    page.goto("/admin/fleet/node/")
    page.get_by_role("link", name="local", exact=True).click()
    page.select_option("select[name=group]", label="dmz")
    keep_screenshot(page, "node-in-a-group")
    _save(page)
    eventually(lambda: serves(port), "the node of the group serves it")
    page.goto("/admin/servers/nodegroup/")
    expect(page.get_by_text("running", exact=True)).to_be_visible()
    keep_screenshot(page, "node-groups")
    page.get_by_role("link", name="dmz", exact=True).click()
    expect(page.locator("#group-nodes")).to_contain_text("running revision")
    expect(page.locator("#group-blocks")).to_contain_text("imap-dmz")
    keep_screenshot(page, "node-group")
    page.goto(page.url.replace("/change/", "/delete/"))
    expect(page.get_by_text("These nodes are in it: local.")).to_be_visible()
    keep_screenshot(page, "node-group-delete")
