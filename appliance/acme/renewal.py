"""When a certificate is renewed: when its CA suggests it (RFC 9773), else by its age. Pure."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography import x509

_JITTER: Final = 0.05
"""Part of its life that a renewal may come earlier, so that not all come at once."""
_LATEST: Final = 0.9
"""Part of its life after which a certificate is renewed whatever the CA suggests."""

ASK_AGAIN: Final = timedelta(hours=6)
"""RFC 9773 §4.3.3: when the CA does not say."""
_ASK_SOONEST: Final = timedelta(minutes=1)
_ASK_LATEST: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """When the CA would like a certificate to be renewed."""

    start: datetime
    end: datetime
    explanation_url: str = ""


class BadAnswer(ValueError):
    """What the CA said of renewal makes no sense."""


def by_age(not_before: datetime, not_after: datetime, chance: float) -> datetime:
    """Say when two thirds of its life are over, or a little earlier.

    chance: between 0 and 1; kept by the caller in what it stores, so that the day stays the same.
    """
    life = not_after - not_before
    return not_before + life * (2 / 3 - chance * _JITTER)


def by_window(window: Window, not_before: datetime, not_after: datetime, chance: float) -> datetime:
    """Choose a moment of the CA's window (RFC 9773 §4.2), but none too late."""
    latest = not_before + (not_after - not_before) * _LATEST
    return min(window.start + (window.end - window.start) * chance, latest)


def read_window(document: Any) -> Window:
    """Read a RenewalInfo object. Raises BadAnswer."""
    try:
        given: Mapping[str, str] = document["suggestedWindow"]
        start, end = (datetime.fromisoformat(given[name]) for name in ("start", "end"))
        window = Window(start, end, str(document.get("explanationURL") or "")[:500])
        # naive times cannot be compared with ours
        ordered = start.utcoffset() is not None and start < end
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise BadAnswer(f"the CA's renewal information cannot be read: {fault}") from None
    if not ordered:
        raise BadAnswer("the CA's renewal window ends before it begins")
    return window


def ask_again_at(wanted: datetime | None, now: datetime) -> datetime:
    """Say when the CA is asked again, within reason."""
    wanted = wanted or now + ASK_AGAIN
    return max(now + _ASK_SOONEST, min(wanted, now + _ASK_LATEST))


def certificate_id(certificate: x509.Certificate) -> str:
    """Give the name RFC 9773 §4.1 has for a certificate; empty when it cannot have one."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return ""
    identifier = found.value.key_identifier
    if identifier is None:
        return ""
    serial = certificate.serial_number
    # the octets of a DER INTEGER, with room for the sign
    octets = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return f"{_base64(identifier)}.{_base64(octets)}"


def _base64(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
