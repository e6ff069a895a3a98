"""Admin pages: the caller secrets, and why a login goes where it goes."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from appliance.authhttp import services
from appliance.authhttp.explain import explain
from appliance.authhttp.forms import ExplainForm
from appliance.authhttp.models import CallerSecret
from appliance.lib.admin import PostroadAdmin, SecretModelForm


class CallerSecretForm(SecretModelForm):
    """Show the service's objections at the field."""

    class Meta:
        """All fields."""

        model = CallerSecret
        fields = ("name", "header", "secret", "proxy_smtp_auth", "enabled")

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        self.check_with(services.check_caller_secret)


@admin.register(CallerSecret)
class CallerSecretAdmin(PostroadAdmin):
    """Who may ask the auth service besides our own nodes."""

    form = CallerSecretForm
    list_display = ("name", "header", "proxy_smtp_auth", "enabled")
    list_filter = ("enabled",)
    search_fields = ("name", "header")

    def store(self, obj: CallerSecret, form: Any) -> None:
        """Write by the service."""
        services.save_caller_secret(obj)

    def remove(self, objects: Iterable[CallerSecret]) -> None:
        """Delete by the service."""
        services.delete_caller_secrets(objects)


EXPLAIN_NEEDS = ("routing.view_route", "routing.view_account")
"""It tells of both."""


def explain_view(request: HttpRequest) -> HttpResponse:
    """Say where a login would go, and why. Changes nothing."""
    if not request.user.has_perms(EXPLAIN_NEEDS):
        raise PermissionDenied
    form = ExplainForm(request.GET or None)
    context = {
        **admin.site.each_context(request),
        "title": "Who goes where, and why?",
        "form": form,
        "found": explain(form.asked()) if form.is_valid() else None,
    }
    return TemplateResponse(request, "authhttp/explain.html", context)
