"""How a setting is declared, once, with everything anybody needs to know of it.

A contract dataclass declares each field with ``setting(...)``. The codec checks range and
choices from the declaration, the admin builds help and limits from it, the docs table is
generated from it.
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

_KEY = "setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of one setting beside its type and default."""

    help: str
    directive: str = ""
    """nginx's directive, where nginx has one."""
    unit: str = ""
    """``ms``, ``bytes``, ``count`` or nothing."""
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    """Allowed members of a tuple of words."""
    pattern: str = ""
    """Regular expression that a string (or each string of a tuple) must match in full."""
    allowed: str = ""
    """What ``pattern`` allows, in words that go behind "must be"."""
    max_length: int | None = None


def setting(
    help: str,  # noqa: A002  (the field's own word)
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | Any = MISSING,
    **known: Any,
) -> Any:
    """Declare a dataclass field together with its ``Setting``."""
    metadata = {_KEY: Setting(help=help, **known)}
    if default is not MISSING:
        return field(default=default, metadata=metadata)
    if default_factory is not MISSING:
        return field(default_factory=default_factory, metadata=metadata)
    return field(metadata=metadata)


def settings_of(cls: type) -> dict[str, Setting]:
    """Give the declared settings of a contract dataclass, in order of declaration."""
    return {f.name: f.metadata[_KEY] for f in fields(cls) if _KEY in f.metadata}
