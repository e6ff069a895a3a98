"""The form of a server block: what is chosen for it beside its own settings."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BaseInlineFormSet
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget

from appliance.certs.models import Authority, Certificate
from appliance.lib.admin import SecretModelForm
from appliance.servers.models import NodeGroup, ServerBlock

_NEEDED = "Choose a certificate: without one nobody can be spoken to in TLS."


class CertificatesField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Certificates to tick, each with what tells it from the others."""

    def label_from_instance(self, obj: Certificate) -> str:
        """Say what it is for and until when."""
        until = f"{obj.not_after:%Y-%m-%d}"
        names = "" if obj.names == [obj.name] else f"{obj.shown_names}, "
        return f"{obj.name} ({names}{obj.key_kind}, valid until {until})"


class GroupsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Groups of nodes to tick, each with what it is for."""

    def label_from_instance(self, obj: NodeGroup) -> str:
        """Say what it is for."""
        return f"{obj.name} ({obj.note})" if obj.note else obj.name


class ServerBlockForm(SecretModelForm):
    """A server block with the certificates it shows, and the groups of nodes that run it."""

    groups = GroupsField(
        label="Only on nodes of",
        queryset=NodeGroup.objects.all(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="Groups of nodes that run this block. None ticked: every node.",
    )

    certificates = CertificatesField(
        queryset=Certificate.objects.defer("pem", "private_key"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="One for each kind of key (EC, RSA): a client gets what it can use."
        " nginx: ssl_certificate, ssl_certificate_key.",
    )

    private_authority = forms.ModelChoiceField(
        label="Trust a private authority",
        queryset=Authority.objects.defer("pem", "private_key"),
        required=False,
        empty_label="none more",
        widget=UnfoldAdminSelectWidget(),
        help_text="Its certificate is added to the authorities above when you save. With any there,"
        " those the system trusts are not asked.",
    )

    class Meta:
        """Every setting."""

        model = ServerBlock
        fields = "__all__"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk and "certificates" in self.fields:
            chosen = self.instance.chosen.all()
            self.fields["certificates"].initial = [one.certificate_id for one in chosen]

    def clean_certificates(self) -> Any:
        """Refuse a second certificate for a kind of key: OpenSSL would leave the first one out."""
        chosen = self.cleaned_data["certificates"]
        kinds: dict[str, Certificate] = {}
        for one in chosen:
            other = kinds.setdefault(one.key_kind.split()[0], one)
            if other is not one:
                message = f"{other.name} and {one.name} have keys of one kind: choose one of them."
                raise ValidationError(message)
        return chosen

    def clean_private_authority(self) -> None:
        """Add its certificate to the authorities, which stand before it in the form."""
        chosen = self.cleaned_data["private_authority"]
        name = "proxy_ssl_trusted_certificate"
        known = str(self.cleaned_data.get(name, "")).strip()
        if chosen is None or name in self.errors or chosen.pem.strip() in known:
            return
        if known and "-----BEGIN" not in known:
            message = "Above is the path of a file: put the authority there, or clear the path."
            raise ValidationError(message)
        self.cleaned_data[name] = f"{known}\n{chosen.pem.strip()}".strip()

    def clean(self) -> dict[str, Any]:
        """Refuse TLS without a certificate."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        conf = given.get("ssl_conf_command") or []
        # OpenSSL can be told of one in its own way
        has_one = bool(given.get("certificates")) or "certificate" in map(str.lower, conf[::2])
        self.instance.has_certificate = has_one
        if "groups" in given:
            # listeners are looked at with what will be so
            self.instance.chosen_groups = {one.pk for one in given["groups"]}
        if given.get("starttls", "off") != "off" and not has_one:
            self.add_error("certificates", _NEEDED)
        return given


class ListenerFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """The sockets of a block, looked at with the block's certificates."""

    def clean(self) -> None:
        """Refuse TLS without a certificate, at the socket that wants it."""
        super().clean()
        has_one = getattr(self.instance, "has_certificate", True)
        for form in self.forms:
            given = getattr(form, "cleaned_data", {})
            if given.get("ssl") and not given.get("DELETE") and not has_one:
                form.add_error("ssl", "Choose a certificate above first.")
