"""Forms of the routing admin: the services' objections, shown at their fields."""

from typing import Any, Final

from django import forms
from django.core.validators import MaxValueValidator
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
)

from appliance.lib.admin import SecretModelForm
from appliance.routing import queries, services
from appliance.routing.choices import MailProtocol
from appliance.routing.models import DomainAlias, MailHost, Route

MAX_POSITION: Final = 1_000_000


class RouteForm(SecretModelForm):
    """A route, its value checked by kind."""

    others = forms.ModelMultipleChoiceField(
        MailHost.objects.all(),
        required=False,
        label="More mail hosts",
        widget=UnfoldAdminSelect2MultipleWidget(),
        help_text="On which the same mailboxes can be reached. Each login keeps to one of them, by"
        " hash and weight; while one is draining, its logins go to the others.",
    )

    class Meta:
        """All fields."""

        model = Route
        fields = (
            *("match", "value", "protocol", "mail_host", "position", "enabled"),
            *("action", "percent", "starts_at", "ends_at", "rewrite", "rewrite_to"),
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk and self.instance.is_spread:
            self.fields["others"].initial = queries.shares(self.instance.pk)
        if "value" in self.fields:
            self.fields["value"].help_text = (
                "Login; domain; what the login begins with; first letters, for instance a c-f; or"
                " a pattern for the whole login, for instance sales-.*@example\\.com"
            )
        if "protocol" in self.fields:
            self.fields["protocol"].choices = [  # type: ignore[attr-defined]
                ("", "All"),
                *MailProtocol.choices,
            ]
        if "position" in self.fields:
            self.fields["position"].required = False
            self.fields[
                "position"
            ].help_text = (
                "Smaller is tried first. Blank or 0: at the end, but before “everybody else”."
            )
            self.fields["position"].validators.append(MaxValueValidator(MAX_POSITION))

    def clean_position(self) -> int:
        """Blank is 0, which the service puts at the end."""
        return self.cleaned_data["position"] or 0

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            self.check_with(services.normalise)


class MailHostForm(SecretModelForm):
    """A mail host, its addresses checked against our own."""

    class Meta:
        """All fields."""

        model = MailHost
        fields = (
            *("name", "address", "imap_port", "pop3_port", "smtp_port"),
            *("imap_tls", "pop3_tls", "smtp_tls", "tls_name", "state", "weight"),
            *("hold", "is_probed", "use_health"),
        )

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        self.check_with(services.check_mail_host)


class DomainAliasForm(SecretModelForm):
    """Another name of a domain."""

    class Meta:
        """All fields."""

        model = DomainAlias
        fields = ("domain", "target")

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            self.check_with(services.normalise_alias)
