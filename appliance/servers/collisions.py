"""Who has the socket of a listener already: another block, or this appliance itself."""

from typing import TYPE_CHECKING, Final

from django.conf import settings

if TYPE_CHECKING:
    from appliance.servers.models import Listener, ServerBlock

WILDCARDS: Final = {"", "*", "0.0.0.0", "::"}  # noqa: S104  (compared with)


def problems_of_listener(listener: "Listener") -> dict[str, list[str]]:
    """Say who has the socket of a listener already, by stored field."""
    key = str(listener)
    unix = listener.address.startswith("unix:")
    field = "address" if unix else "port"
    alike = type(listener).objects.filter(port=listener.port).exclude(pk=listener.pk)
    groups = groups_of(listener.block)
    for other in alike.select_related("block"):
        if str(other) != key or not _meet(groups, groups_of(other.block)):
            continue
        if not _may_share(listener, other):
            return {field: [f"Server block “{other.block}” listens on {key} already."]}
    taken = "" if unix else _web_door(listener.address, listener.port)
    return {field: [f"{key} is {taken}: choose another port."]} if taken else {}


def groups_of(block: "ServerBlock") -> set[int]:
    """Give the groups of nodes that run a block, as a form is about to say; none: every node."""
    chosen: set[int] | None = getattr(block, "chosen_groups", None)
    if chosen is not None:
        return chosen
    return {one.pk for one in block.groups.all()} if block.pk else set()


def _meet(one: set[int], other: set[int]) -> bool:
    """Tell whether any node runs both of two blocks, by their groups."""
    return not one or not other or bool(one & other)


def _may_share(one: "Listener", other: "Listener") -> bool:
    """Tell whether two blocks can be told apart by the name a client asks for (SNI).

    The rest of what sharing needs is checked with the whole draft.
    """
    is_tls = all(each.ssl or each.block.starttls != "off" for each in (one, other))
    same = one.block.protocol == other.block.protocol and one.block_id != other.block_id
    return is_tls and same


def _web_door(address: str, port: int) -> str:
    """Name the door of the appliance that a listener on this address would collide with."""
    for purpose, taken in (
        ("the address of this admin", settings.HTTP_PORT),
        ("the address of Postroad's auth service", settings.AUTH_LISTEN_PORT),
    ):
        if port and port == taken and _overlap(address, settings.HTTP_ADDRESS):
            return purpose
    return ""


def _overlap(one: str, other: str) -> bool:
    ones, others = one in WILDCARDS, other in WILDCARDS
    return ones or others or one == other or {one, other} <= {"localhost", "127.0.0.1"}
