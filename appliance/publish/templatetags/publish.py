"""The reminder, on every admin page, that the draft is not what the nodes run."""

from typing import Any

from django import template

from appliance.publish import queries

register = template.Library()


@register.inclusion_tag("publish/banner.html", takes_context=True)
def pending_banner(context: template.Context) -> dict[str, Any]:
    """Show the banner to those who may see revisions, except on the Publish page itself."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not user.has_perm("publish.view_configrevision"):
        return {"show": False}
    match = getattr(request, "resolver_match", None)
    is_publish_page = match is not None and str(match.url_name).startswith("publish_")
    return {"show": not is_publish_page and queries.is_pending()}
