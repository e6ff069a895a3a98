"""Mail hosts, accounts and routes. They are asked by the auth service, never pushed to nodes."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from appliance.routing.choices import MailProtocol, MatchKind
from proxycore.contract.protocol import DEFAULT_PORTS, Protocol


def _port(protocol: Protocol) -> "models.PositiveIntegerField[float | int | str, int]":
    return models.PositiveIntegerField(
        f"{protocol.value.upper()} port",
        default=DEFAULT_PORTS[protocol],
        validators=[MinValueValidator(1), MaxValueValidator(65535)],
    )


class MailHost(models.Model):
    """A mail server behind the proxy."""

    name = models.CharField(
        max_length=100, unique=True, help_text="How this mail server is called in routes."
    )
    address = models.GenericIPAddressField(
        "IP address",
        help_text="IPv4 or IPv6 address. Not a host name: an auth_http answer carries an address.",
    )
    imap_port = _port(Protocol.IMAP)
    pop3_port = _port(Protocol.POP3)
    smtp_port = _port(Protocol.SMTP)

    class Meta:
        """Order by name, as people look for it."""

        ordering = ("name",)
        verbose_name = "mail host"

    def __str__(self) -> str:
        return self.name

    def port(self, protocol: Protocol) -> int:
        """Give the port for a protocol."""
        port: int = getattr(self, f"{protocol.value}_port")
        return port


class Account(models.Model):
    """A login of which something is known: a password, a fixed mail host, or that it is off."""

    login = models.CharField(
        max_length=320,
        unique=True,
        help_text="As the client sends it; A–Z and a–z count as the same.",
    )
    enabled = models.BooleanField(
        default=True, help_text="Off refuses the login in the words of a wrong password."
    )
    password_hash = models.CharField(max_length=200, blank=True, default="", editable=False)
    """argon2id in PHC form. Empty: the mail server verifies the password."""
    mail_host = models.ForeignKey(
        MailHost,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="accounts",
        verbose_name="fixed mail host",
        help_text="Goes before every route. Leave blank to let the routes decide.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Order by login."""

        ordering = ("login",)

    def __str__(self) -> str:
        return self.login


class Route(models.Model):
    """One rule: which logins go to which mail host. The first one that fits decides."""

    position = models.PositiveIntegerField(
        default=0, db_index=True, help_text="Smaller is tried first."
    )
    match = models.CharField(max_length=8, choices=MatchKind, default=MatchKind.USER)
    value = models.CharField(
        max_length=320,
        blank=True,
        default="",
        help_text="Login, domain, letters or pattern; blank for everybody else.",
    )
    protocol = models.CharField(
        max_length=4,
        choices=MailProtocol,
        blank=True,
        default="",
        help_text="Only for this protocol; blank for all.",
    )
    mail_host = models.ForeignKey(
        MailHost, on_delete=models.PROTECT, related_name="routes", verbose_name="mail host"
    )
    enabled = models.BooleanField(default=True)

    class Meta:
        """In the order they are tried; equal positions by age."""

        ordering = ("position", "pk")
        indexes = (models.Index(fields=("match", "value"), name="routing_route_lookup"),)

    def __str__(self) -> str:
        what = self.get_match_display()
        return f"{what} {self.value}".strip()


class Generation(models.Model):
    """One row: how often hosts, accounts or routes have changed. Nodes compare it (ADR-0006)."""

    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        """Never shown."""

        default_permissions = ()

    def __str__(self) -> str:
        return str(self.number)
