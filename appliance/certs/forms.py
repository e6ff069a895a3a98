"""The form of a certificate: three ways in, each objection at the field it is about."""

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from appliance.certs import making, reading, services
from appliance.certs.choices import Event, Way
from appliance.certs.models import Certificate
from appliance.certs.reading import Material, Refused
from appliance.lib.admin import SecretModelForm
from appliance.lib.fields import SecretFormField, WordsFormField

KEEP: Final = ("", "stays as it is; only the name is changed")

_PEM: Final = {"certificate": "chain", "key": "key", "passphrase": "passphrase"}
_PKCS12: Final = {"certificate": "pkcs12", "key": "pkcs12", "passphrase": "pkcs12_password"}
_SELF: Final = dict.fromkeys(("certificate", "key", "passphrase"), "for_names")
_FIELDS: Final = {Way.PEM: _PEM, Way.PKCS12: _PKCS12, Way.SELF_SIGNED: _SELF}
"""By way in, the field at which an objection to a part is shown."""


class SecretTextarea(UnfoldAdminTextareaWidget):  # type: ignore[misc]
    """Room for a key as text, which is never sent back."""

    def format_value(self, value: Any) -> str:
        """Show nothing, also after an error."""
        return ""


def _password_input() -> UnfoldAdminPasswordWidget:
    return UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})


def _file(**options: Any) -> forms.FileField:
    return forms.FileField(required=False, widget=UnfoldAdminFileFieldWidget(), **options)


class CertificateForm(SecretModelForm):
    """A certificate; its content is given once and replaced later, its key never shown."""

    way = forms.ChoiceField(
        label="The certificate", choices=Way.choices, widget=UnfoldAdminSelectWidget()
    )
    chain = forms.CharField(
        required=False,
        label="Certificate and chain",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="PEM text, in whatever order: it is put right, and the root left out.",
    )
    chain_file = _file(label="… or its file", help_text="PEM, or DER for one certificate.")
    key = SecretFormField(
        required=False,
        label="Private key",
        widget=SecretTextarea(
            attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"},
        ),
        help_text="PEM text. Stored encrypted and never shown again. Blank: it is with the chain.",
    )
    key_file = _file(label="… or its file")
    passphrase = SecretFormField(
        required=False,
        label="Passphrase of the key",
        widget=_password_input(),
        help_text="Only for an encrypted key. It is used once and not kept.",
    )
    pkcs12 = _file(label="PKCS#12 file", help_text="With certificate, key and chain.")
    pkcs12_password = SecretFormField(
        required=False, label="Its password", widget=_password_input(), help_text="Not kept."
    )
    for_names = WordsFormField(
        required=False,
        label="Names",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "mail.example.com"}),
        help_text="Host names and addresses, with blanks between. Mail clients will warn: nobody"
        f" vouches for it. Valid for {making.DAYS} days, key EC P-256.",
    )

    class Meta:
        """What is stored beside the content."""

        model = Certificate
        fields = ("name",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.material: Material | None = None
        way = self.fields.get("way")
        if way is not None and self.instance.pk:
            way.required, way.label = False, "Its content"
            way.choices = [KEEP, *((way, f"replaced by {label}") for way, label in Way.choices)]  # type: ignore[attr-defined]

    @property
    def event(self) -> Event:
        """What happens to the certificate."""
        made = self.cleaned_data.get("way") == Way.SELF_SIGNED
        return Event.MADE if made else Event.UPLOADED

    def clean(self) -> dict[str, Any]:
        """Read what was given; what is wrong with it stands at its field."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        way = given.get("way")
        if way and not self.errors:
            try:
                self.material = self._read(Way(way), given)
                services.check_place(self.instance, self.material)
            except Refused as fault:
                self.add_error(_FIELDS[Way(way)][fault.part], str(fault))
        return given

    def _read(self, way: Way, given: dict[str, Any]) -> Material:
        now = timezone.now()
        if way is Way.SELF_SIGNED:
            return making.self_signed(given.get("for_names") or [], now)
        if way is Way.PKCS12:
            return reading.from_pkcs12(
                content_of(given.get("pkcs12")), given.get("pkcs12_password"), now
            )
        chain = (given.get("chain") or "").encode() or content_of(given.get("chain_file"))
        typed = given.get("key")
        key = typed.reveal().encode() if typed else content_of(given.get("key_file"))
        return reading.from_pem(chain, key, given.get("passphrase"), now)

    def clean_chain_file(self) -> "UploadedFile[Any] | None":
        """Refuse what is too big."""
        return self._small("chain_file")

    def clean_key_file(self) -> "UploadedFile[Any] | None":
        """Refuse what is too big."""
        return self._small("key_file")

    def clean_pkcs12(self) -> "UploadedFile[Any] | None":
        """Refuse what is too big."""
        return self._small("pkcs12")

    def _small(self, name: str) -> "UploadedFile[Any] | None":
        return small(self.cleaned_data.get(name))


def small(file: "UploadedFile[Any] | None") -> "UploadedFile[Any] | None":
    """Refuse what is too big. Raises ValidationError."""
    if file is not None and (file.size or 0) > reading.MAX_BYTES:
        raise ValidationError("This file is too big to be a certificate or a key.")
    return file


def content_of(file: "UploadedFile[Any] | None") -> bytes:
    """Give what is in a file; nothing where there is none."""
    return file.read() if file is not None else b""
