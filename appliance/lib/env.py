"""Read settings from the environment, typed, each mistake named by its variable.

Used by ``appliance.settings`` only; imports nothing of Django but its exception.
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

PREFIX = "POSTROAD_"

_YES = {"1", "true", "yes", "on"}
_NO = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """Give ``POSTROAD_<name>``; surrounding blanks are never meant."""
    return os.environ.get(PREFIX + name, default).strip()


def integer(name: str, default: int, *, minimum: int = 0, maximum: int = 2**31 - 1) -> int:
    """Give a whole number. Raises ImproperlyConfigured outside minimum..maximum."""
    raw = text(name)
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{PREFIX}{name} must be a whole number, not {raw!r}") from None
    if not minimum <= value <= maximum:
        raise ImproperlyConfigured(f"{PREFIX}{name} must be from {minimum} to {maximum}")
    return value


def boolean(name: str, default: bool) -> bool:
    """Give a switch: ``1 true yes on`` or ``0 false no off``."""
    raw = text(name).lower()
    if PREFIX + name not in os.environ:
        return default
    if raw not in _YES | _NO:
        raise ImproperlyConfigured(f"{PREFIX}{name} must be on or off, not {raw!r}")
    return raw in _YES


def words(name: str, default: list[str]) -> list[str]:
    """Give a list written with commas or blanks between its words."""
    raw = text(name)
    return raw.replace(",", " ").split() if raw else default


def path(name: str, default: Path) -> Path:
    """Give a path, made absolute, ``~`` allowed."""
    raw = text(name)
    return (Path(raw).expanduser() if raw else default).absolute()
