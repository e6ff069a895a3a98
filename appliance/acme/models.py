"""ACME accounts, what is to be issued, and the orders for it."""

from django.db import models

from appliance.acme.choices import SolverKind, TsigAlgorithm
from appliance.lib.fields import EncryptedTextField


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
