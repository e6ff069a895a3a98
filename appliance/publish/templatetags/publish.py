"""The notices on every admin page: nobody serves, a revision is refused, something is pending."""

from dataclasses import dataclass
from typing import Any, Literal

from django import template

from appliance.publish import on_save, queries

register = template.Library()


@dataclass(frozen=True, slots=True)
class Notice:
    """One line above the page."""

    name: str
    tone: Literal["danger", "warning"]
    text: str
    link: str


@register.inclusion_tag("publish/banner.html", takes_context=True)
def pending_banner(context: template.Context) -> dict[str, Any]:
    """Show the notices to those who may see revisions; what is pending not on the Publish page."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not user.has_perm("publish.view_configrevision"):
        return {"notices": []}
    match = getattr(request, "resolver_match", None)
    is_publish_page = match is not None and str(match.url_name).startswith("publish_")
    found = [notice for notice in (_of_rollout(queries.rollout()),) if notice]
    if not is_publish_page and queries.is_pending():
        found.append(Notice("pending", "warning", _of_draft(), "Review and publish"))
    return {"notices": found}


def _of_draft() -> str:
    """Say what becomes of changes that are not published."""
    saved = on_save.settings()
    if saved.due_at is not None:
        return f"Your changes are published by themselves {saved.quiet_s} s after the last save."
    held = saved.said if saved.enabled and saved.is_held else ""
    return held or "There are changes that are not published yet."


def _of_rollout(rollout: queries.Rollout) -> Notice | None:
    """Say the worst of what is to be said of the nodes."""
    refused = [line.subject for line in rollout.lines if line.state == "refused"]
    if refused:
        text = (
            f"Revision {rollout.number} is not in force: refused by {_names(refused)}"
            f" ({len(refused)} of {len(rollout.lines)} nodes); what ran there before goes on."
        )
        return Notice("refused", "danger", text, "See why")
    if not rollout.lines:
        return Notice("unserved", "danger", "No node is enrolled: nobody can log in.", "See")
    if not rollout.is_served:
        text = (
            "No node is connected: what serves, serves what it last had, and new logins that"
            " have to be asked for here may fail."
        )
        return Notice("unserved", "danger", text, "See the nodes")
    away = [line.subject for line in rollout.lines if line.state == "away"]
    if away:
        return Notice("away", "warning", f"Not connected: {_names(away)}.", "See the nodes")
    if not rollout.is_settled and rollout.number:
        text = f"Revision {rollout.number} is published and {rollout.label} so far."
        return Notice("waiting", "warning", text, "See")
    return None


def _names(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
