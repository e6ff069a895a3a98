"""What an operator is told once everything runs: where the admin is, who serves what, what next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from appliance.fleet import queries
from appliance.fleet.choices import NodeState
from appliance.fleet.launcher import blocks, bootstrap, programs
from appliance.fleet.launcher.ports import Door
from appliance.routing.models import Route

Say = Callable[[str], None]

_MANAGE = ".venv/bin/python manage.py"


@dataclass(frozen=True, slots=True)
class Found:
    """What the local node runs, which need not be what was published last."""

    doors: Sequence[Door]
    complaint: str
    """Why it is not what was published; empty when it is."""
    has_routes: bool


def look() -> Found:
    """See what the local node has acknowledged."""
    has_routes = Route.objects.exists()
    all_nodes = queries.statuses(timezone.now())
    found = next((both for both in all_nodes if both[0].name == bootstrap.LOCAL_NODE), None)
    if found is None:
        return Found([], "The local node was deleted: stop and start again.", has_routes)
    node, status = found
    complaint = ""
    if status.state is NodeState.REFUSED:
        why = "; ".join(problem["message"] for problem in status.problems)
        goes_on = (
            f"goes on with revision {node.applied_revision}"
            if node.applied_revision
            else "serves nothing"
        )
        complaint = (
            f"The local node refused revision {node.refused_revision} and {goes_on}: {why}."
            " Change it in the admin and publish."
        )
    if node.is_to_drain:
        text = "The local node is drained, until it is told on its page to take new clients again."
        return Found([], text, has_routes)
    return Found(
        doors=blocks.doors_of(node.applied_revision) if node.applied_revision else [],
        complaint=complaint,
        has_routes=has_routes,
    )


def show_admin(outcome: bootstrap.Outcome, say: Say) -> None:
    """Say where the admin is and how to get in."""
    say("")
    say(f"Postroad's admin: {programs.base_url('http')}/admin/")
    if outcome.password is not None:
        show_password(outcome, say)
    else:
        name = bootstrap.administrator() or bootstrap.ADMINISTRATOR
        say(f"  Password forgotten? {_MANAGE} changepassword {name}")


def show_password(outcome: bootstrap.Outcome, say: Say) -> None:
    """Say the new administrator's password, once."""
    if outcome.password is not None:
        say(
            f'  Sign in as "{bootstrap.ADMINISTRATOR}" with the password'
            f" {outcome.password.reveal()} (shown only now; change it in the admin)"
        )
        outcome.password = None


def show_listeners(found: Found, missing: Sequence[str], say: Say) -> None:
    """Say who listens where, what is amiss, and what to do next.

    missing: names of what has not answered.
    """
    say("")
    if missing:
        say(f"Still waiting for an answer of {', '.join(missing)}: see the lines above.")
    if found.complaint:
        say(found.complaint)
    if found.doors:
        say("Postroad is listening:" if not missing else "Postroad is to listen on:")
    else:
        say("Postroad listens for no mail client.")
    for door in found.doors:
        say(f"  {door.purpose.removeprefix('Server block '):<16} {door.shown}")
    say(f"State is in {settings.STATE_DIR}.")
    if not found.has_routes:
        say(
            "Next: add a mail host and a route in the admin, or try the example:"
            f" {_MANAGE} load_example --help. The guide is docs/guide.md."
        )
    say("Ctrl-C stops everything.")
    say("")
