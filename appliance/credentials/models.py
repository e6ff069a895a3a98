"""What an account can prove itself with besides its password."""

from django.db import models
from django.utils import timezone

from appliance.lib.fields import EncryptedTextField
from appliance.routing.models import Account
from proxycore.contract.protocol import Protocol


class AppPassword(models.Model):
    """A password of one program or device. Random, so a keyed hash in an index is enough."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="app_passwords")
    name = models.CharField(max_length=100, help_text="Which device or program uses it.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    """HMAC-SHA256 under a key derived from the key file: a dump of the database cannot be used to
    try passwords."""
    imap_enabled = models.BooleanField("IMAP", default=True)
    pop3_enabled = models.BooleanField("POP3", default=True)
    smtp_enabled = models.BooleanField("SMTP", default=True)
    networks = models.CharField(
        max_length=1000,
        blank=True,
        default="",
        help_text="Networks it may be used from; blank: from anywhere.",
    )
    expires_at = models.DateTimeField(
        "expires", null=True, blank=True, help_text="Blank: it does not."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField("last used", null=True, editable=False)
    """To within a few minutes: not every login writes."""
    last_used_ip = models.CharField("last used from", max_length=45, default="", editable=False)

    class Meta:
        """Oldest first."""

        ordering = ("created_at", "pk")
        verbose_name = "app password"

    def __str__(self) -> str:
        return self.name

    @property
    def protocols(self) -> list[str]:
        """Give the names of the protocols it may be used with."""
        return [one.name for one in Protocol if getattr(self, f"{one.value}_enabled")]

    @property
    def is_expired(self) -> bool:
        """Tell whether its time is over."""
        return self.expires_at is not None and self.expires_at <= timezone.now()


class RecoverableSecret(models.Model):
    """An account's password in a form that can be read back, for APOP and CRAM-MD5 only."""

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, related_name="recoverable_secret"
    )
    secret = EncryptedTextField()
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        """Never shown by itself."""

        default_permissions = ()
        verbose_name = "recoverable password"

    def __str__(self) -> str:
        return f"recoverable password of {self.account_id}"
