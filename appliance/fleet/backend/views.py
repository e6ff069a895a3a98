"""Addresses of the pages of mail hosts."""

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from appliance.fleet.backend import page, services
from appliance.fleet.services import disconnects
from appliance.routing.choices import HostHold, HostState
from appliance.routing.models import MailHost
from appliance.stats.frames import SPANS

_SPANS: Final = ("now", "hour", "day", "week")
_STAY: Final = "0"


class DrainForm(forms.Form):
    """How a mail host is emptied."""

    hold = forms.ChoiceField(choices=HostHold.choices)
    pace = forms.ChoiceField(
        choices=[(_STAY, "stay until they end"), *((str(one), one) for one in disconnects.PACES)]
    )


def backend_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what is known of a mail host; ``part``: only what changes by itself."""
    host = get_object_or_404(MailHost, pk=pk)
    if not request.user.has_perm("routing.view_mailhost"):
        raise PermissionDenied
    now = timezone.now()
    span = request.GET.get("range", "")
    span = span if span in _SPANS else "now"
    context: dict[str, Any] = {
        "page": page.build(host, now),
        "host": host,
        "charts": page.charts(host, span, now),
        "failures": page.failures(host, now) if _may_see_history(request) else None,
        "is_draining": host.state == HostState.DRAINING,
        "may_change": request.user.has_perm("routing.change_mailhost"),
    }
    if "part" in request.GET:
        return TemplateResponse(request, "fleet/backend_facts.html", context)
    context |= {
        **admin.site.each_context(request),
        "title": host.name,
        "span": span,
        "spans": [SPANS[name] for name in _SPANS],
        "holds": HostHold.choices,
        "paces": disconnects.PACES,
        "usual_pace": disconnects.USUAL_PACE,
        "may_disconnect": request.user.has_perm("fleet.disconnect_livesession"),
    }
    return TemplateResponse(request, "fleet/backend.html", context)


@require_POST
def drain_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Drain a mail host."""
    host = get_object_or_404(MailHost, pk=pk)
    if not request.user.has_perm("routing.change_mailhost"):
        raise PermissionDenied
    form = DrainForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose what becomes of logins and of sessions.")
        return _back(host)
    pace = int(form.cleaned_data["pace"]) or None
    if pace and not request.user.has_perm("fleet.disconnect_livesession"):
        raise PermissionDenied
    try:
        moved = services.drain(host, form.cleaned_data["hold"], request.user, per_second=pace)
    except ValidationError as fault:
        messages.error(request, " ".join(fault.messages))
        return _back(host)
    what = f"sessions being moved out: {moved}" if pace else "its sessions stay"
    messages.success(request, f"{host} takes no new logins; {what}.")
    return _back(host)


@require_POST
def resume_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a mail host logins again."""
    host = get_object_or_404(MailHost, pk=pk)
    if not request.user.has_perm("routing.change_mailhost"):
        raise PermissionDenied
    try:
        services.resume(host)
        messages.success(request, f"{host} takes logins again.")
    except ValidationError as fault:
        messages.error(request, " ".join(fault.messages))
    return _back(host)


def _back(host: MailHost) -> HttpResponse:
    return HttpResponseRedirect(reverse("backend", args=(host.pk,)))


def _may_see_history(request: HttpRequest) -> bool:
    return request.user.has_perm("history.view_sessionrecord")


urlpatterns = [
    path("<int:pk>/", admin.site.admin_view(backend_view), name="backend"),
    path("<int:pk>/drain/", admin.site.admin_view(drain_view), name="backend_drain"),
    path("<int:pk>/resume/", admin.site.admin_view(resume_view), name="backend_resume"),
]
