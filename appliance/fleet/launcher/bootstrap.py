"""Bring a state directory to where it can serve: whatever a first start lacks is created.

Each step looks first, so that a start that was interrupted is completed by the next.
"""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user_model

from appliance.certs import queries as certificates
from appliance.fleet import queries
from appliance.fleet.models import Node
from appliance.fleet.services import nodes
from appliance.lib import state
from appliance.publish import queries as publish
from proxycore.contract.secret import Secret

ADMINISTRATOR: Final = "admin"
LOCAL_NODE: Final = "local"

_PASSWORD_BYTES: Final = 12


@dataclass(slots=True)
class Outcome:
    """What a start has created."""

    password: Secret | None = None
    """The administrator's, when he was created now."""
    notes: list[str] = field(default_factory=list)
    """What an operator should know of."""
    is_interrupted: bool = False
    """It was told to stop before the programs were started."""
    boot_before: str = ""
    """The local node's boot id of the start before: what it said then says nothing of now."""


def node_dir() -> Path:
    """Give the local node's state directory."""
    return state.make_private_directory(settings.STATE_DIR / "node")


def token_file() -> Path:
    """Give the file that holds the local node's token."""
    return node_dir() / "token"


def create_administrator() -> Secret | None:
    """Create the first administrator; gives his password, or None when there is somebody."""
    users = get_user_model()
    if users.objects.exists():
        return None
    password = Secret(secrets.token_urlsafe(_PASSWORD_BYTES))
    users.objects.create_superuser(ADMINISTRATOR, password=password.reveal())
    return password


def administrator() -> str:
    """Give the name of somebody who may do everything; empty when there is nobody."""
    users = get_user_model().objects.filter(is_superuser=True, is_active=True)
    return str(users.order_by("pk").values_list("username", flat=True).first() or "")


def local_boot() -> str:
    """Give the boot id the local node was last heard with."""
    return Node.objects.values_list("boot_id", flat=True).get(name=LOCAL_NODE)


def enrol_local_node() -> str:
    """See to it that the local node has a token that is good; gives what is to be said of it."""
    path = token_file()
    node = Node.objects.filter(name=LOCAL_NODE).first()
    if node is not None and node.revoked_at is not None:
        return (
            f"The local node is revoked: it serves what it last had. To admit it again, delete"
            f" {path} and the node in the admin, and start again."
        )
    if path.exists() and queries.find_by_token(path.read_text("ascii", "replace").strip()):
        return ""
    if node is None:
        node, token = nodes.enrol(LOCAL_NODE)
    else:
        token = nodes.renew_token(node)
    _write_private(path, token.reveal())
    return ""


def unreadable() -> str:
    """Say what is stored under other keys than ours, and what that means; empty: nothing."""
    lost = certificates.unreadable()
    active = publish.current()
    if not lost and (active is None or publish.is_readable(active)):
        return ""
    which = f" Certificates: {', '.join(one.name for one in lost)}." if lost else ""
    return (
        f"This database was written with other keys than those in {settings.SECRET_KEY_FILE}, so"
        f" secrets in it cannot be read.{which} Nodes serve what they last had, and nothing can be"
        " published. Put the lines of the former key file below the present one and start again,"
        " or give the certificates anew."
    )


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
