"""The default server blocks, and the ports the environment gives them.

The first start takes the ports from the environment. Later the admin is where they are changed;
the environment is followed once more when what it says has changed since the last start, so that
``POSTROAD_IMAP_PORT=2143 make run`` helps against a taken port and never undoes an operator's work.
"""

import json
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError

from appliance.fleet.launcher.bootstrap import LOCAL_NODE
from appliance.fleet.launcher.ports import Door
from appliance.fleet.models import Node
from appliance.publish import draft
from appliance.publish import queries as publish
from appliance.publish import services as publishing
from appliance.publish.models import ConfigRevision
from appliance.publish.parts import NO_GROUP, part_of
from appliance.servers import services as servers
from appliance.servers.models import Listener, ServerBlock
from proxycore.contract.snapshot import Server, Snapshot

Which = tuple[str, bool]
"""The name of a default block, and whether its listener with TLS from the first octet is meant."""

VARIABLES: Final[Mapping[Which, str]] = {
    (servers.DEFAULT_NAMES[protocol], is_ssl): variable
    for protocol, variables in servers.PORT_SETTINGS.items()
    for variable, is_ssl in variables.items()
}
"""The setting that holds the port of each default listener."""

_NAMES: Final = tuple(servers.DEFAULT_NAMES.values())

_LISTEN_ADDRESS: Final = "LISTEN_ADDRESS"
_ADDRESS_VARIABLE: Final = f"POSTROAD_{_LISTEN_ADDRESS}"


def doors() -> list[Door]:
    """Give every address the local node will be told to listen on."""
    if not ServerBlock.objects.exists():
        return [
            _door(which, settings.LISTEN_ADDRESS, getattr(settings, setting), _ADDRESS_VARIABLE)
            for which, setting in VARIABLES.items()
            if getattr(settings, setting) and (settings.TLS or not which[1])
        ]
    return _doors(publish.current(), wanted_ports())


def doors_of(number: int) -> list[Door]:
    """Give every address at which the local node listens by a published revision."""
    return _doors(ConfigRevision.objects.filter(number=number).first(), {})


def _doors(revision: ConfigRevision | None, wanted: Mapping[Which, int]) -> list[Door]:
    return [
        _door(
            (server.name, listen.ssl),
            listen.address,
            wanted.get((server.name, listen.ssl), listen.port),
        )
        for server in part_of(publish.readable(revision), _group_of_local_node()).servers
        for listen in server.listens
        if not listen.address.startswith("unix:")
    ]


def _group_of_local_node() -> str:
    node = Node.objects.filter(name=LOCAL_NODE).select_related("group").first()
    return node.group_name if node is not None else NO_GROUP


def _door(which: Which, address: str, port: int, address_variable: str = "") -> Door:
    variable = f"POSTROAD_{VARIABLES[which]}" if which in VARIABLES else ""
    purpose = f"Server block {_shown(which)}"
    return Door(purpose, address, port, variable, address_variable, is_tls=which[1])


def _shown(which: Which) -> str:
    name, is_ssl = which
    return f"{name} (TLS)" if is_ssl else name


def create() -> bool:
    """Create and publish the default blocks if there is no block yet."""
    if not servers.create_default_blocks(_own_names() if settings.TLS else ()):
        return False
    publishing.publish(note="First start")
    _remember()
    return True


def _own_names() -> list[str]:
    """Give names that clients of a first start may use, for its certificate."""
    found = [socket.gethostname().lower(), "localhost", "127.0.0.1", "::1"]
    return [name for name in found if re.fullmatch(r"[0-9a-z.:-]{1,64}", name)]


def follow_environment() -> list[str]:
    """Bring ports and the auth service's address up to the environment; say what was done."""
    notes = _ignored_address()
    followed = set()
    for which, port in wanted_ports().items():
        name = _shown(which)
        listener = Listener.objects.get(block__name=which[0], ssl=which[1])
        listener.port = port
        try:
            servers.save_listener(listener)
        except ValidationError as error:
            notes.append(f"Server block {name} cannot get port {port}: {' '.join(error.messages)}")
        else:
            followed.add(which[0])
            notes.append(f"Server block {name} now listens on port {port}.")
    _remember()
    revision = publish.current()
    drafted = draft.build().snapshot
    if revision is None or drafted is None or revision.digest == drafted.digest():
        return notes
    expected = _as_environment_says(publish.snapshot(revision), drafted, followed)
    if expected.digest() == drafted.digest():
        publishing.publish(note="Settings of the environment changed")
    elif followed or expected.digest() != revision.digest:
        notes.append(
            "The environment has changed, and so has the unpublished draft:"
            " look at it in the admin and publish, or nodes go on with the old settings."
        )
    return notes


def wanted_ports() -> dict[Which, int]:
    """Give the ports by listener that the environment asks for now and did not at last start."""
    remembered = _read_remembered()
    wanted = {}
    for (name, is_ssl), setting in VARIABLES.items():
        port = getattr(settings, setting)
        if not port or f"POSTROAD_{setting}" not in os.environ or remembered.get(setting) == port:
            continue
        there = Listener.objects.filter(block__name=name, ssl=is_ssl)
        ports = list(there.values_list("port", flat=True))
        # with several listeners nobody can say which is meant
        if len(ports) == 1 and ports[0] != port:
            wanted[name, is_ssl] = port
    return wanted


def _ignored_address() -> list[str]:
    """Say once that another address for the listeners has come too late to be followed."""
    address = settings.LISTEN_ADDRESS
    if _ADDRESS_VARIABLE not in os.environ or _read_remembered().get(_LISTEN_ADDRESS) == address:
        return []
    others = Listener.objects.filter(block__name__in=_NAMES).exclude(address=address)
    if not others.exists():
        return []
    return [
        f"{_ADDRESS_VARIABLE} counts at the first start only: the listeners keep their addresses."
        " Change them in the admin and publish."
    ]


def _as_environment_says(old: Snapshot, drafted: Snapshot, followed: set[str]) -> Snapshot:
    """Give the published snapshot with what comes from the environment as the draft has it."""
    now = {server.name: server for server in drafted.servers}

    def follow(server: Server) -> Server:
        other = now.get(server.name)
        if other is None:
            return server
        if server.auth_http.send_node_token and other.auth_http.send_node_token:
            server = replace(server, auth_http=other.auth_http)
        return replace(server, listens=other.listens) if server.name in followed else server

    return replace(old, servers=tuple(map(follow, old.servers)))


def _file() -> Path:
    path: Path = settings.STATE_DIR / "environment.json"
    return path


def _remember() -> None:
    names = (*VARIABLES.values(), _LISTEN_ADDRESS)
    now = {setting: getattr(settings, setting) for setting in names}
    _file().write_text(json.dumps(now), encoding="ascii")


def _read_remembered() -> dict[str, Any]:
    try:
        found = json.loads(_file().read_text(encoding="ascii"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
