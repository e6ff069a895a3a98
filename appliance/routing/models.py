"""Mail hosts, accounts and routes. They are asked by the auth service, never pushed to nodes."""

import ipaddress
from typing import Final

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from appliance.lib.fields import EncryptedTextField
from appliance.lib.schemes import MAX_STORED_CHARS
from appliance.routing.choices import (
    HealthUse,
    HostHold,
    HostState,
    HostTls,
    LoginRewrite,
    MailProtocol,
    MatchKind,
    RouteAction,
    VerifierKind,
)
from appliance.routing.health.models import HostHealth as HostHealth
from appliance.routing.transfer.models import ImportChunk as ImportChunk
from appliance.routing.transfer.models import ImportJob as ImportJob
from proxycore.contract.protocol import DEFAULT_PORTS, Protocol

MAX_LOGIN_CHARS: Final = 320


def _port(protocol: Protocol) -> "models.PositiveIntegerField[float | int | str, int]":
    return models.PositiveIntegerField(
        f"{protocol.value.upper()} port",
        default=DEFAULT_PORTS[protocol],
        validators=[MinValueValidator(1), MaxValueValidator(65535)],
    )


def _tls(protocol: Protocol) -> "models.CharField[str, str]":
    return models.CharField(
        f"{protocol.value.upper()} TLS", max_length=8, choices=HostTls, default=HostTls.BY_PORT
    )


_IMPLICIT_PORTS: Final = {993, 995, 465}
"""RFC 8314 §7: IMAP, POP3 and submission with TLS from the first octet."""

_PROXY_SSL: Final[dict[str, str]] = {
    HostTls.IMPLICIT: "on",
    HostTls.STARTTLS: "starttls",
    HostTls.NONE: "off",
}


class MailHost(models.Model):
    """A mail server behind the proxy."""

    name = models.CharField(
        max_length=100, unique=True, help_text="How this mail server is called in routes."
    )
    address = models.CharField(
        max_length=253,
        help_text="IPv4 or IPv6 address, or a host name that nodes look up at each login. A name"
        " is not for nginx as the proxy: it takes addresses only.",
    )
    imap_port = _port(Protocol.IMAP)
    pop3_port = _port(Protocol.POP3)
    smtp_port = _port(Protocol.SMTP)
    imap_tls = _tls(Protocol.IMAP)
    pop3_tls = _tls(Protocol.POP3)
    smtp_tls = _tls(Protocol.SMTP)
    tls_name = models.CharField(
        "TLS name",
        max_length=253,
        blank=True,
        default="",
        help_text="Name that its certificate has to be for, for instance imap.example.com; also"
        " sent as SNI. Blank: its IP address, or what the server block says. Authorities, pins and"
        " the switch that turns verification off are set in the server block, for all mail hosts.",
    )

    state = models.CharField(
        max_length=8,
        choices=HostState,
        default=HostState.UP,
        help_text="Down: its logins are asked to try again later, and never sent elsewhere."
        " Draining: the same, but a route that names more mail hosts uses those.",
    )
    weight = models.PositiveSmallIntegerField(
        default=1,
        validators=[MaxValueValidator(1000)],
        help_text="Its share of a route that names several mail hosts; 0: none.",
    )
    hold = models.CharField(
        "its logins meanwhile",
        max_length=5,
        choices=HostHold,
        default=HostHold.LATER,
        help_text="While it is down or draining, and for those no other mail host takes.",
    )
    is_probed = models.BooleanField(
        "probe it",
        default=True,
        help_text="Connect every 15 s, for each protocol of a server block, without logging in.",
    )
    use_health = models.CharField(
        "use health",
        max_length=8,
        choices=HealthUse,
        default=HealthUse.OBSERVE,
        help_text="Probes come from the appliance, which may see another network than the nodes.",
    )
    found_down = models.CharField(max_length=40, blank=True, default="", editable=False)
    """Protocols that probes found down at all its addresses, with blanks between. Kept here so
    that a login needs no further query."""
    probe_due_at = models.DateTimeField(null=True, editable=False)
    """When somebody is to probe it; null: now."""

    class Meta:
        """Order by name, as people look for it."""

        ordering = ("name",)
        verbose_name = "mail host"

    def __str__(self) -> str:
        return self.name

    @property
    def is_on_this_machine(self) -> bool:
        """Tell whether nobody can listen on the way to it."""
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return self.address == "localhost"

    def is_avoided(self, protocol: Protocol) -> bool:
        """Tell whether a route that names others should use those, for what probes found."""
        return self.use_health == HealthUse.AVOID and protocol.value in self.found_down.split()

    def port(self, protocol: Protocol) -> int:
        """Give the port for a protocol."""
        port: int = getattr(self, f"{protocol.value}_port")
        return port

    def proxy_ssl(self, protocol: Protocol) -> str | None:
        """Give TLS as an auth_http answer says it: ``on``, ``starttls``, ``off``; None: as the
        server block says."""
        mode: str = getattr(self, f"{protocol.value}_tls")
        if mode == HostTls.BY_PORT:
            return "on" if self.port(protocol) in _IMPLICIT_PORTS else "starttls"
        return _PROXY_SSL.get(mode)


class Verifier(models.Model):
    """Another service that knows whether a password is right; accounts name it."""

    name = models.CharField(max_length=100, unique=True, help_text="How accounts refer to it.")
    kind = models.CharField(
        "verifies by", max_length=12, choices=VerifierKind, default=VerifierKind.MAIL_HOST
    )
    mail_host = models.ForeignKey(
        MailHost,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="verifiers",
        verbose_name="mail host",
        help_text="Where to try the login. Blank: at the mail host the login goes to.",
    )
    protocol = models.CharField(
        max_length=4,
        choices=MailProtocol,
        default=MailProtocol.IMAP,
        help_text="Protocol to try the login with.",
    )
    url = models.CharField(
        "auth_http",
        max_length=300,
        blank=True,
        default="",
        help_text="As in nginx's auth_http: host:port/path.",
    )
    header = models.CharField(
        max_length=100,
        blank=True,
        default="",
        help_text="Name of a header that proves who we are, as in auth_http_header; may be blank.",
    )
    secret = EncryptedTextField(
        blank=True, default="", help_text="Value of that header. Stored encrypted, never shown."
    )
    timeout_ms = models.PositiveIntegerField(
        "timeout (ms)",
        default=5_000,
        validators=[MinValueValidator(100), MaxValueValidator(60_000)],
        help_text="For the whole question. Without an answer, clients are asked to try again.",
    )

    class Meta:
        """Order by name."""

        ordering = ("name",)
        verbose_name = "password verifier"

    def __str__(self) -> str:
        return self.name


def _switch(protocol: Protocol) -> "models.BooleanField[bool, bool]":
    return models.BooleanField(protocol.value.upper(), default=True)


class Account(models.Model):
    """A login of which something is known: a password, a fixed mail host, or that it is off."""

    login = models.CharField(
        max_length=MAX_LOGIN_CHARS,
        unique=True,
        help_text="As the client sends it; A–Z and a–z count as the same.",
    )
    """In PostgreSQL compared by octets, as SQLite does, so that one index finds a login, sorts the
    list and finds all that begin alike."""
    enabled = models.BooleanField(
        default=True, help_text="Off refuses the login in the words of a wrong password."
    )
    imap_enabled = _switch(Protocol.IMAP)
    pop3_enabled = _switch(Protocol.POP3)
    smtp_enabled = _switch(Protocol.SMTP)
    networks = models.CharField(
        max_length=1000,
        blank=True,
        default="",
        help_text="Networks it may log in from, for instance 192.0.2.0/24 2001:db8::/32."
        " Blank: from anywhere.",
    )
    password_hash = models.CharField(
        max_length=MAX_STORED_CHARS, blank=True, default="", editable=False
    )
    """As Dovecot writes it (lib.schemes). Empty: somebody else verifies the password."""
    verifier = models.ForeignKey(
        Verifier,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="accounts",
        db_index=False,
        verbose_name="verified by",
        help_text="Ask another service about the password. Goes before a password stored here.",
    )
    mail_host = models.ForeignKey(
        MailHost,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="accounts",
        db_index=False,
        verbose_name="fixed mail host",
        help_text="Goes before every route. Leave blank to let the routes decide.",
    )
    back_login = models.CharField(
        "login at the mail server",
        max_length=MAX_LOGIN_CHARS,
        blank=True,
        default="",
        help_text="What the mail server is told instead of the login. Goes before what a route"
        " says. Blank: the same login.",
    )
    epoch = models.PositiveBigIntegerField(default=0, editable=False)
    """Counts the changes of this account and its verifier: what was verified before one is no
    longer taken as verified."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Order by login. Each filter of the list has an index in that order."""

        ordering = ("login",)
        indexes = (
            models.Index(fields=("mail_host", "login"), name="routing_account_of_host"),
            models.Index(fields=("verifier", "login"), name="routing_account_of_verifier"),
            models.Index(
                fields=("login",), condition=models.Q(enabled=False), name="routing_account_off"
            ),
        )

    def __str__(self) -> str:
        return self.login

    def speaks(self, protocol: Protocol) -> bool:
        """Tell whether the account may be used with this protocol."""
        allowed: bool = getattr(self, f"{protocol.value}_enabled")
        return allowed


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
    percent = models.PositiveSmallIntegerField(
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Only so many of a hundred of these logins. Always the same ones first, in every"
        " route: raising it moves more of them, and none back.",
    )
    starts_at = models.DateTimeField(
        "from", null=True, blank=True, help_text="Before, the route does not fit."
    )
    ends_at = models.DateTimeField(
        "until", null=True, blank=True, help_text="From then on it does not fit any more."
    )
    action = models.CharField(max_length=5, choices=RouteAction, default=RouteAction.SEND)
    rewrite = models.CharField(
        "tell the mail server",
        max_length=5,
        choices=LoginRewrite,
        blank=True,
        default=LoginRewrite.KEEP,
    )
    rewrite_to = models.CharField(
        "domain or login",
        max_length=MAX_LOGIN_CHARS,
        blank=True,
        default="",
        help_text="The domain to add, or the login that is always told.",
    )
    is_spread = models.BooleanField(default=False, editable=False)
    """Names more mail hosts (RouteShare); kept so that logins of other routes need no query."""

    class Meta:
        """In the order they are tried; equal positions by age."""

        ordering = ("position", "pk")
        indexes = (models.Index(fields=("match", "value"), name="routing_route_lookup"),)

    def __str__(self) -> str:
        what = self.get_match_display()
        return f"{what} {self.value}".strip()


class RouteShare(models.Model):
    """One more mail host of a route, on which the same mailboxes can be reached."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="shares")
    mail_host = models.ForeignKey(MailHost, on_delete=models.PROTECT, related_name="shares")

    class Meta:
        """Shown with its route."""

        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("route", "mail_host"), name="routing_share_once"),
        )

    def __str__(self) -> str:
        return f"{self.route}: {self.mail_host}"


class DomainAlias(models.Model):
    """Another name of a domain: its users are those of the domain it stands for."""

    domain = models.CharField(
        max_length=MAX_LOGIN_CHARS,
        unique=True,
        help_text="The other name, for instance example.net.",
    )
    target = models.CharField(
        "stands for",
        max_length=MAX_LOGIN_CHARS,
        db_index=True,
        help_text="The domain it stands for, for instance example.com: joe@example.net is then"
        " joe@example.com, for accounts, routes and the mail server.",
    )

    class Meta:
        """Order by name."""

        ordering = ("domain",)
        verbose_name = "alias domain"

    def __str__(self) -> str:
        return self.domain


class Generation(models.Model):
    """One row: how often hosts, accounts or routes have changed. Nodes compare it (ADR-0006)."""

    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        """Never shown."""

        default_permissions = ()

    def __str__(self) -> str:
        return str(self.number)


class Change(models.Model):
    """A login that a generation concerned. A generation without any concerned everybody."""

    generation = models.PositiveBigIntegerField(db_index=True)
    login = models.CharField(max_length=MAX_LOGIN_CHARS)

    class Meta:
        """Never shown."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.generation}: {self.login}"
