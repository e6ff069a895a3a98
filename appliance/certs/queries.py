"""Read certificates: which there are, what to say of one, who uses it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from appliance.certs.models import Authority, Certificate
from appliance.lib.fields import Unreadable

WARN_DAYS: Final = 21
"""From when on an expiry is shown as a warning."""
DANGER_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Use:
    """Where a certificate is used."""

    label: str
    url: str


UseFinder = Callable[[], dict[int, list[Use]]]
"""Gives every use there is, by primary key of the certificate."""

_finders: Final[dict[str, UseFinder]] = {}


def register_uses(name: str, find: UseFinder) -> None:
    """Let an app above say where it uses certificates."""
    _finders[name] = find


def uses() -> dict[int, list[Use]]:
    """Say where each certificate is used, in the draft, by its primary key."""
    found: dict[int, list[Use]] = {}
    for find in _finders.values():
        for key, places in find().items():
            found.setdefault(key, []).extend(places)
    return found


def unreadable() -> list[Certificate]:
    """Give the certificates whose keys are stored under other keys than ours."""
    rows = Certificate.objects.defer("pem")
    return [one for one in rows if isinstance(one.private_key, Unreadable)]


def has_authorities() -> bool:
    """Tell whether there is a private authority."""
    return Authority.objects.exists()


def tone(days_left: int) -> str:
    """Give the colour of an expiry."""
    if days_left < DANGER_DAYS:
        return "danger"
    return "warning" if days_left < WARN_DAYS else "success"


def days(days_left: int) -> str:
    """Say how long it is still valid."""
    if days_left < 0:
        return "expired"
    return "1 day left" if days_left == 1 else f"{days_left} days left"


def free_name(wanted: str) -> str:
    """Give a name nobody has, near the wanted one."""
    wanted = wanted[:90]
    name, number = wanted, 1
    while Certificate.objects.filter(name=name).exists():
        number += 1
        name = f"{wanted} {number}"
    return name
