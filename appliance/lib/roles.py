"""Who may do what: one table of roles, made into groups and permissions after each migration.

A new model is looked up by its own name first, then by its app's. A test sees to it that every app
with permissions has a row. ``docs/staff.md`` shows this table.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.contrib.auth.models import Group, Permission

ADMINISTRATOR: Final = "Administrator"
OPERATOR: Final = "Operator"
HELP_DESK: Final = "Help desk"

NONE: Final = ""
SEE: Final = "see"
ALL: Final = "all"

ROLES: Final[Mapping[str, str]] = {
    ADMINISTRATOR: "does everything, and says who else may do what",
    OPERATOR: "runs the mail proxy: everything but staff and their roles",
    HELP_DESK: "answers users: sees where logins go and why, and changes nothing",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What the roles may do with one part of the appliance."""

    title: str
    help_desk: str
    operator: str
    administrator: str = ALL

    def of(self, role: str) -> str:
        """Give what a role may."""
        by_role = {
            ADMINISTRATOR: self.administrator,
            OPERATOR: self.operator,
            HELP_DESK: self.help_desk,
        }
        return by_role[role]


TABLE: Final[Mapping[str, Row]] = {
    "servers": Row("Server blocks, node processes and node groups", SEE, ALL),
    "routing": Row("Mail hosts, accounts, routes, imports", SEE, ALL),
    "routing.verifier": Row("Password verifiers", NONE, ALL),
    "credentials": Row("App passwords", SEE, ALL),
    "authhttp": Row("Caller secrets", NONE, ALL),
    "certs": Row("Certificates", SEE, ALL),
    "acme": Row("Certificate authorities (ACME)", NONE, ALL),
    "proof": Row("Proof of what is served", SEE, ALL),
    "publish": Row("Publishing and rolling back", SEE, ALL),
    "fleet": Row("Nodes, live sessions, disconnecting", SEE, ALL),
    "history": Row("Sessions that have ended", SEE, ALL),
    "stats": Row("Charts and numbers", SEE, ALL),
    "alerts": Row("Alerts", SEE, ALL),
    "alerts.recipient": Row("Who is told of alerts", NONE, ALL),
    "audit": Row("Audit trail", NONE, SEE, SEE),
    "auth": Row("Staff and roles", NONE, NONE),
}
"""By app, or by model where a model differs from its app."""

OUTSIDE: Final = frozenset({"admin", "axes", "contenttypes", "sessions"})
"""Apps whose permissions nobody needs: they have no pages."""


def row_of(app: str, model: str) -> Row | None:
    """Give the row a model belongs to; None for one that nobody is given."""
    return TABLE.get(f"{app}.{model}") or TABLE.get(app)


def grants(role: str, permission: Permission) -> bool:
    """Tell whether a role has a permission."""
    kind = permission.content_type
    row = row_of(kind.app_label, kind.model)
    if row is None or (kind.app_label == "auth" and kind.model == "permission"):
        return False
    may = row.of(role)
    return may == ALL or (may == SEE and permission.codename.startswith("view_"))


def sync() -> None:
    """Make the groups of the roles what the table says. Other groups stay as they are."""
    everything = list(Permission.objects.select_related("content_type"))
    for role in ROLES:
        group, _ = Group.objects.get_or_create(name=role)
        wanted = {one.pk for one in everything if grants(role, one)}
        if wanted != set(group.permissions.values_list("pk", flat=True)):
            group.permissions.set(wanted)


def sync_after_migrate(app_config: Any, **_: Any) -> None:
    """Sync once the last app has its permissions."""
    # the signal is sent for apps with models only
    if app_config is [one for one in apps.get_app_configs() if one.models_module][-1]:
        sync()


def is_role(group: Group) -> bool:
    """Tell whether a group is one of the table's."""
    return group.name in ROLES


def without_row(labels: Iterable[str]) -> list[str]:
    """Give the apps that the table has forgotten."""
    return [label for label in labels if label not in TABLE and label not in OUTSIDE]
