"""Server blocks: where the proxy listens and how it treats a session.

Field names are the contract's (proxycore.contract.snapshot), which are nginx's with a unit.
What is stored here is a draft until it is published.
"""

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from appliance.certs.models import Certificate
from appliance.lib.fields import EncryptedTextField, WordsField
from appliance.servers import collisions, declared, problems
from appliance.servers.choices import AuthService, LogKind, LogLevel, MailProtocol
from appliance.servers.declared import default_of
from appliance.servers.limit_fields import LoginLimitFields
from appliance.servers.log_fields import ProcessLogFields, SyslogFields
from appliance.servers.tls_fields import BackTlsFields, FrontTlsFields
from proxycore.contract import snapshot as contract
from proxycore.contract.fields import settings_of
from proxycore.contract.process import AccessLog
from proxycore.contract.server import GROUP_NAME


def _complain_once(of: models.Model, found: problems.Problems) -> None:
    """Raise what the contract objects to, without what the fields object to by themselves."""
    try:
        of.clean_fields()
    except ValidationError as fault:
        found = {name: said for name, said in found.items() if name not in fault.error_dict}
    if found:
        raise ValidationError(found)


class NodeGroup(models.Model):
    """Nodes that have server blocks of their own (ADR-0037). Which nodes is said at the node."""

    name = models.CharField(
        max_length=settings_of(contract.Server)["groups"].max_length or 0,
        unique=True,
        validators=[
            RegexValidator(
                rf"\A{GROUP_NAME}\Z", "Letters, digits, dots, hyphens and underscores only."
            )
        ],
        help_text="For instance dmz. It stays: revisions name the group by it.",
    )
    note = models.CharField(
        max_length=200, blank=True, default="", help_text="What the group is for, in your words."
    )

    class Meta:
        """By name, as people look for it."""

        ordering = ("name",)
        verbose_name = "node group"

    def __str__(self) -> str:
        return self.name


class ServerBlock(LoginLimitFields, FrontTlsFields, BackTlsFields, models.Model):
    """One server block."""

    name = declared.line(contract.Server, "name", unique=True)
    enabled = models.BooleanField(default=True, help_text="Off leaves it out of what is published.")
    protocol = models.CharField(
        max_length=4, choices=MailProtocol, help_text="Mail protocol spoken. nginx: protocol."
    )
    server_names = declared.words(contract.Server, "server_names", "Blanks between names.")
    groups = models.ManyToManyField(
        NodeGroup,
        verbose_name="node groups",
        blank=True,
        related_name="blocks",
        help_text="Groups of nodes that run this block; none: every node.",
    )

    auth_service = models.CharField(
        max_length=8,
        choices=AuthService,
        default=AuthService.BUILTIN,
        help_text="Who decides about logins.",
    )
    auth_http = models.CharField(
        "auth_http",
        max_length=500,
        blank=True,
        default="",
        help_text="For another service: host:port/path, https://host/path or unix:/socket:/path."
        " nginx: auth_http.",
    )
    auth_http_backups = WordsField(
        "auth_http backups",
        default=list,
        blank=True,
        help_text="Other places to ask, in order, when those before cannot be reached or are ill."
        " Written alike, with blanks between.",
    )
    auth_http_ssl_trusted_certificate = declared.line(
        contract.AuthHttp,
        "ssl_trusted_certificate",
        max_length=300,
        blank=True,
        default="",
        verbose_name="auth HTTP trusted certificate",
    )
    auth_http_timeout_ms = declared.number(contract.AuthHttp, "timeout_ms", "auth_http_timeout_ms")
    auth_http_keepalive = declared.number(contract.AuthHttp, "keepalive", "auth_http_keepalive")
    auth_http_pass_client_cert = declared.switch(
        contract.AuthHttp, "pass_client_cert", "auth_http_pass_client_cert"
    )
    auth_http_cache_ttl_ms = declared.number(
        contract.AuthHttp, "cache_ttl_ms", "auth_http_cache_ttl_ms"
    )
    auth_http_cache_stale_ms = declared.number(
        contract.AuthHttp, "cache_stale_ms", "auth_http_cache_stale_ms"
    )

    timeout_ms = declared.number(contract.Server, "timeout_ms")
    max_errors = declared.number(contract.Server, "max_errors")
    max_commands = declared.number(contract.Server, "max_commands")
    so_keepalive = declared.switch(contract.Server, "so_keepalive")
    set_real_ip_from = declared.words(contract.Server, "set_real_ip_from", "Blanks between.")
    proxy_timeout_ms = declared.number(contract.Server, "proxy_timeout_ms")
    proxy_buffer_bytes = declared.number(contract.Server, "proxy_buffer_bytes")
    proxy_pass_error_message = declared.switch(contract.Server, "proxy_pass_error_message")
    proxy_protocol = declared.choice(contract.Server, "proxy_protocol")
    resolver = declared.words(contract.Resolver, "addresses", "Blanks between.", "resolver")
    resolver_valid_ms = declared.number(contract.Resolver, "valid_ms", "resolver_valid_ms")
    resolver_ipv4 = declared.switch(contract.Resolver, "ipv4", "resolver_ipv4")
    resolver_ipv6 = declared.switch(contract.Resolver, "ipv6", "resolver_ipv6")
    resolver_timeout_ms = declared.number(contract.Server, "resolver_timeout_ms")

    imap_client_buffer_bytes = declared.number(contract.Server, "imap_client_buffer_bytes")
    imap_auth = declared.words(contract.Server, "imap_auth")
    imap_greeting = declared.line(
        contract.Server, "imap_greeting", default=default_of(contract.Server, "imap_greeting")
    )
    imap_id = declared.pairs(contract.Server, "imap_id", "name = Postroad")
    proxy_issue_imap_id = declared.switch(contract.Server, "proxy_issue_imap_id")
    pop3_client_buffer_bytes = declared.number(contract.Server, "pop3_client_buffer_bytes")
    pop3_auth = declared.words(contract.Server, "pop3_auth")
    pop3_greeting = declared.line(
        contract.Server, "pop3_greeting", default=default_of(contract.Server, "pop3_greeting")
    )
    smtp_client_buffer_bytes = declared.number(contract.Server, "smtp_client_buffer_bytes")
    smtp_auth = declared.words(contract.Server, "smtp_auth")
    smtp_greeting_delay_ms = declared.number(contract.Server, "smtp_greeting_delay_ms")
    xclient = declared.switch(contract.Server, "xclient")
    xclient_legacy = declared.switch(contract.Server, "xclient_legacy")
    proxy_smtp_auth = declared.switch(contract.Server, "proxy_smtp_auth")
    proxy_ctimeout_ms = declared.number(contract.Server, "proxy_ctimeout_ms")
    imap_literalauth = declared.switch(contract.Server, "imap_literalauth")
    proxy_issue_pop3_xoip = declared.switch(contract.Server, "proxy_issue_pop3_xoip")

    class Meta:
        """In the order they were made, which is the order of the snapshot."""

        ordering = ("pk",)
        verbose_name = "server block"

    def __str__(self) -> str:
        return str(self.name)

    def clean(self) -> None:
        """Check every setting as the node will, each error at its field."""
        _complain_once(self, problems.of_block(self))


class Listener(models.Model):
    """One socket of a server block."""

    block = models.ForeignKey(ServerBlock, on_delete=models.CASCADE, related_name="listeners")
    address = declared.line(contract.Listen, "address", max_length=110, default="*")
    port = declared.number(contract.Listen, "port")
    ssl = declared.switch(contract.Listen, "ssl")
    proxy_protocol = declared.switch(contract.Listen, "proxy_protocol")
    backlog = declared.number(contract.Listen, "backlog")
    bind = declared.switch(contract.Listen, "bind")
    rcvbuf_bytes = declared.number(contract.Listen, "rcvbuf_bytes")
    sndbuf_bytes = declared.number(contract.Listen, "sndbuf_bytes")
    ipv6only = declared.switch(contract.Listen, "ipv6only")
    so_keepalive = declared.choice(contract.Listen, "so_keepalive")
    keepalive_idle_s = declared.number(contract.Listen, "keepalive_idle_s")
    keepalive_interval_s = declared.number(contract.Listen, "keepalive_interval_s")
    keepalive_count = declared.number(contract.Listen, "keepalive_count")
    multipath = declared.switch(contract.Listen, "multipath")

    class Meta:
        """A socket stands once in a block; blocks that speak TLS may share one (SNI)."""

        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("block", "address", "port"),
                name="servers_listener_once",
                violation_error_message="Another listener has this address and port.",
            ),
        )

    def __str__(self) -> str:
        return contract.Listen(address=self.address, port=self.port).key

    def clean(self) -> None:
        """Check the socket as the node will, and that it is nobody else's."""
        found = problems.of_listener(self) or collisions.problems_of_listener(self)
        _complain_once(self, found)


class ServerCertificate(models.Model):
    """A certificate that a block shows to clients."""

    block = models.ForeignKey(ServerBlock, on_delete=models.CASCADE, related_name="chosen")
    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="chosen")

    class Meta:
        """In the order they were chosen."""

        ordering = ("pk",)
        verbose_name = "certificate of a server block"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("block", "certificate"), name="servers_chosen_once"),
        )

    def __str__(self) -> str:
        return f"server block {self.block}"


class TicketKey(models.Model):
    """One session ticket key of a block, shared by all nodes."""

    block = models.ForeignKey(ServerBlock, on_delete=models.CASCADE, related_name="ticket_keys")
    value = EncryptedTextField(
        "key",
        help_text="80 or 48 bytes in base64, for instance from “openssl rand -base64 80”."
        " Stored encrypted and never shown again.",
    )

    class Meta:
        """In the order used: the first encrypts, the others only decrypt."""

        ordering = ("pk",)
        verbose_name = "ssl_session_ticket_key"
        default_permissions = ()

    def __str__(self) -> str:
        return f"key {self.pk}"

    def clean(self) -> None:
        """Check that it is a key."""
        _complain_once(self, problems.of_ticket_key(self))


class BlockLog(SyslogFields):
    """A log of a block's own, instead of the process's."""

    block = models.ForeignKey(ServerBlock, on_delete=models.CASCADE, related_name="logs")
    kind = models.CharField(max_length=6, choices=LogKind, default=LogKind.ERROR)
    target = declared.line(AccessLog, "target", max_length=300, default="stderr")
    level = declared.line(
        contract.ErrorLog,
        "level",
        max_length=8,
        choices=LogLevel,
        default=default_of(contract.ErrorLog, "level"),
        help_text="Least severe level written to an error_log.",
    )

    class Meta:
        """In the order made."""

        ordering = ("pk",)
        verbose_name = "log"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.kind}_log {self.target}"

    def clean(self) -> None:
        """Check the log as the node will."""
        _complain_once(self, problems.of_log(self))


class ProcessSettings(ProcessLogFields):
    """One row: what concerns the nodes' processes and not a session."""

    worker_processes = declared.number(contract.Process, "worker_processes")
    worker_connections = declared.number(contract.Process, "worker_connections")
    worker_shutdown_timeout_ms = declared.number(contract.Process, "worker_shutdown_timeout_ms")
    prelogin_sessions = declared.number(contract.Process, "prelogin_sessions")
    prelogin_sessions_per_address = declared.number(
        contract.Process, "prelogin_sessions_per_address"
    )
    prelogin_exempt = declared.words(contract.Process, "prelogin_exempt", "Blanks between.")
    user = declared.line(contract.Process, "user", max_length=100, blank=True, default="")
    group = declared.line(contract.Process, "group", max_length=100, blank=True, default="")
    pid = declared.line(contract.Process, "pid", max_length=300, blank=True, default="")

    class Meta:
        """There is one."""

        verbose_name = "node processes"
        verbose_name_plural = "node processes"
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return "Node processes"

    def clean(self) -> None:
        """Check every setting as the node will, each error at its field."""
        _complain_once(self, problems.of_process(self))


class Capability(models.Model):
    """One capability announced before login, instead of the protocol's default list."""

    block = models.ForeignKey(ServerBlock, on_delete=models.CASCADE, related_name="capabilities")
    position = models.PositiveIntegerField(default=0)
    text = declared.line(
        contract.Server,
        "imap_capabilities",
        max_length=200,
        validators=[declared.form_of(contract.Server, "imap_capabilities")],
        help_text="As announced, for instance UIDPLUS or “SIZE 10240000”.",
    )

    class Meta:
        """In the order announced."""

        ordering = ("position", "pk")
        verbose_name_plural = "capabilities"

    def __str__(self) -> str:
        return str(self.text)


class AuthHttpHeader(models.Model):
    """One header added to every request to another auth service."""

    block = models.ForeignKey(ServerBlock, on_delete=models.CASCADE, related_name="auth_headers")
    name = declared.line(contract.AuthHttpHeader, "name", max_length=100)
    value = EncryptedTextField(
        help_text="Stored encrypted and never shown again. nginx: auth_http_header."
    )

    class Meta:
        """In the order sent."""

        ordering = ("pk",)
        verbose_name = "auth_http_header"

    def __str__(self) -> str:
        return str(self.name)

    def clean(self) -> None:
        """Check the header as the node will."""
        _complain_once(self, problems.of_header(self))
