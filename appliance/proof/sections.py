"""What a certificate's page says of where it is served."""

from appliance.certs.models import Certificate
from appliance.certs.registry import Section
from appliance.proof import queries


def served(certificate: Certificate) -> Section | None:
    """Say which listeners of which nodes show it; nothing before anybody looked."""
    found = queries.of_certificate(certificate.fingerprint)
    if not found.places:
        return None
    doors = found.doors
    label = f"{len(doors)} listener{'' if len(doors) == 1 else 's'}"
    if found.other or found.failed:
        label = f"not as published at {found.other + found.failed} of {len(doors)} listeners"
    return Section(
        title="Served",
        template="proof/certificate.html",
        context={"sum": found},
        anchor="served",
        label=label,
        tone=found.tone,
    )
