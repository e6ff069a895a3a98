"""What of the proof people may want to be told of."""

from typing import Final

from appliance.alerts.choices import Severity
from appliance.alerts.registry import Kind
from appliance.proof.choices import Verdict

OTHER: Final = Kind(
    "proof.other",
    "A listener serves another certificate",
    "Clients are shown a certificate that is not the published one.",
)
SILENT: Final = Kind(
    "proof.failed",
    "A listener shows no certificate",
    "From the appliance, a listener with TLS cannot be reached, or TLS cannot be begun there.",
)

OF: Final = {
    Verdict.OTHER: (OTHER, Severity.CRITICAL),
    Verdict.FAILED: (SILENT, Severity.WARNING),
}
"""By verdict, with how bad it is."""
