"""The closed lists of words of the proof."""

from typing import Final

from django.db import models


class Verdict(models.TextChoices):
    """What was found at a listener, against what was published."""

    SERVED = "served", "Served"
    OTHER = "other", "Something else"
    FAILED = "failed", "No answer"
    UNKNOWN = "unknown", "Not known here"
    HIDDEN = "hidden", "Cannot be looked at"


TONES: Final[dict[str, str]] = {
    Verdict.SERVED: "success",
    Verdict.OTHER: "danger",
    Verdict.FAILED: "warning",
    Verdict.UNKNOWN: "info",
    Verdict.HIDDEN: "info",
}
"""Colour of each verdict."""
