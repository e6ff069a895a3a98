"""Certificates with their keys, and what was there before.

What is shown is derived from the certificate when it is written, so that lists need no key and no
parsing.
"""

from django.conf import settings
from django.db import models
from django.utils import timezone

from appliance.certs.choices import Event, KeyKind
from appliance.lib.fields import EncryptedTextField, WordsField


class CertificateFacts(models.Model):
    """What a certificate says of itself."""

    names = models.JSONField(default=list, blank=True, editable=False)
    issuer = models.CharField(max_length=500, editable=False)
    key_kind = models.CharField("key", max_length=40, editable=False)
    not_before = models.DateTimeField("valid from", editable=False)
    not_after = models.DateTimeField("valid until", editable=False)
    fingerprint = models.CharField("SHA-256 fingerprint", max_length=95, editable=False)
    serial = models.CharField("serial number", max_length=42, default="", editable=False)

    class Meta:
        """Columns of two tables."""

        abstract = True

    @property
    def days_left(self) -> int:
        """Give whole days until it expires; negative when it has."""
        return (self.not_after - timezone.now()).days

    @property
    def shown_names(self) -> str:
        """Give what it is for, in one line."""
        return ", ".join(self.names) or "no name"


class Certificate(CertificateFacts):
    """A certificate as it is now, with its chain and its key."""

    name = models.CharField(
        max_length=100,
        unique=True,
        help_text="How it is called here, for instance mail.example.com (RSA).",
    )
    pem = models.TextField("certificate and chain", editable=False)
    """The certificate first, then what signed it, without the root."""
    private_key = EncryptedTextField(editable=False)
    """PKCS#8 as PEM text."""
    updated_at = models.DateTimeField("changed", auto_now=True)

    class Meta:
        """Order by name."""

        ordering = ("name",)

    def __str__(self) -> str:
        return str(self.name)


class CertificateVersion(CertificateFacts):
    """One content a certificate has had. The key is not kept: revisions hold what was published."""

    certificate = models.ForeignKey(Certificate, on_delete=models.CASCADE, related_name="versions")
    event = models.CharField(max_length=10, choices=Event)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField("when", auto_now_add=True)

    class Meta:
        """Newest first."""

        ordering = ("-pk",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.get_event_display()} {self.created_at:%Y-%m-%d %H:%M}"


class SigningRequest(models.Model):
    """A request for a certificate that goes to an outside CA, with the key that stays here."""

    name = models.CharField(
        max_length=100,
        unique=True,
        help_text="How it is called here; the certificate that comes of it is called so, too.",
    )
    replaces = models.ForeignKey(
        Certificate,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="requests",
        verbose_name="renews",
        help_text="The certificate that gets the answer as its new content; blank: a new one.",
    )
    names = WordsField(
        help_text="Host names and addresses the certificate is for, with blanks between."
    )
    organization = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="Only where the CA wants it; usually blank.",
    )
    country = models.CharField(
        max_length=2, blank=True, default="", help_text="Two letters; only where the CA wants it."
    )
    key_kind = models.CharField(
        "key", max_length=10, choices=KeyKind, default=KeyKind.EC256, help_text="Made here, now."
    )
    private_key = EncryptedTextField(blank=True, default="", editable=False)
    """Until it has gone over into the certificate."""
    pem = models.TextField("request", editable=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
    )
    created_at = models.DateTimeField("made", auto_now_add=True)
    answered_at = models.DateTimeField("answered", null=True, editable=False)

    class Meta:
        """What waits for its answer first."""

        ordering = (models.F("answered_at").desc(nulls_first=True), "name")
        verbose_name = "certificate request"

    def __str__(self) -> str:
        return str(self.name)


class Authority(CertificateFacts):
    """A private CA: it vouches for mail hosts and nodes towards whom we tell to trust it."""

    name = models.CharField(
        max_length=64, unique=True, help_text="Its name, also in every certificate it issues."
    )
    pem = models.TextField("certificate", editable=False)
    private_key = EncryptedTextField(editable=False)
    crl_number = models.PositiveIntegerField(default=0, editable=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
    )
    created_at = models.DateTimeField("made", auto_now_add=True)

    class Meta:
        """Order by name."""

        ordering = ("name",)
        verbose_name = "private authority"
        verbose_name_plural = "private authorities"

    def __str__(self) -> str:
        return str(self.name)


class IssuedCertificate(CertificateFacts):
    """A certificate that a private authority has issued. Its key is not kept here."""

    authority = models.ForeignKey(Authority, on_delete=models.CASCADE, related_name="issued")
    pem = models.TextField("certificate", editable=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField("when", auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        """Newest first."""

        ordering = ("-pk",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.shown_names}, {self.serial[:8]}…"
