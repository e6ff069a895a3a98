"""Secrets by which other proxies than our nodes, for instance nginx, prove that they may ask."""

from django.core.validators import RegexValidator
from django.db import models

from appliance.lib.fields import EncryptedTextField


class CallerSecret(models.Model):
    """One secret header; who sends it is answered."""

    name = models.CharField(max_length=100, unique=True, help_text="Who holds this secret.")
    header = models.CharField(
        max_length=100,
        default="X-NGX-Auth-Key",
        validators=[
            RegexValidator(r"\A[A-Za-z][A-Za-z0-9-]*\Z", "Letters, digits and hyphens only.")
        ],
        help_text="Name of the header, as in nginx's auth_http_header.",
    )
    secret = EncryptedTextField(
        help_text="Value of the header; at least 16 characters. Stored encrypted, never shown.",
    )
    proxy_smtp_auth = models.BooleanField(
        "logs in at SMTP servers",
        default=False,
        help_text="On: all its SMTP server blocks have “proxy_smtp_auth on”, as in nginx, so that"
        " mail servers see the password. Off: a login whose password only a mail server knows is"
        " refused over SMTP, since nobody would verify it. If this is on and proxy_smtp_auth is"
        " not, anybody can send mail in the name of such a login.",
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        """Order by name."""

        ordering = ("name",)
        verbose_name = "caller secret"

    def __str__(self) -> str:
        return self.name
