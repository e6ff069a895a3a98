"""Admin page of the caller secrets."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin

from appliance.authhttp import services
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
