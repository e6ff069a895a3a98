"""The form of somebody who is told."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from appliance.alerts import registry, webhook
from appliance.alerts.choices import Way
from appliance.alerts.models import Recipient
from appliance.lib.admin import SecretModelForm
from proxycore.contract.secret import Secret


class RecipientForm(SecretModelForm):
    """One who is told by mail or by webhook."""

    kinds = forms.MultipleChoiceField(
        label="Of what",
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: of everything.",
    )

    class Meta:
        """All fields."""

        model = Recipient
        fields = (
            *("name", "way", "addresses", "webhook_url", "webhook_secret"),
            *("severity", "kinds", "remind_h", "tell_cleared", "enabled"),
        )
        widgets = {  # noqa: RUF012  (Django's own form)
            "addresses": UnfoldAdminTextInputWidget(attrs={"placeholder": "postmaster@example.com"})
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "kinds" not in self.fields:
            return
        choices = [(kind.name, kind.title) for kind in registry.kinds()]
        known = {name for name, _ in choices}
        choices += [(name, name) for name in self.instance.kinds if name not in known]
        self.fields["kinds"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Ask for what the chosen way needs, and check it."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("way") == Way.MAIL:
            self._check_addresses(given.get("addresses") or [])
        elif given.get("way") == Way.WEBHOOK:
            self._check_url(given.get("webhook_url"))
        return given

    def _check_addresses(self, addresses: list[str]) -> None:
        if not addresses:
            self.add_error("addresses", "Give at least one address.")
        for one in addresses:
            try:
                validate_email(one)
            except ValidationError:
                self.add_error("addresses", f"“{one}” is no mail address.")

    def _check_url(self, url: Secret | None) -> None:
        if url is None:
            if not self.instance.webhook_host:
                self.add_error("webhook_url", "Give the URL.")
            return
        try:
            self.instance.webhook_host = webhook.check_url(url.reveal())
        except webhook.Refused as fault:
            self.add_error("webhook_url", str(fault))
