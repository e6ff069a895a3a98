"""The page of the top lists."""

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from appliance.history import ranked, tops


@permission_required("history.view_sessionrecord", raise_exception=True)
def tops_view(request: HttpRequest) -> HttpResponse:
    """Tell who and what was most of all, of the last hour, day or week."""
    span = tops.SPANS.get(request.GET.get("range", ""), tops.SPANS[tops.DEFAULT])
    window = tops.window(span, timezone.now())
    context = {
        **admin.site.each_context(request),
        "title": "Top lists",
        "spans": tops.SPANS.values(),
        "span": span,
        "window": window,
        "most": f"{tops.LOOKED_AT_MOST:,}",
        "lists": ranked.lists(window),
    }
    return TemplateResponse(request, "history/tops.html", context)
