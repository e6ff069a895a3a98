"""What every page demands, in one table, enforced before any view runs.

A page that is in none of the tables is for superusers alone, and a test fails: to add a page means
to say here who may have it.
The pages of a registered model (list, add, change, delete, history) need no row: they demand the
model's own permissions. A view may demand more by itself, never less.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, reverse
from django.utils.deprecation import MiddlewareMixin

log = logging.getLogger(__name__)

PUBLIC: Final = "public"
"""For everybody."""
STAFF: Final = "staff"
"""For everybody who is signed in as a member of staff."""

SUPERUSER: Final = "superuser"
"""For nobody else: what a page demands of which nothing is said."""

_SAFE: Final = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Guard:
    """What is needed to read a page and to send something to it.

    Permissions in one string: all of the words, or all of those behind a ``|``.
    """

    read: str
    write: str = ""
    """Empty: the same."""

    def needs(self, method: str) -> str:
        """Give what a request needs."""
        return self.read if method in _SAFE else self.write or self.read


_ACCOUNTS: Final = "routing.add_account routing.change_account"
_IMPORT: Final = f"{_ACCOUNTS} | routing.add_route routing.change_route"
_PUBLISH: Final = "publish.publish_configrevision"
_REVISION: Final = "publish.view_configrevision"

GUARDS: Final[Mapping[str, Guard]] = {
    # everybody
    "home": Guard(PUBLIC),
    "favicon": Guard(PUBLIC),
    "admin:login": Guard(PUBLIC),
    "admin:jsi18n": Guard(PUBLIC),
    # all of the staff
    "admin:index": Guard(STAFF),
    "admin:search": Guard(STAFF),
    "admin:logout": Guard(STAFF),
    "admin:password_change": Guard(STAFF),
    "admin:password_change_done": Guard(STAFF),
    "admin:autocomplete": Guard(STAFF),
    "admin:view_on_site": Guard(STAFF),
    "admin:app_list": Guard(STAFF),
    # staff
    "admin:auth_user_password_change": Guard("auth.change_user"),
    "admin:audit_entry_export": Guard("audit.view_entry"),
    # routing
    "explain": Guard("routing.view_route routing.view_account"),
    "import": Guard(_IMPORT),
    "import_job": Guard(_IMPORT),
    "import_bad_lines": Guard(_IMPORT),
    "export": Guard("routing.view_account | routing.view_route"),
    "backend": Guard("routing.view_mailhost"),
    "backend_drain": Guard("routing.change_mailhost"),
    "backend_resume": Guard("routing.change_mailhost"),
    "admin:routing_account_app_password": Guard("routing.change_account"),
    # publish
    "admin:publish_on_save": Guard(_PUBLISH),
    "admin:publish_publish": Guard(_PUBLISH),
    "admin:publish_check": Guard(_PUBLISH),
    "admin:publish_roll_back": Guard(_PUBLISH),
    "admin:publish_load": Guard(_PUBLISH),
    "admin:publish_import": Guard(f"{_PUBLISH} servers.change_serverblock"),
    "admin:publish_export_draft": Guard(_REVISION),
    "admin:publish_export": Guard(_REVISION),
    "admin:proof_look": Guard("proof.look_sighting"),
    # reports
    "admin:stats_charts": Guard("stats.view_rollup"),
    "metrics": Guard(PUBLIC),
    # fleet
    "enrol": Guard(PUBLIC),  # for machines: their one-time code is what admits them
    "admin:fleet_livesession_waiting": Guard("fleet.view_livesession"),
    "admin:fleet_node_drain": Guard("fleet.change_node"),
    "admin:fleet_node_revoke": Guard("fleet.change_node"),
    "admin:fleet_node_token": Guard("fleet.change_node"),
    # certificates
    "admin:acme_account_register": Guard("acme.change_account"),
    "admin:acme_account_key": Guard("acme.change_account"),
    "admin:acme_issuance_order": Guard("acme.change_issuance"),
    "admin:acme_issuance_revoke": Guard("acme.change_issuance"),
    "admin:certs_authority_issue": Guard("certs.change_authority"),
    "admin:certs_authority_pem": Guard("certs.view_authority"),
    "admin:certs_authority_crl": Guard("certs.view_authority"),
    "admin:certs_issued_revoke": Guard("certs.change_authority"),
    "admin:certs_issued_pem": Guard("certs.view_authority"),
    "admin:certs_signingrequest_download": Guard("certs.view_signingrequest"),
    # reports
    "top_lists": Guard("history.view_sessionrecord"),
    "admin:history_sessionrecord_export": Guard(
        "history.view_sessionrecord history.export_sessionrecord"
    ),
    # alerts
    "admin:alerts_recipient_test": Guard("alerts.change_recipient"),
}
"""By name of the page, as ``reverse`` takes it."""

SOCKETS: Final[Mapping[str, str]] = {
    "ws/node/": "",
    "ws/sessions/": "fleet.view_livesession",
    "ws/waiting/": "fleet.view_livesession",
}
"""By address, what a WebSocket demands of a browser; empty: a node's token, and no browser."""

_OF_MODELS: Final[Mapping[str, tuple[str, str]]] = {
    "changelist": ("view change", ""),
    "add": ("add", ""),
    "change": ("view change", "change"),
    "delete": ("delete", ""),
    "history": ("view change", ""),
}


def guard_of(match: ResolverMatch) -> Guard | None:
    """Give what a page demands; None when nobody has said so."""
    known = GUARDS.get(match.view_name)
    if known is not None:
        return known
    if match.namespaces == ["admin"]:
        if match.url_name is None:
            return Guard(STAFF)  # leads to the object's page, or says that there is none
        return _model_guards().get(match.url_name)
    return None


def _model_guards() -> dict[str, Guard]:
    found = {}
    for model in admin.site._registry:  # noqa: SLF001  (no public way)
        app, name = model._meta.app_label, model._meta.model_name  # noqa: SLF001  (documented)
        for page, (read, write) in _OF_MODELS.items():
            either = " | ".join(f"{app}.{one}_{name}" for one in read.split())
            then = f"{app}.{write}_{name}" if write else ""
            found[f"{app}_{name}_{page}"] = Guard(either, then)
    return found


def allows(needed: str, user: Any) -> bool:
    """Tell whether somebody has what is needed."""
    if needed == PUBLIC:
        return True
    if not (user.is_active and user.is_staff):
        return False
    if needed == SUPERUSER:
        return bool(user.is_superuser)
    return needed == STAFF or any(user.has_perms(one.split()) for one in needed.split("|"))


class GuardMiddleware(MiddlewareMixin):
    """Refuse whoever has not what the table demands, before the view runs."""

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Let pass, send to the sign-in page, or refuse."""
        match = request.resolver_match
        guard = guard_of(match) if match is not None else None
        if guard is None:
            log.error("appliance.lib.guards does not say who may have the page %s", match)
        needed = guard.needs(request.method or "") if guard is not None else SUPERUSER
        user: User | AnonymousUser = request.user
        if allows(needed, user):
            return None
        if user.is_active and user.is_staff:
            raise PermissionDenied
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
