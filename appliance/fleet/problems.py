"""Lead from what a node has against a revision to the page where the setting is changed."""

import re
from collections.abc import Iterable, Mapping

from appliance.publish import draft, registry
from appliance.publish import queries as publish
from appliance.publish.draft import DraftProblem
from appliance.publish.models import ConfigRevision
from proxycore.contract.codec import Problem

_SERVER = re.compile(r"servers\[(\d+)\]")


def locate(number: int, problems: Iterable[Mapping[str, str]]) -> list[DraftProblem]:
    """Find for each problem with revision ``number`` the stored object it comes from.

    The draft may have changed since: its server blocks are found by name, not by position.
    """
    revision = ConfigRevision.objects.filter(number=number).first()
    names = _server_names(publish.document(revision)) if revision else []
    sections = registry.sections()
    origins = {
        path: origin
        for section in sections
        for path, origin in section.origins.items()
        # a listener may be another one by now; the node's message names the socket it means
        if ".listens[" not in path
    }
    drafted = [name for section in sections for name in _server_names(section.plain)]
    return [
        draft.locate(Problem(_moved(each["path"], names, drafted), each["message"]), origins)
        for each in problems
    ]


def _server_names(document: Mapping[str, object]) -> list[str]:
    servers = document.get("servers", ())
    assert isinstance(servers, list | tuple)
    return [str(server["name"]) for server in servers]


def _moved(path: str, names: list[str], drafted: list[str]) -> str:
    """Give the path as it is in the draft; one whose block is gone is left as told, unlinked."""
    found = _SERVER.match(path)
    if found is None or int(found[1]) >= len(names):
        return path
    name = names[int(found[1])]
    if name not in drafted:
        return f"{name}{path[found.end() :]}"
    return f"servers[{drafted.index(name)}]{path[found.end() :]}"
