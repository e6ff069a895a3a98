"""Forms of the routing admin: the services' objections, shown at their fields."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from appliance.lib.admin import SecretModelForm
from appliance.routing import services
from appliance.routing.choices import MailProtocol
from appliance.routing.decide import Decision, DecisionInput, decide
from appliance.routing.models import Route
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


class TryForm(forms.Form):
    """A login to try the routes with; no password is asked for."""

    login = forms.CharField(max_length=320, widget=UnfoldAdminTextInputWidget())
    protocol = forms.ChoiceField(choices=MailProtocol.choices, widget=UnfoldAdminSelectWidget())

    def decide(self) -> Decision:
        """Decide as the auth service would."""
        asked = self.cleaned_data
        return decide(DecisionInput(Protocol(asked["protocol"]), asked["login"].encode()))
