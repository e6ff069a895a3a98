"""Forms of accounts, issuances and solvers: what a service objects to stands at its field."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from appliance.acme.choices import Reason
from appliance.acme.models import Account, DnsSolver, Issuance
from appliance.acme.services import issuances
from appliance.certs.models import Certificate
from appliance.lib.admin import SecretModelForm


class AccountForm(SecretModelForm):
    """An account at a CA."""

    class Meta:
        """What an operator says of it."""

        model = Account
        fields = (
            *("name", "directory_url", "contact", "terms_agreed", "eab_kid", "eab_key"),
            "ca_bundle",
        )


class SolverForm(SecretModelForm):
    """How TXT records are set."""

    class Meta:
        """All of it."""

        model = DnsSolver
        fields = (
            *("name", "kind", "server", "port", "zone", "tsig_name", "tsig_algorithm"),
            *("tsig_secret", "ttl_s", "program", "timeout_s", "settle_s"),
        )


class IssuanceForm(SecretModelForm):
    """What is wanted of a CA."""

    adopt = forms.ModelChoiceField(
        queryset=Certificate.objects.none(),
        required=False,
        label="Certificate to replace",
        widget=UnfoldAdminSelectWidget(),
        empty_label="none: a new one is made",
        help_text="Its content is replaced, so that whatever uses it gets the new one.",
    )

    class Meta:
        """What is stored of it."""

        model = Issuance
        fields = (
            *("name", "enabled", "account", "names", "keys", "reuse_key", "challenge", "solver"),
            *("preferred_chain", "profile", "renew", "publish_automatically"),
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "adopt" in self.fields:
            free = Certificate.objects.filter(acme=None).defer("pem", "private_key")
            self.fields["adopt"].queryset = free  # type: ignore[attr-defined]

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if "names" in self.fields:
            self.check_with(issuances.check)


class RevokeForm(forms.Form):
    """Why a certificate is revoked."""

    reason = forms.TypedChoiceField(choices=Reason.choices, coerce=int, initial=Reason.SUPERSEDED)
    replace = forms.BooleanField(required=False, initial=True)
