"""The sections of a snapshot that come from here, as they are drafted."""

from functools import partial
from typing import Any, Final

from django.conf import settings
from django.urls import reverse

from appliance.lib.fields import Unreadable
from appliance.lib.vault import Undecryptable
from appliance.publish.registry import Origin, Section
from appliance.servers.models import ServerBlock
from appliance.servers.problems import field_of
from appliance.servers.queries import process_settings
from appliance.servers.snapshot import block_plain, process_plain
from proxycore.contract.codec import Problem

_ROWS: Final = (
    *("groups", "listeners", "capabilities", "auth_headers", "logs", "ticket_keys"),
    "chosen__certificate",
)


def servers() -> Section:
    """Build the section from every enabled block, in eight queries, or nine with certificates."""
    blocks = ServerBlock.objects.filter(enabled=True).select_related("proxy_ssl_certificate")
    blocks = blocks.prefetch_related(*_ROWS)
    found: list[dict[str, Any]] = []
    origins: dict[str, Origin] = {}
    problems: list[Problem] = []
    for block in blocks:
        here = f"servers[{len(found)}]"
        origins[here] = Origin(
            f'server block "{block.name}"',
            reverse("admin:servers_serverblock_change", args=[block.pk]),
            _block_anchor,
        )
        for number, listener in enumerate(block.listeners.all()):
            label = f"{origins[here].label}, listener {listener}"
            anchor = partial(_listener_anchor, number)
            origins[f"{here}.listens[{number}]"] = Origin(label, origins[here].url, anchor)
        try:
            found.append(block_plain(block))
        except Undecryptable:
            found.append({"name": block.name})
            problems += _unreadable(block, here)
    return Section({"servers": found}, origins, problems)


def _unreadable(block: ServerBlock, here: str) -> list[Problem]:
    """Say which secrets of a block no key of ours fits."""
    used = [one.certificate for one in block.chosen.all()]
    if block.proxy_ssl_certificate is not None:
        used.append(block.proxy_ssl_certificate)
    names = [one.name for one in used if isinstance(one.private_key, Unreadable)]
    what = f"the key of certificate “{'”, “'.join(names)}”" if names else "a stored secret"
    text = f"{what} cannot be read with the keys in {settings.SECRET_KEY_FILE}"
    return [Problem(f"{here}.front_tls.certificates" if names else here, text)]


def _block_anchor(path: str) -> str:
    return f"id_{field_of(path)}" if path else ""


def _listener_anchor(number: int, path: str) -> str:
    return f"id_listeners-{number}-{path or 'port'}"


def process() -> Section:
    """Build the section of the nodes' processes."""
    url = reverse("admin:servers_processsettings_changelist")
    return Section(
        {"process": process_plain(process_settings())}, {"process": Origin("node processes", url)}
    )
