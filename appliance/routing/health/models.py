"""What probes found, the latest of each address and protocol."""

from django.db import models

from appliance.routing.choices import HealthState, MailProtocol


class HostHealth(models.Model):
    """Whether one address of a mail host answers, for one protocol."""

    mail_host = models.ForeignKey(
        "routing.MailHost", on_delete=models.CASCADE, related_name="health"
    )
    protocol = models.CharField(max_length=4, choices=MailProtocol)
    address = models.CharField(max_length=253)
    """An IP address; the host's name where that could not be looked up."""
    state = models.CharField(max_length=8, choices=HealthState, default=HealthState.UNKNOWN)
    since = models.DateTimeField()
    """Of the state."""
    checked_at = models.DateTimeField()
    is_good = models.BooleanField(default=False)
    """What the latest probe found; the state follows after some in a row."""
    in_a_row = models.PositiveIntegerField(default=0)
    """Probes that ended as the latest did."""
    latency_ms = models.PositiveIntegerField(null=True)
    """Of the latest good probe: until it could have been logged in."""
    reason = models.CharField(max_length=300, blank=True, default="")
    """Why the latest probe failed, in words."""

    class Meta:
        """One row for each."""

        ordering = ("mail_host", "protocol", "address")
        constraints = (
            models.UniqueConstraint(
                fields=("mail_host", "protocol", "address"), name="routing_health_once"
            ),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.protocol} of {self.mail_host} at {self.address}"
