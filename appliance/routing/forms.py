"""Forms of the routing admin: the services' objections, shown at their fields."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from appliance.lib.admin import SecretModelForm
from appliance.lib.fields import SecretFormField
from appliance.routing import services
from appliance.routing.choices import MailProtocol
from appliance.routing.decide import Decision, DecisionInput, decide
from appliance.routing.models import Account, Route
from proxycore.contract.protocol import Protocol


class RouteForm(SecretModelForm):
    """A route, its value checked by kind."""

    class Meta:
        """All fields."""

        model = Route
        fields = ("match", "value", "protocol", "mail_host", "position", "enabled")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "position" in self.fields:
            self.fields["position"].required = False
            self.fields["position"].help_text = "Smaller is tried first. Blank or 0: at the end."

    def clean_position(self) -> int:
        """Blank is 0, which the service puts at the end."""
        return self.cleaned_data["position"] or 0

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            self.check_with(services.normalise)


class AccountForm(SecretModelForm):
    """An account; its password can be set and dropped, never read."""

    password = SecretFormField(
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Blank keeps what is there. With no password the mail server verifies.",
    )
    forget_password = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Drop the stored password: from now on the mail server verifies.",
    )

    class Meta:
        """What is stored."""

        model = Account
        fields = ("login", "enabled", "mail_host")

    def clean_login(self) -> str:
        """Compare with other accounts in the form that is stored."""
        return services.normalise_login(self.cleaned_data["login"])


class TryForm(forms.Form):
    """A login to try the routes with; no password is asked for."""

    login = forms.CharField(max_length=320, widget=UnfoldAdminTextInputWidget())
    protocol = forms.ChoiceField(choices=MailProtocol.choices, widget=UnfoldAdminSelectWidget())

    def decide(self) -> Decision:
        """Decide as the auth service would."""
        asked = self.cleaned_data
        return decide(DecisionInput(Protocol(asked["protocol"]), asked["login"].encode()))
