"""The form of the page that explains a login. There is no password on it."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from appliance.authhttp.explain import Asked
from appliance.routing.choices import MailProtocol
from appliance.routing.models import MAX_LOGIN_CHARS
from appliance.servers.models import Listener
from proxycore.contract.protocol import Protocol


class _ListenerField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        """Name the block, since sockets look alike."""
        return f"{obj.block.name}: {obj}"


class ExplainForm(forms.Form):
    """Who logs in, with what, from where."""

    login = forms.CharField(
        max_length=MAX_LOGIN_CHARS, strip=False, widget=UnfoldAdminTextInputWidget()
    )
    protocol = forms.ChoiceField(choices=MailProtocol.choices, widget=UnfoldAdminSelectWidget())
    client_ip = forms.GenericIPAddressField(
        required=False,
        label="From address",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "any"}),
    )
    listener = _ListenerField(
        Listener.objects.select_related("block").order_by("block__name", "pk"),
        required=False,
        empty_label="any",
        widget=UnfoldAdminSelectWidget(),
    )
    tls = forms.ChoiceField(
        label="Client speaks",
        required=False,
        choices=(("on", "TLS"), ("off", "in clear")),
        widget=UnfoldAdminSelectWidget(),
    )
    caller = forms.ChoiceField(
        label="Asked by",
        required=False,
        choices=(("node", "our nodes"), ("nginx", "nginx, or who ignores Auth-Proxy-Auth")),
        widget=UnfoldAdminSelectWidget(),
    )

    def clean(self) -> dict[str, Any]:
        """Refuse a listener of another protocol."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        listener = given.get("listener")
        if listener is not None and given.get("protocol") not in (None, listener.block.protocol):
            self.add_error("listener", f"That one speaks {listener.block.protocol.upper()}.")
        return given

    def asked(self) -> Asked:
        """Give what is asked."""
        given = self.cleaned_data
        return Asked(
            login=given["login"],
            protocol=Protocol(given["protocol"]),
            client_ip=given["client_ip"],
            listener=given["listener"],
            is_encrypted=given["tls"] != "off",
            obeys_proxy_auth=given["caller"] != "nginx",
        )
