"""Lead from what a node has against a revision to the page where the setting is changed."""

import re
from collections.abc import Iterable, Mapping

from appliance.publish import draft, parts, registry
from appliance.publish import queries as publish
from appliance.publish.draft import DraftProblem
from appliance.publish.models import ConfigRevision
from appliance.publish.parts import NO_GROUP
from proxycore.contract.codec import Problem

_SERVER = re.compile(r"servers\[(\d+)\]")


def locate(
    number: int, problems: Iterable[Mapping[str, str]], group: str = NO_GROUP
) -> list[DraftProblem]:
    """Find for each problem with revision ``number`` the stored object it comes from.

    group: that of the node, which knows its part only.
    The draft may have changed since: its server blocks are found by name, not by position.
    """
    revision = ConfigRevision.objects.filter(number=number).first()
    document = parts.document_for(publish.document(revision), group) if revision else {}
    names = _server_names(document)
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
