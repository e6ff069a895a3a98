"""Names that are suggested for capabilities."""

import pytest
from django.test import Client

from appliance.servers import capabilities, services
from appliance.servers.models import Capability, ServerBlock
from proxycore.contract.protocol import Protocol


@pytest.mark.parametrize("protocol", list(Protocol))
def test_what_is_suggested_can_be_stored_and_is_named_once(
    blocks: dict[str, ServerBlock], protocol: Protocol
) -> None:
    names = capabilities.REGISTERED[protocol]
    assert len(set(names)) == len(names)
    block = blocks[services.DEFAULT_NAMES[protocol]]
    for name in names:
        Capability(block=block, text=name).full_clean()


def test_the_page_suggests_them(as_administrator: Client, blocks: dict[str, ServerBlock]) -> None:
    page = as_administrator.get(f"/admin/servers/serverblock/{blocks['imap'].pk}/change/").text
    for protocol in Protocol:
        assert f'<datalist id="capabilities-{protocol.value}">' in page
    assert '<option value="COMPRESS=DEFLATE">' in page
    assert "servers/capabilities.js" in page


def test_names_are_shown_as_given_and_help_without_backticks(
    as_administrator: Client, blocks: dict[str, ServerBlock]
) -> None:
    page = as_administrator.get(f"/admin/servers/serverblock/{blocks['imap'].pk}/change/").text
    title = page[page.index("<title>") : page.index("</title>")]
    crumbs = page[page.index("Server blocks") :][:3000]
    assert "Imap" not in title + crumbs
    assert "`" not in page
    assert "nginx: timeout." in page
    assert "In nginx.conf, ours: max_commands." in page
    assert "nginx: max_commands" not in page
