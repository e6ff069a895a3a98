"""What may be searched for among live sessions: words, and conditions such as ``user=alice``.

All conditions have to hold. What makes no sense matches nothing, so that a slip of the pen never
means more sessions than were wanted.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db.models import Q

from appliance.fleet.choices import SessionState

MAX_TERMS: Final = 8
MAX_CHARS: Final = 200

_WORDS: Final = ("user", "client", "backend", "server", "listen", "node__name", "auth_session")
"""Where a bare word is looked for."""

_TEXTS: Final = {
    "user": "user",
    "server": "backend",
    "node": "node__name",
    "group": "node__group__name",
    "block": "server",
    "listener": "listen",
    "protocol": "protocol",
    "tls": "tls",
    "session": "auth_session",
}
"""Conditions on text: ``:`` for a part of it, ``=`` for all of it."""

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNITS_BYTES: Final = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}

_TERM: Final = re.compile(
    r"(?:(?P<name>user|client|server|node|group|block|listener|protocol|tls|session|state"
    r'|older|newer|over|under)(?P<sign>[:=]))?(?:"(?P<quoted>[^"]*)"|(?P<bare>\S+))',
    re.IGNORECASE,
)

NOTHING: Final = Q(pk__in=())


class Term(NamedTuple):
    """One word or condition of a search."""

    name: str
    """Empty: a bare word."""
    whole: bool
    """All of the field is this, not a part of it."""
    value: str


def terms(text: str) -> list[Term] | None:
    """Cut a search into terms, all of which have to hold; None when there are too many."""
    found = list(_TERM.finditer(text.replace("\x00", "")[:MAX_CHARS]))
    if len(found) > MAX_TERMS:
        return None
    return [
        Term(
            name=(term["name"] or "").lower(),
            whole=term["sign"] == "=",
            value=term["bare"] if term["quoted"] is None else term["quoted"],
        )
        for term in found
    ]


def conditions(text: str, now: datetime, silent_since: datetime) -> Q:
    """Give what a search asks for.

    silent_since: nodes that were heard last before this are silent.
    """
    asked = terms(text)
    if asked is None:
        return NOTHING
    found = Q()
    for term in asked:
        found &= _condition(term, now, silent_since)
    return found


def quoted(name: str, value: str) -> str:
    """Give the condition that a field is exactly this; empty when there is no way to say it."""
    return "" if '"' in value else f'{name}="{value}"'


def address_key(address: str) -> str:
    """Give an address as 32 hexadecimal digits; empty for what is none, as of a unix socket."""
    try:
        return f"{int(_mapped(ipaddress.ip_address(address))):032x}"
    except ValueError:
        return ""


def network_keys(value: str) -> tuple[str, str] | None:
    """Give the first and the last ``address_key`` of an address or network; None: it is none."""
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None
    first, last = _mapped(network[0]), _mapped(network[-1])
    return f"{int(first):032x}", f"{int(last):032x}"


def seconds(value: str) -> float | None:
    """Read an age such as ``15m``; None: it is none."""
    return _number(value.lower(), _UNITS_S)


def _condition(term: Term, now: datetime, silent_since: datetime) -> Q:
    name, whole, value = term
    if not name:
        return _word(value)
    if name in _TEXTS:
        if name == "tls" and value.lower() == "none":
            return Q(tls="")
        return Q(**{f"{_TEXTS[name]}__{'iexact' if whole else 'icontains'}": value})
    if name == "client":
        return _client(value, whole=whole)
    if name == "state":
        return _state(value.lower(), silent_since)
    return _MEASURES[name](value.lower(), now)


def _word(value: str) -> Q:
    if "/" in value and (network := _network(value)) is not None:
        return network
    match = Q(protocol__iexact=value) | Q(tls__iexact=value)
    for field in _WORDS:
        match |= Q(**{f"{field}__icontains": value})
    return match


def _client(value: str, *, whole: bool) -> Q:
    if whole or "/" in value:
        return _network(value) or (Q(client=value) if whole else NOTHING)
    return Q(client__icontains=value)


def _network(value: str) -> Q | None:
    keys = network_keys(value)
    return None if keys is None else Q(client_key__gte=keys[0], client_key__lte=keys[1])


def _mapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address((0xFFFF << 32) | int(address))


def _state(value: str, silent_since: datetime) -> Q:
    asked, due = Q(kick_requested_at__isnull=False), Q(kick_due_at__isnull=False)
    silent = Q(node__last_seen_at__lt=silent_since)
    draining = Q(node__drain_requested_at__isnull=False)
    if value == SessionState.DISCONNECTING:
        return asked
    if value == SessionState.WAITING:
        return due & ~asked
    if value == SessionState.SILENT:
        return silent & ~asked & ~due
    if value == SessionState.DRAINING:
        return draining & ~silent & ~asked & ~due
    return ~asked & ~due & ~silent & ~draining if value == SessionState.OPEN else NOTHING


def _number(value: str, units: Mapping[str, int]) -> float | None:
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,3})?)([a-z]?)b?", value)
    if found is None or found[2] not in units:
        return None
    return float(found[1]) * units[found[2]]


def _older(value: str, now: datetime) -> Q:
    age_s = seconds(value)
    return NOTHING if age_s is None else Q(started_at__lte=_before(now, age_s))


def _newer(value: str, now: datetime) -> Q:
    age_s = seconds(value)
    return NOTHING if age_s is None else Q(started_at__gt=_before(now, age_s))


def _before(now: datetime, age_s: float) -> datetime:
    return now - timedelta(seconds=min(age_s, 10**9))


def _over(value: str, _now: datetime) -> Q:
    count = _number(value, _UNITS_BYTES)
    return NOTHING if count is None else Q(octets__gt=count)


def _under(value: str, _now: datetime) -> Q:
    count = _number(value, _UNITS_BYTES)
    return NOTHING if count is None else Q(octets__lt=count)


_MEASURES: Final[Mapping[str, Callable[[str, datetime], Q]]] = {
    "older": _older,
    "newer": _newer,
    "over": _over,
    "under": _under,
}
"""Conditions on age (``90s``, ``15m``, ``2h``, ``3d``) and on octets of both ways (``10m``)."""
