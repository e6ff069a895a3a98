"""What the appliance knows of its nodes: identity, last word, live sessions, commands.

And what all of them have in common beside the configuration: session ticket keys.
"""

import uuid

from django.conf import settings
from django.db import models

from appliance.fleet.addresses import check_listen, check_probe
from appliance.fleet.choices import CommandKind, CommandState
from appliance.lib.fields import EncryptedTextField, WordsField
from appliance.publish.parts import NO_GROUP
from appliance.servers.models import NodeGroup


class Node(models.Model):
    """One proxy node and the last it said about itself."""

    name = models.CharField(
        max_length=100, unique=True, help_text="How this node is called in the admin."
    )
    group = models.ForeignKey(
        NodeGroup,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="nodes",
        help_text="The node runs the server blocks of this group, beside those for every node. "
        "Blank: the latter alone.",
    )
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    """SHA-256 of the token in hex. A token has 256 random bits, so a plain hash is enough."""
    probe_address = models.CharField(
        max_length=253,
        blank=True,
        default="",
        validators=[check_probe],
        help_text="IP address or name at which the appliance reaches the node's listeners, for"
        " looking at what they serve. Blank: the address the node connects from.",
    )
    acme_http_listen = WordsField(
        "acme_http_listen",
        default=list,
        blank=True,
        validators=[check_listen],
        help_text="Addresses at which the node answers certificate authorities, for instance *:80"
        " and [::]:80, with blanks between. Blank: it does not.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    connection = models.CharField(max_length=100, blank=True, default="", editable=False)
    """Channel of the socket that speaks for the node; an older socket is closed."""
    version = models.CharField(max_length=64, blank=True, default="", editable=False)
    hostname = models.CharField(max_length=255, blank=True, default="", editable=False)
    boot_id = models.CharField(max_length=64, blank=True, default="", editable=False)
    peer_address = models.CharField(max_length=64, blank=True, default="", editable=False)
    """Where its control link comes from; of a proxy, where there is one between."""
    connected_at = models.DateTimeField(null=True, editable=False)
    last_seen_at = models.DateTimeField(null=True, editable=False)
    applied_revision = models.PositiveBigIntegerField(default=0, editable=False)
    applied_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    generation = models.PositiveBigIntegerField(default=0, editable=False)
    workers = models.PositiveIntegerField(default=0, editable=False)
    sessions = models.PositiveIntegerField(default=0, editable=False)
    refused_revision = models.PositiveBigIntegerField(default=0, editable=False)
    problems = models.JSONField(default=list, blank=True, editable=False)
    """What the node said against ``refused_revision``: a list of ``{path, message}``."""
    checked_candidate = models.PositiveBigIntegerField(default=0, editable=False)
    """The candidate (publish.models) that the node checked last."""
    check_problems = models.JSONField(default=list, blank=True, editable=False)
    check_warnings = models.JSONField(default=list, blank=True, editable=False)
    """What it said of it, as in ``problems``."""
    tickets = models.PositiveBigIntegerField(default=0, editable=False)
    """Number of the session ticket keys it has; 0: none of ours."""
    challenges = models.CharField(max_length=64, blank=True, default="", editable=False)
    """Digest of what it answers certificate authorities by."""
    challenge_problems = models.JSONField(default=list, blank=True, editable=False)
    """Where it cannot listen for them, as in ``problems``."""
    drain_requested_at = models.DateTimeField(null=True, editable=False)
    """Since when it is to take no new clients; null: it is to."""
    is_draining = models.BooleanField(default=False, editable=False)
    """It says that it takes none."""
    load = models.FloatField(null=True, editable=False)
    """Its host's load average of a minute; null: it does not say."""
    clock_skew_ms = models.BigIntegerField(null=True, editable=False)
    """How far its clock is ahead of ours, with what the frame took to arrive."""

    class Meta:
        """Order by name, as people look for it."""

        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def group_name(self) -> str:
        """Name of its group; empty: it is in none."""
        return self.group.name if self.group is not None else NO_GROUP

    @property
    def is_to_drain(self) -> bool:
        """It is to take no new clients."""
        return self.drain_requested_at is not None


class TicketKey(models.Model):
    """What session ticket keys of nodes are made from, for each group its own (``common``).

    The newest is the next one, and does not encrypt yet.
    """

    key = EncryptedTextField(editable=False)
    """80 octets in base64."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Newest first; nobody sees them."""

        ordering = ("-pk",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"session ticket key {self.pk}"


class EnrolmentCode(models.Model):
    """A code by which one machine may fetch a token, once, for a node that is not there yet."""

    name = models.CharField(
        "node",
        max_length=100,
        help_text="How the node will be called in the admin.",
    )
    group = models.ForeignKey(
        NodeGroup,
        null=True,
        blank=True,
        # without it the node would be in no group, and be sent what is for others
        on_delete=models.CASCADE,
        related_name="+",
        help_text="Group the node will be in. Blank: none.",
    )
    code_hash = models.CharField(max_length=64, unique=True, editable=False)
    """SHA-256 in hex. A code has 100 random bits, so a plain hash is enough."""
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL
    )
    expires_at = models.DateTimeField(editable=False)
    used_at = models.DateTimeField(null=True, editable=False)
    used_from = models.CharField(max_length=64, blank=True, default="", editable=False)

    class Meta:
        """Newest first. A code that was given is not changed."""

        ordering = ("-pk",)
        default_permissions = ("add", "delete", "view")

    def __str__(self) -> str:
        return f"code for {self.name}"


class Disconnect(models.Model):
    """Many sessions that are disconnected little by little, because somebody wants them gone."""

    search = models.CharField(max_length=200)
    """What was searched for when it was asked."""
    total = models.PositiveIntegerField()
    failed = models.PositiveIntegerField(default=0)
    """Sessions whose nodes did not answer."""
    left = models.PositiveIntegerField(default=0)
    """Sessions that were let go when it was stopped."""
    per_second = models.PositiveIntegerField()
    """Most for each mail server."""
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    finished_at = models.DateTimeField(null=True)

    class Meta:
        """Newest first; only the live page makes them."""

        ordering = ("-pk",)
        verbose_name = "mass disconnect"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.total} sessions matching {self.search}"


class LiveSession(models.Model):
    """One session a node holds now. These rows are the live index (ADR-0009)."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="live_sessions")
    session = models.CharField(max_length=100)
    server = models.CharField(max_length=100)
    protocol = models.CharField(max_length=8)
    user = models.CharField(max_length=512)
    client = models.CharField(max_length=64)
    client_key = models.CharField(max_length=32, blank=True, default="")
    """The address as 32 hexadecimal digits, so that networks are ranges and sort as numbers do."""
    tls = models.CharField(max_length=16, blank=True, default="")
    """Version of TLS with the client; empty: none."""
    client_port = models.PositiveIntegerField()
    listen = models.CharField(max_length=128)
    backend = models.CharField(max_length=128)
    auth_session = models.CharField(max_length=128, blank=True, default="")
    """What the auth service calls it (``Auth-Session``); empty when it gave no name."""
    started_at = models.DateTimeField()
    bytes_to_front = models.PositiveBigIntegerField(default=0)
    bytes_to_back = models.PositiveBigIntegerField(default=0)
    kick_requested_at = models.DateTimeField(null=True)
    """Set while a disconnect is on its way, so that every operator sees it."""
    disconnect = models.ForeignKey(
        Disconnect, null=True, on_delete=models.SET_NULL, related_name="sessions"
    )
    kick_due_at = models.DateTimeField(null=True)
    """When its turn comes in ``disconnect``; null once its node is told."""

    class Meta:
        """Indexed by what operators search and sort for."""

        constraints = (
            models.UniqueConstraint(fields=("node", "session"), name="fleet_session_once_per_node"),
        )
        indexes = (
            models.Index(fields=("user",), name="fleet_session_user"),
            models.Index(fields=("backend",), name="fleet_session_backend"),
            models.Index(fields=("protocol",), name="fleet_session_protocol"),
            models.Index(fields=("client_key",), name="fleet_session_client"),
            models.Index(fields=("started_at",), name="fleet_session_started"),
            models.Index(
                fields=("node", "kick_due_at"),
                name="fleet_session_due",
                condition=models.Q(kick_due_at__isnull=False),
            ),
        )
        default_permissions = ("view",)
        permissions = (("disconnect_livesession", "Can disconnect live sessions"),)

    def __str__(self) -> str:
        return f"{self.user} ({self.protocol}) from {self.client}"


class NodeCommand(models.Model):
    """One thing a node is told to do; kept afterwards as the record of who asked for it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="commands")
    kind = models.CharField(max_length=16, choices=CommandKind, default=CommandKind.KICK)
    targets = models.JSONField(default=list)
    """Session ids, as the node names them."""
    description = models.CharField(max_length=600, blank=True, default="")
    """What the targets were, in words, for when the sessions are long gone."""
    state = models.CharField(max_length=16, choices=CommandState, default=CommandState.PENDING)
    affected = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=500, blank=True, default="")
    disconnect = models.ForeignKey(
        Disconnect, null=True, editable=False, on_delete=models.CASCADE, related_name="commands"
    )
    """The mass disconnect it is a part of; parts are not kept when they are done."""
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Newest first; open commands are found by their index."""

        ordering = ("-created_at",)
        indexes = (models.Index(fields=("node", "state"), name="fleet_command_open"),)
        verbose_name = "disconnect"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} on {self.node}"
