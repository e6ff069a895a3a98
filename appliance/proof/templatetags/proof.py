"""Look-ups by value, which templates cannot do."""

from collections.abc import Mapping

from django import template

from appliance.proof.queries import Known

register = template.Library()


@register.filter
def of(known: Mapping[str, Known], fingerprint: str) -> Known | None:
    """Give the certificate of ours that a fingerprint belongs to."""
    return known.get(fingerprint)
