"""What has ended: sessions, failed logins; the last login of each account; how it arrives."""

from typing import Final

from django.db import models

MAX_SESSION: Final = 100
MAX_LOGIN: Final = 320
MAX_FAULT: Final = 512


class SessionRecord(models.Model):
    """A session that has ended, or one of its failed logins.

    Columns instead of one document: about 300 octets a row, and everything can be asked for. Rows
    are never changed.
    """

    node = models.PositiveBigIntegerField()
    """Id of the fleet's node; not a foreign key, since the history outlives nodes."""
    session = models.CharField(max_length=MAX_SESSION)
    attempt = models.PositiveIntegerField(default=0)
    """0: the session itself. Else its refused submission of this number."""
    ended_at = models.DateTimeField()
    """When the session ended or the login was refused, by the node's clock; never in the future."""
    server = models.CharField(max_length=100)
    protocol = models.CharField(max_length=8)
    listen = models.CharField(max_length=128)
    address = models.BinaryField(max_length=16)
    """The client's, as 16 octets (IPv4 mapped), so that a network is a range. Empty: none."""
    port = models.PositiveIntegerField(default=0)
    proxied_by = models.CharField(max_length=64, blank=True, default="")
    """Who sent the PROXY header that told the client's address."""
    account = models.CharField(max_length=MAX_LOGIN, blank=True, default="")
    """The login as the client sent it, A–Z as a–z. In PostgreSQL compared by octets."""
    login = models.CharField(max_length=MAX_LOGIN, blank=True, default="")
    """The login as the client sent it."""
    back_login = models.CharField(max_length=MAX_LOGIN, blank=True, default="")
    """What the auth service made of it; empty: nothing else."""
    auth_session = models.CharField(max_length=128, blank=True, default="")
    method = models.CharField(max_length=16, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    cached = models.BooleanField(default=False)
    backend = models.CharField(max_length=128, blank=True, default="")
    front_tls = models.CharField(max_length=16, blank=True, default="")
    front_cipher = models.CharField(max_length=64, blank=True, default="")
    front_sni = models.CharField(max_length=255, blank=True, default="")
    front_alpn = models.CharField(max_length=32, blank=True, default="")
    front_resumed = models.BooleanField(default=False)
    front_verify = models.CharField(max_length=128, blank=True, default="")
    back_tls = models.CharField(max_length=16, blank=True, default="")
    back_cipher = models.CharField(max_length=64, blank=True, default="")
    back_resumed = models.BooleanField(default=False)
    back_verify = models.CharField(max_length=128, blank=True, default="")
    bytes_to_front = models.PositiveBigIntegerField(default=0)
    bytes_to_back = models.PositiveBigIntegerField(default=0)
    tls_ms = models.PositiveBigIntegerField(null=True)
    credentials_ms = models.PositiveBigIntegerField(null=True)
    auth_ms = models.PositiveBigIntegerField(null=True)
    connect_ms = models.PositiveBigIntegerField(null=True)
    login_ms = models.PositiveBigIntegerField(null=True)
    relay_ms = models.PositiveBigIntegerField(null=True)
    """Null: it never came to a mail server's mailbox."""
    total_ms = models.PositiveBigIntegerField(default=0)
    reason = models.CharField(max_length=32)
    fault = models.CharField(max_length=MAX_FAULT, blank=True, default="")
    """What the node's log said was wrong; of a failed login, what the client was told."""

    class Meta:
        """Found by user, by address, and by time; the newest first."""

        verbose_name = "session record"
        verbose_name_plural = "history"
        constraints = (
            models.UniqueConstraint(
                fields=("session", "attempt", "node"), name="history_record_once"
            ),
        )
        indexes = (
            models.Index(fields=("ended_at",), name="history_record_time"),
            models.Index(fields=("account", "ended_at"), name="history_record_account"),
            models.Index(fields=("address", "ended_at"), name="history_record_address"),
        )
        default_permissions = ("view",)
        permissions = (("export_sessionrecord", "Can export session history"),)

    def __str__(self) -> str:
        return f"{self.protocol} session of {self.login or 'nobody'}"


class LastLogin(models.Model):
    """When an account was last let in, by the sessions that have ended."""

    account = models.CharField(max_length=MAX_LOGIN, primary_key=True)
    """As in ``SessionRecord``."""
    at = models.DateTimeField()
    address = models.CharField(max_length=64)
    protocol = models.CharField(max_length=8)
    backend = models.CharField(max_length=128)

    class Meta:
        """Read with the account it is of."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.account} at {self.at}"


class Intake(models.Model):
    """What has arrived of one node, and what it had to drop."""

    node = models.PositiveBigIntegerField(primary_key=True)
    boot_id = models.CharField(max_length=64)
    boot_dropped = models.PositiveBigIntegerField(default=0)
    """The node's own total, of this boot."""
    dropped = models.PositiveBigIntegerField(default=0)
    """Of all boots."""
    dropped_at = models.DateTimeField(null=True)
    """When it last said that more were dropped."""
    stored = models.PositiveBigIntegerField(default=0)
    unreadable = models.PositiveBigIntegerField(default=0)
    """Records that were none."""
    received_at = models.DateTimeField()
    lag_ms = models.PositiveBigIntegerField(default=0)
    """Between the end of the newest record of the last batch and its arrival."""

    class Meta:
        """A row per node."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"node {self.node}"
