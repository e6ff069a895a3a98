"""The admin's sidebar, gathered from the apps so that no app has to know another.

An AppConfig declares ``sidebar = [Item(...), ...]``; what the reader may not see is left out.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.http import HttpRequest
from django.urls import reverse
from django.utils.module_loading import import_string

GROUPS: Final = (
    "Mail",
    "Routing",
    "Certificates",
    "Publish",
    "Fleet",
    "Reports",
    "Alerts",
    "Staff",
)
"""Groups in the order shown."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the sidebar."""

    group: str
    title: str
    icon: str
    """Name of a Material symbol."""
    link: str
    """URL name, for instance ``admin:routing_route_changelist``."""
    permission: str
    """Permission without which the entry is not shown, for instance ``routing.view_route``."""
    badge: str = ""
    """Dotted path of a function that gives how many want attention; 0: nothing is shown."""


def build(request: HttpRequest) -> list[dict[str, Any]]:
    """Give the navigation in unfold's form."""
    items = [item for config in apps.get_app_configs() for item in getattr(config, "sidebar", ())]
    groups = []
    for group in GROUPS:
        shown = [_entry(item) for item in items if item.group == group and _may(request, item)]
        if shown:
            groups.append({"title": group, "separator": True, "items": shown})
    return groups


def _may(request: HttpRequest, item: Item) -> bool:
    return request.user.has_perm(item.permission)


def _entry(item: Item) -> dict[str, Any]:
    count: int = import_string(item.badge)() if item.badge else 0
    entry = {"title": item.title, "icon": item.icon, "link": reverse(item.link)}
    return entry | ({"badge": count} if count else {})
