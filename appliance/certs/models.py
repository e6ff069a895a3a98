"""Certificates with their keys, and what was there before.

What is shown is derived from the certificate when it is written, so that lists need no key and no
parsing.
"""

from django.conf import settings
from django.db import models
from django.utils import timezone

from appliance.certs.choices import Event
from appliance.lib.fields import EncryptedTextField


class CertificateFacts(models.Model):
    """What a certificate says of itself."""

    names = models.JSONField(default=list, blank=True, editable=False)
    issuer = models.CharField(max_length=500, editable=False)
    key_kind = models.CharField("key", max_length=40, editable=False)
    not_before = models.DateTimeField("valid from", editable=False)
    not_after = models.DateTimeField("valid until", editable=False)
    fingerprint = models.CharField("SHA-256 fingerprint", max_length=95, editable=False)

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
