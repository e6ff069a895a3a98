"""What went wrong, in the CA's own words, and what to do about it in ours.

RFC 8555 §6.7 has the list of types; advice is by type, and so is whether it helps to ask again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

PREFIX: Final = "urn:ietf:params:acme:error:"

_LONGEST_WAIT: Final = timedelta(days=7)
"""A CA that wants longer is asked again then; Let's Encrypt's longest limit is a week."""


class Remedy(StrEnum):
    """What helps."""

    RETRY = "retry"
    """The same step again, later."""
    REORDER = "reorder"
    """This order is lost, another may do."""
    OPERATOR = "operator"
    """Somebody has to change something first; we try again once a day."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, as it is stored and shown."""

    kind: str
    """The last part of the CA's type (``rateLimited``), or one of ours (``network``)."""
    words: str
    """As the CA said it, or the network; nothing of it is ours."""
    advice: str
    remedy: Remedy = Remedy.RETRY
    link: str = ""
    """Where the CA explains it, or wants something agreed to."""

    def stored(self) -> dict[str, str]:
        """Give it as JSON data."""
        return {name: str(value) for name, value in asdict(self).items()}


_R, _O, _S = Remedy.RETRY, Remedy.REORDER, Remedy.OPERATOR

ADVICE: Final[Mapping[str, tuple[Remedy, str]]] = {
    "accountDoesNotExist": (
        _S,
        "The CA does not know the account (any more): register it again on its page.",
    ),
    "alreadyRevoked": (_S, "The certificate is revoked already: nothing is left to do."),
    "badCSR": (
        _S,
        "The CA does not want this request: try another kind of key, or fewer or other names.",
    ),
    "badNonce": (_R, "The CA was too busy to recognise its own numbers. It is asked again."),
    "badPublicKey": (_S, "The CA does not take keys of this kind: choose another kind."),
    "badRevocationReason": (_S, "The CA does not take this reason: revoke for another one."),
    "badSignatureAlgorithm": (
        _S,
        "The CA does not take the account's kind of key. Is this the address of another service?",
    ),
    "caa": (
        _S,
        "A CAA record in the DNS of the name forbids this CA: add one that allows it,"
        " or use the CA it names.",
    ),
    "compound": (_O, "Several names have a problem each: see what is said of every one."),
    "connection": (
        _O,
        "The CA could not connect to the name. Does it point to this machine in the DNS, also"
        " with its IPv6 address, and is port 80 open in every firewall on the way?",
    ),
    "dns": (
        _O,
        "The CA could not look the name up. Does it exist in the public DNS, and do all its name"
        " servers answer? For DNS-01, wait longer before the CA looks.",
    ),
    "dnssec": (_O, "The zone's DNSSEC signatures do not verify: have them mended first."),
    "externalAccountRequired": (
        _S,
        "The CA wants an account of its own to be named: fill in key identifier and HMAC key on"
        " the account's page, as the CA's web page gives them.",
    ),
    "incorrectResponse": (
        _O,
        "The CA found another answer than ours. Does the name point to another machine, or does"
        " something in front of this one answer on port 80?",
    ),
    "invalidContact": (_S, "The CA does not take the contact: correct the account's addresses."),
    "malformed": (
        _O,
        "The CA did not understand, or does not know the order any more. Should it happen again:"
        " is the directory's address right?",
    ),
    "orderNotReady": (_R, "The CA still looks at the proofs. It is asked again."),
    "rateLimited": (
        _R,
        "The CA wants no more requests for now. It is asked again when it said; asking earlier"
        " makes it worse. Try things out with the CA's staging address.",
    ),
    "rejectedIdentifier": (
        _S,
        "The CA gives no certificate for this name, by its own rules: leave it out.",
    ),
    "serverInternal": (_R, "The CA has trouble of its own. It is asked again."),
    "tls": (_O, "The CA got no good TLS connection to the name while it looked."),
    "unauthorized": (
        _O,
        "The CA did not find the proof, or the account may not do this. Does the name point to"
        " this machine, and to no other one?",
    ),
    "unsupportedContact": (_S, "The CA takes mail addresses only: correct the account's contact."),
    "unsupportedIdentifier": (
        _S,
        "The CA gives no certificate for this kind of name (an IP address, for instance).",
    ),
    "userActionRequired": (
        _S,
        "The CA wants something of you first, mostly that you agree to its new terms: read them,"
        " then tick the box on the account's page.",
    ),
    "badProfile": (_S, "The CA has no such profile: correct it, or leave it blank."),
    "invalidProfile": (_S, "The CA has no such profile: correct it, or leave it blank."),
    "alreadyReplaced": (_R, "Ordered again without saying what it replaces."),
    # ours
    "network": (
        _R,
        "The CA could not be reached. Can this machine open HTTPS connections to the outside?"
        " It is tried again.",
    ),
    "certificateOfCa": (
        _R,
        "The CA's own address shows a certificate that is not trusted. For a CA of your own, give"
        " its root on the account's page.",
    ),
    "notAcme": (
        _R,
        "Something answered that does not speak ACME. Is the directory's address right?",
    ),
    "solver": (_R, "The TXT record could not be set or removed: see the DNS solver's settings."),
    "expired": (_O, "The order was left open until the CA closed it. Another one is made."),
    "challenge": (
        _S,
        "The CA does not offer this kind of proof for the name: choose the other one.",
    ),
    "refused": (_O, "What the CA delivered cannot be used as it is. Another one is ordered."),
    "account": (_S, "The account is not registered: see its page."),
    "terms": (_S, "Read the CA's terms of service, then tick the box on the account's page."),
    "vault": (
        _R,
        "A stored key cannot be read: bring back the key file of the appliance.",
    ),
    "bug": (
        _R,
        "This is a fault of Postroad: its log has the details. It is tried again.",
    ),
    "cancelled": (_S, "Ordered again when somebody asks for it."),
}
_UNKNOWN: Final = (_O, "See what the CA says. It is tried again.")


def ours(kind: str, words: str) -> Problem:
    """Make a problem of a kind that is named in ``ADVICE``."""
    remedy, advice = ADVICE.get(kind, _UNKNOWN)
    return Problem(kind, words[:2000], advice, remedy)


def from_document(document: Mapping[str, Any], status: int = 0, link: str = "") -> Problem:
    """Read a problem document (RFC 7807 with RFC 8555 §6.7.1's subproblems).

    status: of the HTTP response; a fault of the CA itself is asked about again.
    """
    kind = str(document.get("type") or "about:blank").removeprefix(PREFIX)
    said = [str(document.get("detail") or document.get("title") or kind)]
    subproblems = [one for one in document.get("subproblems") or () if isinstance(one, Mapping)]
    said += [_about(one) for one in subproblems]
    if kind == "compound" and subproblems:
        remedies = [_known(_kind_of(one), 0)[0] for one in subproblems]
        worst = Remedy.OPERATOR if Remedy.OPERATOR in remedies else Remedy.REORDER
        advices = dict.fromkeys(_known(_kind_of(one), 0)[1] for one in subproblems)
        return Problem(kind, "\n".join(said)[:2000], " ".join(advices), worst, link)
    remedy, advice = _known(kind, status)
    return Problem(kind, "\n".join(said)[:2000], advice, remedy, link)


def _kind_of(document: Mapping[str, Any]) -> str:
    return str(document.get("type") or "").removeprefix(PREFIX)


def _about(document: Mapping[str, Any]) -> str:
    identifier = document.get("identifier")
    name = identifier.get("value", "") if isinstance(identifier, Mapping) else ""
    said = str(document.get("detail") or document.get("title") or _kind_of(document))
    return f"{name}: {said}" if name else said


def _known(kind: str, status: int) -> tuple[Remedy, str]:
    if kind not in ADVICE and status >= 500:
        return ADVICE["serverInternal"]
    if kind not in ADVICE and status == 429:
        return ADVICE["rateLimited"]
    return ADVICE.get(kind, _UNKNOWN)


def retry_after(value: str | None, now: datetime) -> datetime | None:
    """Read a Retry-After header (RFC 9110 §10.2.3): seconds or a date; None when it says nothing.

    What lies too far ahead is brought nearer.
    """
    if not value:
        return None
    try:
        when = now + timedelta(seconds=min(int(value), _LONGEST_WAIT.total_seconds()))
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=now.tzinfo)
    return max(now, min(when, now + _LONGEST_WAIT))
