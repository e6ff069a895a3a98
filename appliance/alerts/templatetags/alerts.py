"""What is wrong now, on the home page."""

from typing import Any, Final

from django import template

from appliance.alerts import queries

_SHOWN: Final = 6

register = template.Library()


@register.inclusion_tag("alerts/standing.html", takes_context=True)
def what_is_wrong(context: template.Context) -> dict[str, Any]:
    """Show what is wrong now to those who may see it."""
    user = getattr(context.get("request"), "user", None)
    if user is None or not user.has_perm("alerts.view_alert"):
        return {"alerts": []}
    found = list(queries.open_alerts()[: _SHOWN + 1])
    more = queries.open_count() - _SHOWN if len(found) > _SHOWN else 0
    return {"alerts": found[:_SHOWN], "more": more}
