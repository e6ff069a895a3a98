"""Empty a mail host: no new logins, and its sessions moved out little by little."""

from typing import Any

from django.db import transaction

from appliance.fleet import search
from appliance.fleet.models import Disconnect, LiveSession
from appliance.fleet.services import disconnects
from appliance.routing import services as routing
from appliance.routing.choices import HostState
from appliance.routing.health import queries
from appliance.routing.models import MailHost


@transaction.atomic
def drain(host: MailHost, hold: str, by: Any, *, per_second: int | None) -> int:
    """Send no more logins to a mail host, and give how many of its sessions are moved out.

    hold: what is done with those that no other mail host takes (HostHold).
    by: the operator who asks. per_second: None leaves the sessions where they are.
    """
    host.state, host.hold = HostState.DRAINING, hold
    routing.save_mail_host(host)
    if per_second is None:
        return 0
    moved = 0
    for backend in sorted(_with_sessions(host)):
        try:
            job = disconnects.disconnect_matching(
                search.quoted("server", backend), by, per_second=per_second
            )
        except disconnects.NothingToDisconnect:
            continue
        moved += job.total
    return moved


@transaction.atomic
def resume(host: MailHost) -> None:
    """Send it logins again, and leave alone the sessions whose turn has not come."""
    host.state = HostState.UP
    routing.save_mail_host(host)
    searches = [search.quoted("server", backend) for backend in queries.backends(host)]
    for job in Disconnect.objects.filter(search__in=searches, finished_at=None):
        disconnects.stop(job.pk)


def _with_sessions(host: MailHost) -> set[str]:
    """Give the doors at which there are sessions that nobody has been asked to end."""
    rows = LiveSession.objects.filter(
        backend__in=list(queries.backends(host)), kick_due_at=None, kick_requested_at=None
    )
    return set(rows.order_by().values_list("backend", flat=True).distinct())
