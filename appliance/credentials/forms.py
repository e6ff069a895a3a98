"""Forms of accounts and app passwords: the services' objections, shown at their fields."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from appliance.credentials import queries, services
from appliance.credentials.models import AppPassword
from appliance.lib.admin import SecretModelForm
from appliance.lib.fields import SecretFormField
from appliance.routing import services as routing
from appliance.routing.models import Account, Verifier


def _secret_input() -> UnfoldAdminPasswordWidget:
    return UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})


class AccountForm(SecretModelForm):
    """An account; its password can be set and dropped, never read."""

    password = SecretFormField(
        required=False,
        widget=_secret_input(),
        help_text="Blank keeps what is there. With no password the mail server verifies.",
    )
    imported_hash = SecretFormField(
        required=False,
        widget=_secret_input(),
        help_text="Instead of a password: its hash as Dovecot writes it, for instance"
        " {SSHA512}… or {BLF-CRYPT}….",
    )
    forget_password = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Drop the stored password: from now on the mail server verifies.",
    )
    recoverable = forms.BooleanField(
        required=False,
        label="Keep the password readable",
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Only for clients that need APOP or CRAM-MD5. It is stored encrypted, but who"
        " holds the key file can read it. Give the password along with it.",
    )

    class Meta:
        """What is stored."""

        model = Account
        fields = (
            *("login", "enabled", "mail_host", "back_login", "verifier"),
            *("imap_enabled", "pop3_enabled", "smtp_enabled", "networks"),
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk and "recoverable" in self.fields:
            self.fields["recoverable"].initial = queries.has_recoverable_secret(self.instance)

    def clean_login(self) -> str:
        """Compare with other accounts in the form that is stored."""
        return routing.normalise_login(self.cleaned_data["login"])

    def clean(self) -> dict[str, Any]:
        """Refuse two kinds of password at once."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        ways = [
            name for name in ("password", "imported_hash", "forget_password") if given.get(name)
        ]
        if len(ways) > 1:
            self.add_error(ways[1], "Give a password, give a hash, or drop it: one of them.")
        return given

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            self.check_with(self._check)

    def _check(self, account: Account) -> None:
        routing.normalise_account(account)
        given = self.cleaned_data
        if given.get("imported_hash"):
            routing.read_hash(given["imported_hash"])
        services.check_recoverable(
            account, password=given.get("password"), recoverable=given.get("recoverable")
        )


class VerifierForm(SecretModelForm):
    """Somebody who knows whether a password is right."""

    class Meta:
        """All fields."""

        model = Verifier
        fields = (
            *("name", "kind", "mail_host", "protocol"),
            *("url", "header", "secret", "timeout_ms"),
        )

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            self.check_with(routing.normalise_verifier)


class AppPasswordForm(SecretModelForm):
    """Name and scope of an app password; the password itself is made by us."""

    class Meta:
        """What an operator decides."""

        model = AppPassword
        fields = (
            *("name", "imap_enabled", "pop3_enabled", "smtp_enabled"),
            *("networks", "expires_at"),
        )

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            self.check_with(services.normalise_app_password)


def _moment_input() -> forms.DateTimeInput:
    looks = {"class": UnfoldAdminTextInputWidget().attrs["class"], "type": "datetime-local"}
    return forms.DateTimeInput(attrs=looks, format="%Y-%m-%dT%H:%M")


class NewAppPasswordForm(AppPasswordForm):
    """The same, on a page of its own."""

    class Meta(AppPasswordForm.Meta):
        """In the looks of the admin."""

        widgets = {  # noqa: RUF012  (Django's own form)
            **{name: UnfoldAdminTextInputWidget() for name in ("name", "networks")},
            **{
                f"{protocol}_enabled": UnfoldBooleanSwitchWidget()
                for protocol in ("imap", "pop3", "smtp")
            },
            "expires_at": _moment_input(),
        }
