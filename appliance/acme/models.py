"""ACME accounts, what is to be issued, and the orders for it."""

from django.conf import settings
from django.core.validators import URLValidator
from django.db import models

from appliance.acme.choices import (
    ENDED,
    AccountState,
    ChallengeType,
    Keys,
    OrderCause,
    OrderState,
    Reason,
    Renew,
    SolverKind,
    TsigAlgorithm,
)
from appliance.certs.models import Certificate
from appliance.lib.fields import EncryptedTextField, WordsField


class DnsSolver(models.Model):
    """How TXT records for DNS-01 are set."""

    name = models.CharField(
        max_length=100, unique=True, help_text="How it is called here, for instance example.com."
    )
    kind = models.CharField(max_length=10, choices=SolverKind, default=SolverKind.RFC2136)
    server = models.CharField(
        "DNS server",
        max_length=253,
        blank=True,
        default="",
        help_text="Name or address of the primary server that takes dynamic updates.",
    )
    port = models.PositiveIntegerField(default=53, help_text="TCP and UDP port; default 53.")
    zone = models.CharField(
        max_length=253,
        blank=True,
        default="",
        help_text="Zone to be updated, for instance example.com. Blank: found out by asking the"
        " server (SOA).",
    )
    tsig_name = models.CharField(
        "TSIG key name",
        max_length=253,
        blank=True,
        default="",
        help_text="Name of the key that signs updates. Blank: updates are not signed.",
    )
    tsig_algorithm = models.CharField(
        "TSIG algorithm", max_length=20, choices=TsigAlgorithm, default=TsigAlgorithm.SHA256
    )
    tsig_secret = EncryptedTextField(
        "TSIG secret",
        blank=True,
        default="",
        help_text="The key in Base64, as in the server's configuration. Stored encrypted.",
    )
    ttl_s = models.PositiveIntegerField(
        "TTL of the record (s)", default=60, help_text="Seconds; default 60."
    )
    program = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="File name of the program in the directory for hooks (POSTROAD_ACME_HOOK_DIR);"
        " it is called with present or cleanup, the name and the value.",
    )
    timeout_s = models.PositiveIntegerField(
        "time limit (s)", default=30, help_text="Seconds for one change; default 30."
    )
    settle_s = models.PositiveIntegerField(
        "wait before the CA looks (s)",
        default=10,
        help_text="Seconds from the change until all name servers of the zone have it; default 10.",
    )

    class Meta:
        """Order by name."""

        ordering = ("name",)
        verbose_name = "DNS solver"

    def __str__(self) -> str:
        return str(self.name)


class Account(models.Model):
    """An account at a CA: it is who asks for certificates."""

    name = models.CharField(
        max_length=100,
        unique=True,
        help_text="How it is called here, for instance Let's Encrypt.",
    )
    directory_url = models.CharField(
        "directory",
        max_length=500,
        # RFC 8555 §6.1: nothing else
        validators=(URLValidator(schemes=["https"]),),
        help_text="The CA's ACME address, for instance"
        " https://acme-v02.api.letsencrypt.org/directory.",
    )
    contact = WordsField(
        default=list,
        blank=True,
        help_text="Mail addresses the CA may write to, with blanks between. Many CAs want none.",
    )
    terms_agreed = models.BooleanField(
        "I agree to the CA's terms of service",
        default=False,
        help_text="Their address is shown here once the CA has been asked.",
    )
    eab_kid = models.CharField(
        "key identifier",
        max_length=500,
        blank=True,
        default="",
        help_text="External account binding: given by the CA where it wants one.",
    )
    eab_key = EncryptedTextField(
        "HMAC key",
        blank=True,
        default="",
        help_text="In Base64, as the CA gives it. Stored encrypted, used once.",
    )
    ca_bundle = models.TextField(
        "CA certificates of the directory",
        blank=True,
        default="",
        help_text="PEM text; only for a CA of your own whose address no public CA vouches for.",
    )

    private_key = EncryptedTextField(editable=False)
    """The account's key, PKCS#8 as PEM text."""
    next_key = EncryptedTextField(blank=True, default="", editable=False)
    """The key it is being changed to; stored before the CA is told."""
    state = models.CharField(
        max_length=10, choices=AccountState, default=AccountState.NEW, editable=False
    )
    url = models.CharField(max_length=500, blank=True, default="", editable=False)
    """What the CA calls it."""
    terms_url = models.CharField(max_length=500, blank=True, default="", editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    next_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When the next step is to be tried; None: nothing to do."""
    held_until = models.DateTimeField(null=True, blank=True, editable=False)
    """So long one worker has it for itself."""
    held_by = models.CharField(max_length=36, blank=True, default="", editable=False)
    problem = models.JSONField(default=dict, blank=True, editable=False)
    """problems.Problem as it was last met; empty: none."""
    registered_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        """Order by name."""

        ordering = ("name",)
        verbose_name = "ACME account"

    def __str__(self) -> str:
        return str(self.name)


class Issuance(models.Model):
    """What is wanted from a CA, from now on and by itself."""

    name = models.CharField(
        max_length=80,
        unique=True,
        help_text="How it is called here, and the certificates that come of it.",
    )
    enabled = models.BooleanField(
        default=True, help_text="Off: nothing is ordered or renewed by itself."
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="issuances")
    names = WordsField(
        help_text="Host names the certificate is for, with blanks between;"
        " *.example.com needs DNS-01.",
    )
    keys = models.CharField(max_length=10, choices=Keys, default=Keys.EC256)
    reuse_key = models.BooleanField(
        "keep the key when renewing",
        default=False,
        help_text="Only where somebody has pinned it (DANE, for instance). Off: each certificate"
        " has a new key.",
    )
    challenge = models.CharField(
        "proof", max_length=10, choices=ChallengeType, default=ChallengeType.HTTP_01
    )
    solver = models.ForeignKey(
        DnsSolver,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="issuances",
        verbose_name="DNS solver",
        help_text="Who sets the TXT records for DNS-01.",
    )
    preferred_chain = models.CharField(
        max_length=200,
        blank=True,
        default="",
        help_text="Name of the root to prefer where the CA offers several chains, for instance"
        " ISRG Root X1. Blank: the CA's own choice.",
    )
    profile = models.CharField(
        max_length=100,
        blank=True,
        default="",
        help_text="The CA's name for a kind of certificate, for instance shortlived (six days)."
        " Blank: the CA's own choice.",
    )
    renew = models.CharField(max_length=10, choices=Renew, default=Renew.SUGGESTED)
    publish_automatically = models.BooleanField(
        default=True,
        help_text="A renewed certificate is published by itself, unless the draft holds other"
        " changes too.",
    )

    publish_since = models.DateTimeField(null=True, blank=True, editable=False)
    """Since when a stored certificate waits for being published; None: none does."""

    class Meta:
        """Order by name."""

        ordering = ("name",)
        verbose_name = "automatic certificate"

    def __str__(self) -> str:
        return str(self.name)


class Variant(models.Model):
    """One certificate of an issuance: a pair has two of them."""

    issuance = models.ForeignKey(Issuance, on_delete=models.CASCADE, related_name="variants")
    keys = models.CharField(max_length=10, choices=Keys)
    certificate = models.OneToOneField(
        Certificate, null=True, blank=True, on_delete=models.SET_NULL, related_name="acme"
    )
    """Where what is issued is stored, so that server blocks go on naming it."""
    fingerprint = models.CharField(max_length=95, blank=True, default="")
    """Of what was issued last; empty: nothing was."""
    account_url = models.CharField(max_length=500, blank=True, default="")
    """URL of the account that was given it."""
    not_before = models.DateTimeField(null=True)
    not_after = models.DateTimeField(null=True)
    renew_at = models.DateTimeField(null=True)
    """When it is to be renewed."""
    window_start = models.DateTimeField(null=True)
    """What the CA suggests (RFC 9773 §4.2)."""
    window_end = models.DateTimeField(null=True)
    explanation_url = models.CharField(max_length=500, blank=True, default="")
    ask_at = models.DateTimeField(null=True)
    """When the CA is to be asked for its suggestion."""
    ask_problem = models.CharField(max_length=500, blank=True, default="")
    failures = models.PositiveIntegerField(default=0)
    """Orders that have failed since the last that did not."""
    try_at = models.DateTimeField(null=True)
    """Not before this a failed order is followed by another."""

    class Meta:
        """One of a kind."""

        ordering = ("pk",)
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("issuance", "keys"), name="acme_variant_once"),
        )

    def __str__(self) -> str:
        return f"{self.issuance} ({self.get_keys_display()})"


class Order(models.Model):
    """One way from the wish for a certificate to its being stored, or to a reason why not."""

    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="orders")
    cause = models.CharField(max_length=10, choices=OrderCause)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    state = models.CharField(max_length=10, choices=OrderState, default=OrderState.WANTED)
    names = models.JSONField(default=list)
    challenge = models.CharField(max_length=10, choices=ChallengeType)
    fresh_key = models.BooleanField(default=False)
    """The key is new, whatever the issuance says."""
    private_key = EncryptedTextField(blank=True, default="")
    """Of the certificate to be; stored before the CA is told of it, forgotten at the end."""
    replaces = models.CharField(max_length=200, blank=True, default="")
    """Which certificate it is to replace (RFC 9773 §5)."""
    url = models.CharField(max_length=500, blank=True, default="")
    finalize_url = models.CharField(max_length=500, blank=True, default="")
    certificate_url = models.CharField(max_length=500, blank=True, default="")
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    """Tries of the present step that did not get further."""
    next_at = models.DateTimeField(null=True, db_index=True)
    """When the next step is to be tried; None once it has ended."""
    held_until = models.DateTimeField(null=True)
    """So long one worker has it for itself."""
    held_by = models.CharField(max_length=36, blank=True, default="")
    problem = models.JSONField(default=dict)
    """problems.Problem as it was last met; empty: none."""

    class Meta:
        """Newest first; one at a time for each certificate."""

        ordering = ("-pk",)
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("variant",),
                condition=~models.Q(state__in=ENDED),
                name="acme_one_open_order",
            ),
        )

    def __str__(self) -> str:
        return f"Order {self.pk}"


class OrderStep(models.Model):
    """A state an order has reached, or a try that did not get it further."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="steps")
    state = models.CharField(max_length=10, choices=OrderState)
    at = models.DateTimeField()
    words = models.TextField(blank=True, default="")
    tries = models.PositiveIntegerField(default=1)
    """Equal steps in a row are one."""

    class Meta:
        """As it went."""

        ordering = ("pk",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.get_state_display()} {self.at:%Y-%m-%d %H:%M:%S}"


class Challenge(models.Model):
    """How one name of an order is proven."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="challenges")
    name = models.CharField(max_length=253)
    """Without ``*.``."""
    authorization_url = models.CharField(max_length=500)
    url = models.CharField(max_length=500, blank=True, default="")
    token = models.CharField(max_length=200, blank=True, default="", db_index=True)
    key_authorization = models.CharField(max_length=400, blank=True, default="")
    """What the CA expects (RFC 8555 §8.1): public, for it says nothing of the key."""
    is_valid = models.BooleanField(default=False)
    is_present = models.BooleanField(default=False)
    """The answer is, or may be, where the CA looks for it."""

    class Meta:
        """Known to nobody but its order."""

        default_permissions = ()

    def __str__(self) -> str:
        return str(self.name)


class Revocation(models.Model):
    """A certificate that the CA is asked to declare invalid."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    issuance = models.ForeignKey(
        Issuance, null=True, on_delete=models.SET_NULL, related_name="revocations"
    )
    pem = models.TextField()
    fingerprint = models.CharField(max_length=95)
    reason = models.PositiveSmallIntegerField(choices=Reason)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    is_revoked = models.BooleanField(default=False)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    held_until = models.DateTimeField(null=True)
    held_by = models.CharField(max_length=36, blank=True, default="")
    problem = models.JSONField(default=dict)

    class Meta:
        """Newest first."""

        ordering = ("-pk",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"Revocation {self.pk}"
