"""A node's part of a revision: its group's server blocks, and nothing of the others (ADR-0037).

Pure. A revision stays one document under one number; what a node is sent is its part, whose digest
is its own. Nodes of groups that no block names, and of none, have the blocks that name no group.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from proxycore.contract.snapshot import Snapshot, groups_of

NO_GROUP: Final = ""
"""Stands for nodes that are in no group."""

_SERVER: Final = re.compile(r"servers\[(\d+)\]")


def part_of(snapshot: Snapshot, group: str) -> Snapshot:
    """Give what nodes of a group run of a snapshot."""
    servers = tuple(
        replace(server, groups=())
        for server in snapshot.servers
        if not server.groups or group in server.groups
    )
    return replace(snapshot, servers=servers)


def document_for(document: Mapping[str, Any], group: str) -> dict[str, Any]:
    """Give the same of a stored document, without reading what is in it."""
    servers = [
        {name: value for name, value in server.items() if name != "groups"}
        for server in _servers(document)
        if _is_for(server, group)
    ]
    return {**document, "servers": servers}


def digests(snapshot: Snapshot) -> dict[str, str]:
    """Give the digest of every part, by group; nothing where all nodes have the whole."""
    names = groups_of(snapshot)
    if not names:
        return {}
    return {name: part_of(snapshot, name).digest() for name in (NO_GROUP, *names)}


def path_in_whole(path: str, groups: Sequence[Sequence[str]], group: str) -> str:
    """Give a path of a node's part as it is in the whole.

    groups: those that each server block of the whole names.
    """
    found = _SERVER.match(path)
    numbers = [i for i, names in enumerate(groups) if not names or group in names]
    if found is None or int(found[1]) >= len(numbers):
        return path
    return f"servers[{numbers[int(found[1])]}]{path[found.end() :]}"


def _servers(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    servers: Sequence[Mapping[str, Any]] = document.get("servers", ())
    return servers


def _is_for(server: Mapping[str, Any], group: str) -> bool:
    return not server.get("groups") or group in server["groups"]
